//! What a hold row keeps of the dialogs, and the BYEs made from it when the process that had them is gone.

use bytes::Bytes;
use tollgate_sip::dialog::Dialog;
use tollgate_sip::header::Reason;
use tollgate_sip::wire::{Method, Name};
use tollgate_types::Flow;

use crate::leg::{Leg, State};

/// Between dialogs; a dialog's own lines are never empty twice in a row.
const PARTING: &str = "\n--\n";
/// Requests that a dialog may have seen since its state was kept: CSeq may leap, but not turn back (RFC 3261 §12.2.1.1).
const LEAP: u32 = 100_000;

/// The dialogs of these legs.
pub(crate) fn write<'a>(legs: impl IntoIterator<Item = &'a Leg>) -> String {
    let dialogs: Vec<String> =
        legs.into_iter().filter(|leg| leg.state != State::Gone).map(|leg| leg.dialog.remember()).collect();
    dialogs.join(PARTING)
}

/// The BYE to every dialog in `dialogs`, without its top Via, and the way it goes. A stream's connection must be opened anew.
pub fn byes(dialogs: &[u8]) -> Vec<(Flow, Bytes)> {
    let Ok(text) = std::str::from_utf8(dialogs) else { return Vec::new() };
    let recalled = text.split(PARTING).filter_map(|text| Dialog::recall(text).ok());
    recalled
        .map(|mut dialog| {
            dialog.local_seq = dialog.local_seq.saturating_add(LEAP);
            let bye = dialog.request(Method::Bye).header(Name::Reason, Reason::write("Q.850", 41, "")).build();
            (dialog.flow, bye)
        })
        .collect()
}

/// The Call-IDs in `dialogs`: responses and late requests with them belong to a call that is gone.
pub fn call_ids(dialogs: &[u8]) -> Vec<Box<str>> {
    let Ok(text) = std::str::from_utf8(dialogs) else { return Vec::new() };
    text.split(PARTING).filter_map(|text| Dialog::recall(text).ok()).map(|dialog| dialog.call_id).collect()
}
