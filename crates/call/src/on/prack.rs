//! PRACK from the caller: our reliable provisional response arrived (RFC 3262).

use tollgate_sip::header::RAck;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Name};
use tollgate_types::Flow;

use crate::call::{Call, Ending, Turn};
use crate::leg::LegId;
use crate::refusal::Reply;
use crate::timers::Timer;
use tollgate_billing::cdr::{Cause, HangupSide};

impl Call {
    pub(crate) fn on_prack(&mut self, turn: &mut Turn<'_>, id: LegId, key: ServerKey, message: Message, flow: Flow) {
        let rack = message.header(Name::RAck).and_then(RAck::parse);
        let open = self.leg_mut(id).and_then(|leg| {
            let fits = leg
                .reliable
                .as_ref()
                .zip(rack)
                .is_some_and(|(open, rack)| open.rseq == rack.rseq && open.cseq == rack.cseq.number);
            if fits { leg.reliable.take() } else { None }
        });
        let Some(open) = open else {
            return self.simply(turn, id, key, &message, flow, 481);
        };
        self.timers.disarm(Timer::Repeat(id));
        // A further offer in PRACK would need another party's answer within this very transaction.
        self.simply(turn, id, key, &message, flow, if message.body().is_empty() { 200 } else { 488 });
        if open.has_body
            && let Some(leg) = self.leg_mut(id)
        {
            leg.told = crate::media::body_of(&open.bytes);
        }
        if let Some(body) = open.then {
            return self.answer_caller(turn, body, None);
        }
        let mut waiting = open.waiting.into_iter();
        if let Some((status, body)) = waiting.next() {
            self.say_reliably(turn, status, body);
            if let Some(next) = self.leg_mut(id).and_then(|leg| leg.reliable.as_mut()) {
                next.waiting = waiting.collect();
            }
        }
    }

    /// Our reliable response has not been acknowledged: again, twice as late each time, and at last the end (RFC 3262 §3).
    pub(crate) fn on_repeat(&mut self, turn: &mut Turn<'_>, id: LegId) {
        let now = turn.now;
        let Some(leg) = self.leg_mut(id) else { return };
        let Some(open) = &mut leg.reliable else { return };
        if now >= open.give_up {
            leg.reliable = None;
            let reply = Reply::plain(504);
            return self
                .finish(turn, Ending { cause: Cause::Unreachable, side: HangupSide::Caller, refusal: None, reply });
        }
        open.interval *= 2;
        let at = now + open.interval;
        turn.respond(open.key, open.status, open.bytes.clone());
        self.timers.arm(Timer::Repeat(id), at);
    }

    /// Our PRACK was answered. A far end that does not know it any more has lost the call; its INVITE will say so.
    pub(crate) fn on_pracked(&mut self, _turn: &mut Turn<'_>, _status: u16) {}
}
