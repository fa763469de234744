//! A party hangs up.

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::Message;
use tollgate_types::Flow;

use crate::call::{Call, Ending, Turn};
use crate::leg::{LegId, State};
use crate::refusal::{Reply, q850_in};

impl Call {
    pub(crate) fn on_bye(&mut self, turn: &mut Turn<'_>, id: LegId, key: ServerKey, message: &Message, flow: Flow) {
        self.simply(turn, id, key, message, flow, 200);
        let was = self.leg(id).map(|leg| leg.state);
        if self.ending.is_some() || was == Some(State::Gone) {
            // Both hung up at once.
            self.leave(id);
            return;
        }
        self.abandon_requests(turn, id);
        if was != Some(State::Early) {
            self.leave(id);
        }
        if self.on_transfer_party_left(turn, id) {
            return;
        }
        let (cause, status) = if was == Some(State::Early) { (Cause::Cancelled, 487) } else { (Cause::Normal, 200) };
        let side = if id == LegId(0) { HangupSide::Caller } else { HangupSide::Callee };
        let reply = Reply { q850: q850_in(message).or(Some(16)), ..Reply::plain(status) };
        self.finish(turn, Ending { cause, side, refusal: None, reply });
    }
}
