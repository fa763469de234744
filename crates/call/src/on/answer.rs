//! 2xx to an INVITE of ours: somebody answered. The first one wins; every other is thanked and hung up.

use bytes::Bytes;
use smallvec::SmallVec;
use tollgate_media::Leg as Side;
use tollgate_media::sdp::exchange::Exchange;
use tollgate_sip::dialog::{Dialog, Sprout, next_hop, tags};
use tollgate_sip::header::NameAddr;
use tollgate_sip::wire::{Message, Method};
use tollgate_types::Flow;

use super::provisional::is_sdp;
use crate::action::{Action, Note};
use crate::call::{Call, Turn};
use crate::errand::Errand;
use crate::event::Client;
use crate::hunt::{Branch, Hunt, Purpose};
use crate::leg::{Abilities, Leg, LegId, Pace, State, Unacked, peer};
use crate::refusal::Reply;
use crate::say::SDP;
use crate::session::Session;
use crate::timers::Timer;

/// For devices that stop ringing because another one was answered: no missed call to show (RFC 3326 §2).
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// What the winner said of media.
enum Agreed {
    /// Its answer, for who waits.
    Answer(Option<Bytes>),
    /// Its offer, for who waits; the answer will come in the ACK.
    Offer(Bytes),
    /// Nothing that both can carry.
    Nothing,
}

impl Call {
    /// A 2xx to whatever INVITE of ours.
    pub(crate) fn on_answer(&mut self, turn: &mut Turn<'_>, client: Client, message: &Message, flow: Flow) {
        match self.take_errand(client) {
            Some(Errand::Branch) => self.on_branch_answered(turn, client, message, flow),
            Some(Errand::Stray(branch)) => {
                turn.note(Note::LateAnswer);
                self.dismiss(turn, client, &branch.sprout, message, flow);
            }
            Some(Errand::Relayed(relayed)) => self.on_relay_answered(turn, *relayed, message, flow),
            Some(Errand::Refresh(leg)) => self.on_refreshed(turn, leg, 200, Some(message)),
            Some(Errand::Rewire(leg)) => self.on_rewired(turn, leg, message),
            Some(Errand::Dismissed { flow, ack }) => {
                turn.out.push(Action::SendAck { flow, bytes: ack.clone() });
                self.errands.push((client, Errand::Dismissed { flow, ack }));
            }
            Some(Errand::Prack | Errand::Bye | Errand::Probe(_) | Errand::Notify) | None => {
                self.on_repeated_answer(turn, message, flow);
            }
        }
    }

    /// A 2xx that nothing waits for: repeated because our ACK was lost, or from another end of a fork.
    pub(crate) fn on_repeated_answer(&mut self, turn: &mut Turn<'_>, message: &Message, flow: Flow) {
        let (from, to) = tags(message);
        let ours = |leg: &&Leg| *leg.dialog.call_id == *message.call_id() && *leg.dialog.local_tag == *from;
        let Some(leg) = self.legs.iter().find(ours) else { return };
        if *leg.dialog.remote_tag == *to {
            let seq = message.cseq().number;
            if let Some((_, ack)) = leg.acked.as_ref().filter(|(acked, _)| *acked == seq) {
                turn.out.push(Action::SendAck { flow: leg.dialog.flow, bytes: ack.clone() });
            }
            return;
        }
        let sprout = Sprout {
            call_id: leg.dialog.call_id.clone(),
            local_tag: leg.dialog.local_tag.clone(),
            local: leg.dialog.local.clone(),
            remote: leg.dialog.remote.clone(),
            contact: leg.dialog.contact.clone(),
            target: leg.dialog.target.clone(),
            routes: Box::new([]),
            flow,
            seq: message.cseq().number,
        };
        turn.note(Note::LateAnswer);
        let client = self.next_client();
        self.dismiss(turn, client, &sprout, message, flow);
    }

    /// ACK and BYE: nobody talks to this one, and nobody pays.
    pub(crate) fn dismiss(
        &mut self,
        turn: &mut Turn<'_>,
        client: Client,
        sprout: &Sprout,
        message: &Message,
        flow: Flow,
    ) {
        let mut dialog = Dialog::begin(sprout, message, flow);
        let ack = dialog.ack(message.cseq().number).build();
        turn.out.push(Action::SendAck { flow, bytes: ack.clone() });
        self.errands.push((client, Errand::Dismissed { flow, ack }));
        let bye = dialog.request(Method::Bye).build();
        let next = self.next_client();
        self.errands.push((next, Errand::Bye));
        turn.request(next, flow, bye);
    }

    fn on_branch_answered(&mut self, turn: &mut Turn<'_>, client: Client, message: &Message, flow: Flow) {
        let Some(mut hunt) = self.hunt.take() else { return };
        let Some(mut branch) = hunt.take_branch(client) else {
            self.hunt = Some(hunt);
            return;
        };
        self.timers.disarm(Timer::Silence(client));
        self.climb(turn, "b", true, "200 OK".to_owned());
        self.hunt = Some(hunt);
        let side = self.callee_side();
        let agreed = self.agree(side, &mut branch, message, flow);
        if let Agreed::Nothing = agreed {
            self.dismiss(turn, client, &branch.sprout, message, flow);
            return self.branch_over(turn, branch, Reply::plain(488), None);
        }
        let Some(mut hunt) = self.hunt.take() else { return };
        self.cancel_branches(turn, &mut hunt, Some(ELSEWHERE));
        self.timers.disarm(Timer::Ring);
        let id = self.seat_winner(turn, side, &branch, message, flow);
        self.early_requests_of(turn, client, Some(id));
        match agreed {
            Agreed::Answer(body) => {
                self.acknowledge(turn, id, message.cseq().number, None);
                self.on_hunt_won(turn, *hunt, branch, id, body, None);
            }
            Agreed::Offer(body) => {
                if let Some(leg) = self.leg_mut(id) {
                    leg.inviting = Some(client);
                }
                let seq = message.cseq().number;
                self.on_hunt_won(turn, *hunt, branch, id, Some(body), Some((id, seq)));
            }
            Agreed::Nothing => {}
        }
    }

    /// Brings what the winner said into the call's exchange.
    fn agree(&mut self, side: Side, branch: &mut Branch, message: &Message, flow: Flow) -> Agreed {
        let stays = side.other();
        let Some(ours) = self
            .legs
            .iter()
            .find(|leg| leg.side == stays && leg.is_live())
            .and_then(|leg| self.ours(stays, leg.dialog.flow))
        else {
            return Agreed::Nothing;
        };
        let word = peer(&branch.candidate.target.party(), flow);
        if !branch.offered {
            let sessions = [self.tokens.below(u64::MAX), self.tokens.below(u64::MAX)];
            let mut exchange = Exchange::new(sessions);
            if exchange.offer(side, message.body(), word).is_err() {
                return Agreed::Nothing;
            }
            let Some(offer) = exchange.write_offer(&ours) else { return Agreed::Nothing };
            self.media.exchange = Some(Box::new(exchange));
            return Agreed::Offer(offer);
        }
        let shown = self.hunt.as_ref().and_then(|hunt| hunt.shown_branch()).and_then(|shown| shown.exchange.clone());
        let base = || match &self.hunt {
            Some(hunt) if hunt.is_transfer() => hunt.exchange.clone(),
            _ => self.media.exchange.clone(),
        };
        let Some(mut exchange) = branch.exchange.take().or_else(base) else { return Agreed::Nothing };
        if let Some(shown) = shown {
            exchange.continue_after(stays, &shown);
        }
        if is_sdp(message) {
            match exchange.answer(side, message.body(), word) {
                Ok(answered) if answered.usable => {}
                _ => return Agreed::Nothing,
            }
        } else if !exchange.is_joined() {
            return Agreed::Nothing;
        }
        let body = exchange.write_answer(&ours);
        self.media.exchange = Some(exchange);
        Agreed::Answer(body)
    }

    /// The winner becomes a leg.
    fn seat_winner(
        &mut self,
        turn: &mut Turn<'_>,
        side: Side,
        branch: &Branch,
        message: &Message,
        flow: Flow,
    ) -> LegId {
        let id = self.next_leg();
        let party = branch.candidate.target.party();
        let mut dialog = Dialog::begin(&branch.sprout, message, flow);
        // What early requests the branch saw count on.
        if let Some(early) = branch.early.iter().find(|early| early.dialog.remote_tag == dialog.remote_tag) {
            dialog.local_seq = dialog.local_seq.max(early.dialog.local_seq);
            dialog.remote_seq = early.dialog.remote_seq;
        }
        if party.is_trunk() {
            // A phone is where its packets come from; a carrier may name another of its addresses.
            let first = dialog.routes.first().and_then(|route| NameAddr::parse(route));
            let towards = first.map_or(&*dialog.target, |route| route.uri_raw);
            dialog.flow = next_hop(towards, flow);
        }
        let session = Session::by_response(message, branch.session, &self.policy);
        self.legs.push(Leg {
            id,
            side,
            party,
            dialog,
            state: State::Confirmed,
            invited: true,
            login: branch.login.clone(),
            can: Abilities::of(message),
            session,
            asking: None,
            unacked: None,
            inviting: None,
            acked: None,
            reliable: None,
            told: None,
            rseq: 0,
            pace: Pace { since: turn.now, count: 0 },
            silent_since: None,
        });
        self.arm_session(turn, id);
        id
    }

    /// Sends the ACK to a 2xx on leg `id`.
    pub(crate) fn acknowledge(&mut self, turn: &mut Turn<'_>, id: LegId, seq: u32, body: Option<Bytes>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let ack = crate::say::with_sdp(leg.dialog.ack(seq), body).build();
        leg.acked = Some((seq, ack.clone()));
        leg.inviting = None;
        let flow = leg.dialog.flow;
        turn.out.push(Action::SendAck { flow, bytes: ack });
    }

    /// The hunt has its winner in leg `id`; whoever waits is told, with `body` for its ears. `delayed`: its ACK must bring
    /// the answer for that leg.
    fn on_hunt_won(
        &mut self,
        turn: &mut Turn<'_>,
        hunt: Hunt,
        branch: Branch,
        id: LegId,
        body: Option<Bytes>,
        delayed: Option<(LegId, u32)>,
    ) {
        let places: SmallVec<[u8; 2]> = hunt.paid.clone();
        for place in places {
            self.on_answered(turn, place, &branch.candidate);
        }
        self.limit_media(turn);
        match hunt.purpose {
            Purpose::Call => {
                self.timers.disarm(Timer::Setup);
                turn.note(Note::Answered);
                self.answer_caller(turn, body, delayed);
                if let Some(limit) = self.policy.duration_max {
                    self.timers.arm(Timer::DurationMax, turn.now + limit);
                }
            }
            Purpose::Transfer { stays } => self.on_transferred(turn, stays, id, body),
        }
        self.plan_media(turn);
        self.gate_open(turn);
    }

    /// 200 to the caller.
    pub(crate) fn answer_caller(&mut self, turn: &mut Turn<'_>, body: Option<Bytes>, delayed: Option<(LegId, u32)>) {
        let leg = &mut self.legs[0];
        if let Some(open) = leg.reliable.as_mut().filter(|open| open.has_body) {
            open.then = Some(body);
            open.waiting.clear();
            return;
        }
        leg.reliable = None;
        self.timers.disarm(Timer::Repeat(LegId(0)));
        let leg = &mut self.legs[0];
        let Some(asking) = leg.asking.take() else { return };
        leg.state = State::Confirmed;
        leg.unacked = Some(Unacked { seq: asking.message.cseq().number, answer_for: delayed });
        let (session, headers) = Session::by_request(&asking.message, &self.policy);
        leg.session = session;
        let mut builder = leg.answer(&asking.message, &asking.flow, 200);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        // What was told reliably is not told again (RFC 6337 §2.2).
        if let Some(body) = body.filter(|body| leg.told.as_ref() != Some(body)) {
            builder = builder.body(SDP, body);
        }
        self.climb(turn, "a", false, "200 OK".to_owned());
        turn.respond(asking.key, 200, builder.build());
        self.arm_session(turn, LegId(0));
    }
}
