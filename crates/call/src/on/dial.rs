//! Candidates are located and dialled: the devices of a user all at once, carriers and their addresses one by one.

use std::collections::VecDeque;

use smallvec::smallvec;
use tollgate_media::sdp::exchange::Exchange;
use tollgate_media::{Families, Leg as Side, Ports};
use tollgate_sip::dialog::Sprout;
use tollgate_sip::uri::Uri;
use tollgate_sip::wire::{Method, Name};
use tollgate_types::{Refusal, Rule};

use crate::action::Action;
use crate::admission::Candidate;
use crate::call::{Call, Turn};
use crate::errand::Errand;
use crate::event::Query;
use crate::hunt::{Branch, Stage};
use crate::party::{Place, Target};
use crate::refusal::Reply;
use crate::say;
use crate::timers::Timer;

impl Call {
    /// The next address of the current carrier, else the next candidate, else the end of the hunt.
    pub(crate) fn try_next(&mut self, turn: &mut Turn<'_>) {
        let Some(hunt) = &mut self.hunt else { return };
        if let Some(place) = hunt.places.pop_front() {
            return self.dial(turn, vec![place]);
        }
        let candidate = if hunt.tried < self.policy.failover_max { hunt.candidates.pop_front() } else { None };
        let Some(candidate) = candidate else {
            let best = hunt.best.take().unwrap_or(Reply::plain(480));
            return self.hunt_over(turn, best, None);
        };
        hunt.tried += 1;
        let target = candidate.target.clone();
        hunt.current = Some(candidate);
        let query = self.next_query();
        if let Some(hunt) = &mut self.hunt {
            hunt.stage = Stage::Locating(query);
        }
        self.timers.arm(Timer::AnswerLate, turn.now + self.policy.carrier_wait);
        turn.out.push(Action::Locate { query, target });
    }

    pub(crate) fn on_located(&mut self, turn: &mut Turn<'_>, query: Query, mut places: Vec<Place>) {
        let Some(hunt) = &mut self.hunt else { return };
        if !matches!(hunt.stage, Stage::Locating(asked) if asked == query) {
            return;
        }
        self.timers.disarm(Timer::AnswerLate);
        if places.is_empty() {
            let is_user = hunt.current.as_ref().is_some_and(|candidate| !candidate.target.is_trunk());
            return self.on_nowhere(turn, if is_user { 480 } else { 503 });
        }
        if hunt.current.as_ref().is_some_and(|candidate| candidate.target.is_trunk()) {
            hunt.places = VecDeque::from(places.split_off(1));
        } else {
            places.truncate(self.policy.forks_max);
        }
        if self.media.ports.is_some() {
            return self.dial(turn, places);
        }
        let theirs = places.iter().chain(&hunt.places).map(|place| Families::of(place.flow.peer.ip()));
        let theirs = theirs.reduce(Families::or).unwrap_or(Families::V4);
        let own = self
            .legs
            .iter()
            .find(|leg| leg.is_live())
            .map_or(Families::V4, |leg| Families::of(leg.dialog.flow.peer.ip()));
        hunt.stage = Stage::Opening(places);
        self.timers.arm(Timer::AnswerLate, turn.now + self.policy.carrier_wait);
        self.open_media(turn, [own, theirs]);
    }

    pub(crate) fn on_media_ready(&mut self, turn: &mut Turn<'_>, ports: Option<Box<Ports>>) {
        if self.parked.is_some() {
            if ports.is_some() {
                self.media.ports = ports;
            }
            return self.unpark(turn);
        }
        let Some(ports) = ports else {
            if let Some(Stage::Opening(_)) = self.hunt.as_ref().map(|hunt| &hunt.stage) {
                let refusal = Refusal::new(Rule::Overload, "media.ports", "no media port left", "");
                self.hunt_over(turn, Reply::plain(503), Some(refusal));
            }
            return;
        };
        self.media.ports = Some(ports);
        self.limit_media(turn);
        let Some(hunt) = &mut self.hunt else { return };
        if let Stage::Opening(places) = &mut hunt.stage {
            let places = std::mem::take(places);
            self.timers.disarm(Timer::AnswerLate);
            self.dial(turn, places);
        }
    }

    /// The candidate can be reached nowhere.
    pub(crate) fn on_nowhere(&mut self, turn: &mut Turn<'_>, status: u16) {
        self.timers.disarm(Timer::AnswerLate);
        if let Some(hunt) = &mut self.hunt {
            let words = (status == 480).then_some("not registered");
            hunt.weigh(Reply { words: words.map(Into::into), ..Reply::plain(status) });
        }
        self.try_next(turn);
    }

    /// Sends one INVITE to each place.
    fn dial(&mut self, turn: &mut Turn<'_>, places: Vec<Place>) {
        let Some(candidate) = self.hunt.as_ref().and_then(|hunt| hunt.current.clone()) else { return };
        if let Some(hunt) = &mut self.hunt {
            hunt.stage = Stage::Ringing;
        }
        let mut dialled = false;
        for place in places {
            dialled |= self.send_invite(turn, &candidate, place);
        }
        if !dialled {
            return self.on_nowhere(turn, 503);
        }
        self.timers.arm(Timer::Ring, turn.now + self.policy.ring_max);
    }

    /// One INVITE. Says no when there is no media port of that address family.
    fn send_invite(&mut self, turn: &mut Turn<'_>, candidate: &Candidate, place: Place) -> bool {
        let side = self.callee_side();
        let Some(ours) = self.ours(side, place.flow).filter(|ours| ours.pairs.iter().any(Option::is_some)) else {
            return false;
        };
        let is_transfer = self.hunt.as_ref().is_some_and(|hunt| hunt.is_transfer());
        let offer = self.offered_exchange().map(|exchange| exchange.write_offer(&ours));
        let body = match offer {
            Some(None) => return false,
            // Who stays was put on hold by who transfers; the new partner is to hear him.
            Some(Some(body)) if is_transfer => Some(super::replace::unhold(&body)),
            Some(body) => body,
            None => None,
        };
        let domain = self.policy.domain.clone();
        let (uri, to) = match &candidate.target {
            Target::User { name, number, .. } => {
                let uri = number.as_deref().map_or_else(|| place.uri.clone(), |number| with_user(&place.uri, number));
                let to = Uri::sip(&domain).user(number.as_deref().unwrap_or(name)).build();
                (uri, format!("<{}>", to.as_str()))
            }
            Target::Trunk { .. } => (place.uri.clone(), format!("<{}>", place.uri)),
        };
        let sprout = Sprout {
            call_id: self.tokens.call_id().into(),
            local_tag: self.tokens.tag().into(),
            local: candidate.identity.shown(&domain).from.into(),
            remote: to.into(),
            contact: say::contact(&self.policy, &place.flow).into(),
            target: uri,
            routes: place.routes,
            flow: place.flow,
            seq: self.tokens.cseq(),
        };
        turn.out.push(Action::Listen { call_id: sprout.call_id.clone() });
        let client = self.next_client();
        let mut branch = Branch {
            client,
            candidate: candidate.clone(),
            sprout,
            login: place.login,
            challenged: 0,
            proven_to: None,
            shortened: false,
            session: self
                .policy
                .session_expires
                .map_or(0, |interval| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX)),
            heard: false,
            ringing: false,
            early: smallvec![],
            exchange: None,
            offered: body.is_some(),
            body: body.unwrap_or_default(),
        };
        self.invite_branch(turn, &mut branch, None);
        if let Some(hunt) = &mut self.hunt {
            hunt.branches.push(branch);
        }
        true
    }

    /// Writes and sends a branch's INVITE, the first one or after a challenge, with `proof` as a further header.
    pub(crate) fn invite_branch(&mut self, turn: &mut Turn<'_>, branch: &mut Branch, proof: Option<(Name<'_>, &str)>) {
        let max_forwards = self.hunt.as_ref().map_or(70, |hunt| hunt.max_forwards);
        let identity = &branch.candidate.identity;
        let shown = identity.shown(&self.policy.domain);
        let supported = if branch.offered { say::SUPPORTED } else { say::SUPPORTED_DELAYED };
        let mut builder = branch
            .sprout
            .request(Method::Invite, max_forwards)
            .header(Name::Contact, &branch.sprout.contact)
            .header(Name::Allow, say::ALLOW)
            .header(Name::Supported, supported);
        builder = say::identify(builder, identity, &shown);
        if branch.session > 0 {
            builder = builder
                .header(Name::SessionExpires, branch.session.to_string())
                .header(Name::MinSe, self.policy.session_min.as_secs().to_string());
        }
        if let Some((name, value)) = proof {
            builder = builder.header(name, value);
        }
        let body = branch.offered.then(|| branch.body.clone());
        let bytes = say::with_sdp(builder, body).build();
        self.climb(turn, "b", false, "INVITE".to_owned());
        self.errands.push((branch.client, Errand::Branch));
        if branch.candidate.target.is_trunk() {
            self.timers.arm(Timer::Silence(branch.client), turn.now + self.policy.carrier_wait);
        }
        turn.invite(branch.client, branch.sprout.flow, bytes);
    }

    /// What the hunt offers; `None` where the caller has not offered anything yet.
    fn offered_exchange(&mut self) -> Option<&mut Exchange> {
        match &mut self.hunt {
            Some(hunt) if hunt.is_transfer() => hunt.exchange.as_deref_mut(),
            _ => self.media.exchange.as_deref_mut(),
        }
    }

    /// The side of the relay that the hunted one will have: across from who waits.
    pub(crate) fn callee_side(&self) -> Side {
        match self.hunt.as_ref().map(|hunt| &hunt.purpose) {
            Some(crate::hunt::Purpose::Transfer { stays }) => self.leg(*stays).map_or(Side::B, |leg| leg.side.other()),
            _ => Side::B,
        }
    }
}

/// The registered contact with another user part, for a PBX that wants to see the number.
fn with_user(contact: &str, number: &str) -> Box<str> {
    match Uri::parse(contact) {
        Ok(uri) => uri.edit().user(number).build().as_str().into(),
        Err(_) => contact.into(),
    }
}
