//! A request inside a dialog: whose it is, whether it comes from where it must, and who handles it.

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_sip::dialog::Order;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name, ResponseBuilder};
use tollgate_types::{Flow, Mono};

use crate::action::Note;
use crate::call::{Call, Ending, Turn};
use crate::event::Event;
use crate::leg::{LegId, Pace, State};
use crate::policy::DialogSource;
use crate::refusal::Reply;
use crate::replies;

/// Over so many seconds the pace of messages is measured.
const PACE_SECONDS: u32 = 10;

impl Call {
    pub(crate) fn on_request(&mut self, turn: &mut Turn<'_>, key: ServerKey, message: Message, flow: Flow) {
        let Some(method) = message.method().cloned() else { return };
        let Some(id) = self.leg_of(&message) else {
            return self.on_early_request(turn, key, message, flow);
        };
        self.climb(turn, ladder_name(id), true, method.to_string());
        let Some(leg) = self.leg_mut(id) else { return };
        if !comes_from_peer(leg.dialog.flow, flow, self.policy.dialog_source) {
            turn.note(Note::Stranger { method: method.to_string(), from: flow.peer });
            return self.simply(turn, id, key, &message, flow, 403);
        }
        let Some(leg) = self.leg_mut(id) else { return };
        if leg.dialog.take(&message) == Order::Stale {
            return self.simply(turn, id, key, &message, flow, 500);
        }
        // A device behind an address translator may have got a new port; a broken connection a new one.
        leg.dialog.flow = flow;
        if method == Method::Bye {
            return self.on_bye(turn, id, key, &message, flow);
        }
        if self.ending.is_some() || !self.leg(id).is_some_and(|leg| leg.is_live()) {
            return self.simply(turn, id, key, &message, flow, 481);
        }
        if self.is_hasty(id, turn.now) {
            self.simply(turn, id, key, &message, flow, 503);
            let reply = Reply::plain(503);
            return self.finish(
                turn,
                Ending { cause: Cause::ProtocolAbuse, side: HangupSide::Platform, refusal: None, reply },
            );
        }
        if let Some(fault) = replies::request_fault(&message) {
            let tag = self.leg(id).map(|leg| leg.dialog.local_tag.clone()).unwrap_or_default();
            return turn.respond(key, fault.status, fault.answer(&message, &flow, &tag));
        }
        match method {
            Method::Invite => self.on_reinvite(turn, id, key, message, flow),
            Method::Update => self.on_update(turn, id, key, message, flow),
            Method::Prack => self.on_prack(turn, id, key, message, flow),
            Method::Info | Method::Message => self.on_info(turn, id, key, message, flow),
            Method::Refer => self.on_refer(turn, id, key, &message, flow),
            Method::Options => self.on_options(turn, id, key, &message, flow),
            Method::Subscribe | Method::Publish => self.simply(turn, id, key, &message, flow, 489),
            Method::Notify => self.simply(turn, id, key, &message, flow, 481),
            Method::Other(_) => self.simply(turn, id, key, &message, flow, 501),
            Method::Bye | Method::Ack | Method::Cancel | Method::Register => {
                self.simply(turn, id, key, &message, flow, 405);
            }
        }
    }

    /// A final answer that says nothing but its status.
    pub(crate) fn simply(
        &mut self,
        turn: &mut Turn<'_>,
        id: LegId,
        key: ServerKey,
        message: &Message,
        flow: Flow,
        status: u16,
    ) {
        let Some(leg) = self.leg(id) else { return };
        let mut builder = leg.answer(message, &flow, status);
        if status == 489 {
            builder = builder.header(Name::AllowEvents, "refer");
        }
        if matches!(status, 405 | 501) {
            builder = builder.header(Name::Allow, crate::say::ALLOW);
        }
        if status == 500 {
            // RFC 3261 §14.2: between 0 and 10 seconds.
            builder = builder.header(Name::RetryAfter, self.tokens.below(11).to_string());
        }
        turn.respond(key, status, builder.build());
    }

    /// What still arrives when all is over: requests are answered, so that nobody waits.
    pub(crate) fn on_too_late(&mut self, turn: &mut Turn<'_>, event: Event) {
        if let Event::Request { key, message, flow } = event {
            turn.respond(key, 481, ResponseBuilder::to(&message, &flow, 481, None).build());
        }
    }

    /// Too many messages? Averaged over ten seconds (`call.messages_per_second`).
    fn is_hasty(&mut self, id: LegId, now: Mono) -> bool {
        let Some(limit) = self.policy.messages_per_second else { return false };
        let Some(leg) = self.leg_mut(id) else { return false };
        if now.since(leg.pace.since).as_secs() >= u64::from(PACE_SECONDS) {
            leg.pace = Pace { since: now, count: 0 };
        }
        leg.pace.count = leg.pace.count.saturating_add(1);
        leg.pace.count > limit.saturating_mul(PACE_SECONDS)
    }

    /// A request that fits no leg: of a branch before its answer, or of nobody.
    fn on_early_request(&mut self, turn: &mut Turn<'_>, key: ServerKey, message: Message, flow: Flow) {
        let found = self.hunt.as_mut().and_then(|hunt| {
            hunt.branches.iter_mut().find_map(|branch| {
                let client = branch.client;
                branch.early.iter_mut().find(|early| early.dialog.fits(&message)).map(|early| (client, early))
            })
        });
        let Some((client, early)) = found else {
            return turn.respond(key, 481, ResponseBuilder::to(&message, &flow, 481, None).build());
        };
        if !comes_from_peer(early.dialog.flow, flow, self.policy.dialog_source) {
            turn.note(Note::Stranger { method: message.cseq().method.to_string(), from: flow.peer });
            return turn.respond(key, 403, ResponseBuilder::to(&message, &flow, 403, None).build());
        }
        if early.dialog.take(&message) == Order::Stale {
            return turn.respond(
                key,
                500,
                ResponseBuilder::to(&message, &flow, 500, None).header(Name::RetryAfter, "5").build(),
            );
        }
        let tag = early.dialog.remote_tag.clone();
        match message.method() {
            Some(Method::Update) => self.on_early_update(turn, client, &tag, key, message, flow),
            Some(Method::Options) => turn.respond(key, 200, replies::options(&message, &flow, "")),
            Some(Method::Info) => turn.respond(key, 200, ResponseBuilder::to(&message, &flow, 200, None).build()),
            // A BYE too (RFC 3261 §15): the called side may not hang up before it answers; it is told so, the branch left alone.
            _ => turn.respond(
                key,
                405,
                ResponseBuilder::to(&message, &flow, 405, None).header(Name::Allow, crate::say::ALLOW).build(),
            ),
        }
    }

    /// Marks a leg as gone: it hung up, or its dialog is lost.
    pub(crate) fn leave(&mut self, id: LegId) {
        if let Some(leg) = self.leg_mut(id) {
            leg.state = State::Gone;
        }
    }
}

/// Does a request from `flow` come from the one we talk to on `known`? Tags can be guessed or overheard.
pub(crate) fn comes_from_peer(known: Flow, flow: Flow, policy: DialogSource) -> bool {
    match policy {
        DialogSource::Any => true,
        DialogSource::Address => known.peer.ip() == flow.peer.ip(),
        DialogSource::Flow => known.peer == flow.peer && known.transport == flow.transport,
    }
}

/// A leg as the ladder calls it.
pub(crate) fn ladder_name(id: LegId) -> &'static str {
    match id.0 {
        0 => "a",
        1 => "b",
        2 => "b2",
        3 => "b3",
        _ => "b4",
    }
}
