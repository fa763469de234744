//! Requests inside the call carried from one party to the other, and the answers back: re-INVITE, UPDATE, INFO, MESSAGE.
//!
//! The two dialogs are two: what goes across is the session description rewritten, a body, a status; nothing else.

use bytes::Bytes;
use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_media::sdp::exchange::OfferRefused;
use tollgate_sip::wire::{Message, Method, Name, RequestBuilder};
use tollgate_types::Flow;

use super::provisional::is_sdp;
use crate::action::{Action, MediaOrder};
use crate::call::{Call, Ending, Turn};
use crate::errand::{Errand, Relayed, To};
use crate::event::Client;
use crate::leg::{Asking, LegId, Unacked, peer};
use crate::refusal::Reply;
use crate::say::{self, SDP};
use crate::session::Session;

/// What becomes of an offer that one party makes inside the call.
pub(crate) enum Heard {
    /// It goes across like this.
    Carry(Bytes),
    /// It says what was said before: nothing to ask the other party.
    Unchanged,
    /// More media lines than there are ports: the relay is asked first.
    Park(u8),
    /// No, with this status.
    No(u16),
}

impl Call {
    /// Reads an offer of `from` and writes it for `to`. `may_park`: the relay can still be asked for more ports; lines
    /// without ports are declined otherwise.
    pub(crate) fn hear_offer(&mut self, from: LegId, to: &To, body: &[u8], may_park: bool) -> Heard {
        let Some((side, word)) = self.leg(from).map(|leg| (leg.side, leg.peer())) else { return Heard::No(481) };
        let Some(flow) = self.flow_to(to) else { return Heard::No(500) };
        let ours = self.ours(side.other(), flow);
        let room = self.media.ports.as_ref().map_or(0, |ports| ports.lines.len());
        let most = usize::from(self.policy.streams_max);
        let (Some(exchange), Some(ours)) = (self.shown_exchange_mut(), ours) else { return Heard::No(500) };
        match exchange.offer(side, body, word) {
            Err(OfferRefused::Malformed(_)) => Heard::No(400),
            Err(OfferRefused::Unsupported) => Heard::No(488),
            Err(OfferRefused::Pending { by }) if by == side => Heard::No(500),
            Err(OfferRefused::Pending { .. }) => Heard::No(491),
            Ok(offered) if offered.unchanged => {
                exchange.refuse();
                Heard::Unchanged
            }
            Ok(offered) if may_park && offered.lines > room && room < most => {
                exchange.refuse();
                Heard::Park(u8::try_from(offered.lines.min(most)).unwrap_or(u8::MAX))
            }
            Ok(_) => match exchange.write_offer(&ours) {
                Some(body) => Heard::Carry(body),
                None => {
                    exchange.refuse();
                    Heard::No(488)
                }
            },
        }
    }

    /// Waits with an offer until the relay has ports for its further lines.
    pub(crate) fn park(&mut self, turn: &mut Turn<'_>, relayed: Relayed, lines: u8) {
        let families = [tollgate_media::Leg::A, tollgate_media::Leg::B].map(|side| {
            let leg = self.legs.iter().find(|leg| leg.side == side && leg.is_live());
            leg.map_or(tollgate_media::Families::V4, |leg| tollgate_media::Families::of(leg.dialog.flow.peer.ip()))
        });
        self.parked = Some(Box::new(relayed));
        turn.out.push(Action::Media(MediaOrder::Allocate { lines, families }));
    }

    /// Sends a request across.
    pub(crate) fn carry(&mut self, turn: &mut Turn<'_>, mut relayed: Relayed, body: Option<(String, Bytes)>) {
        let method = relayed.method.clone();
        let timer = self.policy.session_expires;
        let min = self.policy.session_min;
        let client = self.next_client();
        let (flow, bytes) = match &relayed.to {
            To::Leg(id) => {
                let Some(leg) = self.leg_mut(*id) else { return };
                let mut builder = leg.dialog.request(method.clone());
                if matches!(method, Method::Invite | Method::Update) {
                    builder = builder
                        .header(Name::Contact, &leg.dialog.contact)
                        .header(Name::Allow, say::ALLOW)
                        .header(Name::Supported, say::SUPPORTED_DELAYED);
                    builder = leg.session.ask(builder, leg.can.timer, timer, min);
                }
                if method == Method::Invite {
                    leg.inviting = Some(client);
                }
                (leg.dialog.flow, finish(builder, body))
            }
            To::Early(branch, tag) => {
                let early = self
                    .hunt
                    .as_mut()
                    .and_then(|hunt| hunt.branch_mut(*branch))
                    .and_then(|branch| branch.early.iter_mut().find(|early| early.dialog.remote_tag == *tag));
                let Some(early) = early else { return };
                let mut builder = early.dialog.request(method.clone());
                if method == Method::Update {
                    builder = builder.header(Name::Contact, &early.dialog.contact).header(Name::Allow, say::ALLOW);
                }
                (early.dialog.flow, finish(builder, body))
            }
        };
        relayed.abandoned = false;
        self.climb(turn, self.ladder_of(&relayed.to), false, method.to_string());
        let to = relayed.to.clone();
        let errand = Errand::Relayed(Box::new(relayed));
        match to {
            To::Leg(id) => self.send(turn, id, client, errand, bytes),
            To::Early(..) => {
                self.errands.push((client, errand));
                turn.request(client, flow, bytes);
            }
        }
    }

    /// A final answer to a request that was carried across.
    pub(crate) fn on_relay_answered(&mut self, turn: &mut Turn<'_>, relayed: Relayed, message: &Message, flow: Flow) {
        let status = message.status().unwrap_or(500);
        self.climb(turn, self.ladder_of(&relayed.to), true, format!("{status} {}", tollgate_sip::wire::reason(status)));
        if let To::Leg(id) = relayed.to {
            if relayed.method == Method::Invite && status >= 300 {
                self.clear_inviting(id);
            }
            if status < 300
                && matches!(relayed.method, Method::Invite | Method::Update)
                && let Some(leg) = self.leg_mut(id)
            {
                leg.dialog.refresh(message);
                leg.can.learn(message);
            }
        }
        if relayed.abandoned {
            // Who asked is gone; a 2xx to INVITE must be acknowledged all the same.
            if relayed.method == Method::Invite
                && status < 300
                && let To::Leg(id) = relayed.to
            {
                self.acknowledge(turn, id, message.cseq().number, None);
            }
            return;
        }
        if status >= 300 {
            return self.on_relay_refused(turn, &relayed, status);
        }
        match relayed.method {
            Method::Invite | Method::Update => self.on_relay_agreed(turn, relayed, message, flow),
            _ => {
                let body = message.content_type().map(|kind| (kind.to_owned(), message.body().clone()));
                let body = body.filter(|(_, body)| !body.is_empty());
                self.answer_relayed(turn, &relayed, status, body);
            }
        }
    }

    /// 2xx to a carried re-INVITE or UPDATE.
    fn on_relay_agreed(&mut self, turn: &mut Turn<'_>, relayed: Relayed, message: &Message, flow: Flow) {
        let seq = message.cseq().number;
        let is_invite = relayed.method == Method::Invite;
        if let To::Leg(id) = relayed.to {
            let asked =
                self.policy.session_expires.map_or(0, |interval| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX));
            let session = Session::by_response(message, asked, &self.policy);
            if let Some(leg) = self.leg_mut(id) {
                leg.session = session;
            }
            self.arm_session(turn, id);
        }
        let Some((side, word)) = self.side_of(&relayed.to, flow) else {
            return self.on_relay_refused(turn, &relayed, 500);
        };
        let ours = self.leg(relayed.from).and_then(|leg| self.ours(leg.side, leg.dialog.flow));
        let (Some(ours), Some(exchange)) = (ours, self.shown_exchange_mut()) else {
            return self.on_relay_refused(turn, &relayed, 500);
        };
        if !relayed.offered {
            // It was asked for an offer (RFC 3261 §14.1): the answer will come in the ACK.
            let offer =
                exchange.offer(side, message.body(), word).is_ok().then(|| exchange.write_offer(&ours)).flatten();
            let (Some(offer), To::Leg(other)) = (offer, relayed.to.clone()) else {
                exchange.refuse();
                if let To::Leg(other) = relayed.to {
                    self.acknowledge(turn, other, seq, None);
                }
                return self.on_relay_refused(turn, &relayed, 488);
            };
            return self.accept_reinvite(turn, &relayed, Some(offer), Some((other, seq)));
        }
        let agreed = is_sdp(message) && exchange.answer(side, message.body(), word).is_ok();
        let body = if agreed { exchange.write_answer(&ours) } else { None };
        if is_invite && let To::Leg(other) = relayed.to {
            self.acknowledge(turn, other, seq, None);
        }
        let Some(body) = body else {
            return self.on_relay_refused(turn, &relayed, 488);
        };
        match relayed.request.method() {
            Some(Method::Invite) => self.accept_reinvite(turn, &relayed, Some(body), None),
            _ => {
                let (session, headers) = Session::by_request(&relayed.request, &self.policy);
                let Some(leg) = self.leg_mut(relayed.from) else { return };
                let mut builder = leg.answer(&relayed.request, &relayed.flow, 200);
                if relayed.request.method() == Some(&Method::Update) {
                    leg.session = session;
                    for (name, value) in headers {
                        builder = builder.header(name, value);
                    }
                }
                turn.respond(relayed.key, 200, builder.body(SDP, body).build());
                self.arm_session(turn, relayed.from);
            }
        }
        self.plan_media(turn);
    }

    /// 200 to a re-INVITE.
    pub(crate) fn accept_reinvite(
        &mut self,
        turn: &mut Turn<'_>,
        relayed: &Relayed,
        body: Option<Bytes>,
        delayed: Option<(LegId, u32)>,
    ) {
        let (session, headers) = Session::by_request(&relayed.request, &self.policy);
        let Some(leg) = self.leg_mut(relayed.from) else { return };
        leg.asking = None;
        leg.session = session;
        leg.unacked = Some(Unacked { seq: relayed.request.cseq().number, answer_for: delayed });
        let mut builder = leg.answer(&relayed.request, &relayed.flow, 200);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = body {
            builder = builder.body(SDP, body);
        }
        turn.respond(relayed.key, 200, builder.build());
        self.arm_session(turn, relayed.from);
    }

    /// The other party said no: the session stays as it was (RFC 3261 §14.1).
    pub(crate) fn on_relay_refused(&mut self, turn: &mut Turn<'_>, relayed: &Relayed, status: u16) {
        self.refuse_relayed(turn, relayed, status);
        if let (To::Leg(id), 408 | 481) = (&relayed.to, status) {
            // RFC 5057 §5.1: that dialog is gone.
            let id = *id;
            self.leave(id);
            let side = if id == LegId(0) { HangupSide::Caller } else { HangupSide::Callee };
            let reply = Reply::plain(480);
            self.finish(turn, Ending { cause: Cause::Unreachable, side, refusal: None, reply });
        }
    }

    /// The final refusal to who asked; its offer is forgotten.
    pub(crate) fn refuse_relayed(&mut self, turn: &mut Turn<'_>, relayed: &Relayed, status: u16) {
        if relayed.offered
            && let Some(exchange) = self.shown_exchange_mut()
            && exchange.pending().is_some()
        {
            exchange.refuse();
        }
        let status = match status {
            401 | 407 | 300..=399 => 500,
            408 | 481 => 480,
            other => other,
        };
        self.answer_relayed(turn, relayed, status, None);
    }

    fn answer_relayed(&mut self, turn: &mut Turn<'_>, relayed: &Relayed, status: u16, body: Option<(String, Bytes)>) {
        let retry = (status == 500).then(|| self.tokens.below(11).to_string());
        if let Some(leg) = self.leg_mut(relayed.from) {
            if leg.asking.as_ref().is_some_and(|asking| asking.key == relayed.key) {
                leg.asking = None;
            }
            let mut builder = leg.answer(&relayed.request, &relayed.flow, status);
            if let Some(seconds) = retry {
                builder = builder.header(Name::RetryAfter, seconds);
            }
            if let Some((kind, body)) = body {
                builder = builder.body(&kind, body);
            }
            turn.respond(relayed.key, status, builder.build());
        }
    }

    /// No answer from the other party.
    pub(crate) fn on_relay_silent(&mut self, turn: &mut Turn<'_>, relayed: Relayed, status: u16) {
        if let To::Leg(id) = relayed.to {
            self.clear_inviting(id);
        }
        if !relayed.abandoned {
            self.on_relay_refused(turn, &relayed, status);
        }
    }

    fn clear_inviting(&mut self, id: LegId) {
        if let Some(leg) = self.leg_mut(id) {
            leg.inviting = None;
        }
    }

    fn flow_to(&self, to: &To) -> Option<Flow> {
        match to {
            To::Leg(id) => self.leg(*id).map(|leg| leg.dialog.flow),
            To::Early(client, tag) => {
                let branch = self.hunt.as_ref()?.branch(*client)?;
                branch.early.iter().find(|early| early.dialog.remote_tag == *tag).map(|early| early.dialog.flow)
            }
        }
    }

    fn side_of(&self, to: &To, flow: Flow) -> Option<(tollgate_media::Leg, tollgate_media::sdp::exchange::Peer)> {
        match to {
            To::Leg(id) => self.leg(*id).map(|leg| (leg.side, leg.peer())),
            To::Early(client, _) => {
                let branch = self.hunt.as_ref()?.branch(*client)?;
                Some((self.callee_side(), peer(&branch.candidate.target.party(), flow)))
            }
        }
    }

    fn ladder_of(&self, to: &To) -> &'static str {
        match to {
            To::Leg(id) => super::request::ladder_name(*id),
            To::Early(..) => "b",
        }
    }

    /// A branch became leg `id`, or (`None`) came to nothing: requests that were carried to it go with it, or are refused.
    pub(crate) fn early_requests_of(&mut self, turn: &mut Turn<'_>, branch: Client, id: Option<LegId>) {
        let mut refused = Vec::new();
        for (_, errand) in &mut self.errands {
            let Errand::Relayed(relayed) = errand else { continue };
            if !matches!(&relayed.to, To::Early(client, _) if *client == branch) || relayed.abandoned {
                continue;
            }
            match id {
                Some(id) => relayed.to = To::Leg(id),
                None => {
                    relayed.abandoned = true;
                    refused.push((**relayed).clone());
                }
            }
        }
        for relayed in refused {
            self.answer_relayed(turn, &relayed, 480, None);
        }
    }

    /// Keeps a re-INVITE as the leg's open one.
    pub(crate) fn keep_asking(&mut self, id: LegId, relayed: &Relayed) {
        if let Some(leg) = self.leg_mut(id) {
            leg.asking = Some(Asking { key: relayed.key, message: relayed.request.clone(), flow: relayed.flow });
        }
    }
}

fn finish(builder: RequestBuilder, body: Option<(String, Bytes)>) -> Bytes {
    match body {
        Some((kind, body)) => builder.body(&kind, body).build(),
        None => builder.build(),
    }
}
