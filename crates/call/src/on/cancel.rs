//! The caller gives up before the answer.

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::Message;

use crate::call::{Call, Ending, Turn};
use crate::refusal::{Reply, q850_in};

impl Call {
    /// CANCEL for the INVITE `key`. The layer has answered the CANCEL itself.
    pub(crate) fn on_cancel(&mut self, turn: &mut Turn<'_>, key: ServerKey, message: &Message) {
        let Some(id) =
            self.legs.iter().find(|leg| leg.asking.as_ref().is_some_and(|asking| asking.key == key)).map(|leg| leg.id)
        else {
            // Its final answer is on the way already: the caller will acknowledge it, and hang up (RFC 3261 §9.2).
            return;
        };
        self.climb(turn, super::request::ladder_name(id), true, "CANCEL".to_owned());
        let is_first = self.leg(id).is_some_and(|leg| leg.state == crate::leg::State::Early);
        if !is_first {
            return self.on_reinvite_cancelled(turn, id);
        }
        let reply = Reply { q850: q850_in(message).or(Some(16)), ..Reply::plain(487) };
        self.finish(turn, Ending { cause: Cause::Cancelled, side: HangupSide::Caller, refusal: None, reply });
    }
}
