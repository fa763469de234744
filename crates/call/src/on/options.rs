//! OPTIONS inside a dialog: are you there, and what can you do; asked of us, and by us of a leg that fell silent.

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name};
use tollgate_types::Flow;

use crate::call::{Call, Ending, Turn};
use crate::errand::Errand;
use crate::leg::LegId;
use crate::refusal::Reply;

impl Call {
    pub(crate) fn on_options(&mut self, turn: &mut Turn<'_>, id: LegId, key: ServerKey, message: &Message, flow: Flow) {
        self.simply(turn, id, key, message, flow, 200);
    }

    /// Asks a leg whether it is still there. One question at a time.
    pub(crate) fn probe(&mut self, turn: &mut Turn<'_>, id: LegId) {
        if self.errands.iter().any(|(_, errand)| matches!(errand, Errand::Probe(asked) if *asked == id)) {
            return;
        }
        let client = self.next_client();
        let Some(leg) = self.leg_mut(id) else { return };
        let builder = leg
            .dialog
            .request(Method::Options)
            .header(Name::Contact, &leg.dialog.contact)
            .header(Name::Accept, crate::say::SDP);
        let bytes = builder.build();
        self.send(turn, id, client, Errand::Probe(id), bytes);
    }

    /// Whatever it answers, it is there; unless it does not know the dialog, or does not answer (RFC 5057 §5).
    pub(crate) fn on_probed(&mut self, turn: &mut Turn<'_>, id: LegId, status: u16) {
        if !matches!(status, 408 | 481 | 503) || self.ending.is_some() {
            return;
        }
        self.leave(id);
        let side = if id == LegId(0) { HangupSide::Caller } else { HangupSide::Callee };
        let reply = Reply::plain(408);
        self.finish(turn, Ending { cause: Cause::MediaTimeout, side, refusal: None, reply });
    }
}
