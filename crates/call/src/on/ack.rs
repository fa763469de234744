//! The ACK to a 2xx of ours: the third step, and the answer to a delayed offer.

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::Message;
use tollgate_types::Flow;

use super::provisional::is_sdp;
use super::request::comes_from_peer;
use crate::call::{Call, Ending, Turn};
use crate::leg::{LegId, State};
use crate::refusal::Reply;

impl Call {
    pub(crate) fn on_ack(&mut self, turn: &mut Turn<'_>, message: &Message, flow: Flow) {
        let Some(id) = self.leg_of(message) else { return };
        let policy = self.policy.dialog_source;
        let Some(leg) = self.leg_mut(id) else { return };
        if !comes_from_peer(leg.dialog.flow, flow, policy) {
            return;
        }
        let seq = message.cseq().number;
        let Some(unacked) = leg.unacked.take_if(|unacked| unacked.seq == seq) else { return };
        self.climb(turn, super::request::ladder_name(id), true, "ACK".to_owned());
        if self.leg(id).is_some_and(|leg| leg.state == State::Leaving) {
            return self.send_bye(turn, id);
        }
        let Some((other, seq)) = unacked.answer_for else { return };
        self.on_delayed_answer(turn, id, other, seq, message);
    }

    /// The ACK brings the answer that the other leg's 2xx asked for; it goes there in our ACK.
    fn on_delayed_answer(&mut self, turn: &mut Turn<'_>, id: LegId, other: LegId, seq: u32, message: &Message) {
        let Some((side, word)) = self.leg(id).map(|leg| (leg.side, leg.peer())) else { return };
        let Some(ours) = self.leg(other).and_then(|leg| self.ours(leg.side, leg.dialog.flow)) else { return };
        let Some(exchange) = self.media.exchange.as_deref_mut() else { return };
        let agreed =
            is_sdp(message) && exchange.answer(side, message.body(), word).is_ok_and(|answered| answered.usable);
        if !agreed {
            exchange.refuse();
            // RFC 3261 §13.2.2.4: an ACK must be sent all the same, and the session ended.
            self.acknowledge(turn, other, seq, None);
            let reply = Reply::plain(488);
            return self.finish(
                turn,
                Ending { cause: Cause::MediaUnsupported, side: HangupSide::Platform, refusal: None, reply },
            );
        }
        let body = exchange.write_answer(&ours);
        self.acknowledge(turn, other, seq, body);
        self.plan_media(turn);
    }

    /// No ACK in 64 × T1: the dialog exists, but nobody is there (RFC 3261 §13.3.1.4).
    pub(crate) fn on_ack_missing(&mut self, turn: &mut Turn<'_>, _key: ServerKey) {
        let Some(id) = self.legs.iter().find(|leg| leg.unacked.is_some()).map(|leg| leg.id) else { return };
        if let Some(leg) = self.leg_mut(id) {
            leg.unacked = None;
        }
        if self.ending.is_some() {
            return self.send_bye(turn, id);
        }
        let side = if id == LegId(0) { HangupSide::Caller } else { HangupSide::Callee };
        let reply = Reply::plain(408);
        self.finish(turn, Ending { cause: Cause::Unreachable, side, refusal: None, reply });
    }
}
