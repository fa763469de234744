//! What can happen to a call, told to it one at a time.

use tollgate_billing::cdr::{Cause, LegMedia};
use tollgate_billing::ledger::{AskKey, Outcome};
use tollgate_media::{Leg as Side, Ports};
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::Message;
use tollgate_types::{CallId, Flow, Mono};

use crate::admission::Admission;
use crate::handover::Handover;
use crate::party::Place;

/// Names one request we sent, within one call. The shell gives it to the transaction layer as part of the owner and
/// brings it back with every response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Client(pub u32);

/// Names one question we asked (a plan, places, a dialog), within one call; the answer carries it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Query(pub u32);

/// One thing that happened. Late and repeated ones are harmless: what no longer fits is ignored.
#[derive(Debug)]
pub enum Event {
    /// The answer to [`Action::Plan`](crate::Action::Plan).
    Planned {
        /// Which question.
        query: Query,
        /// Admitted with a plan, or refused; with the trace either way.
        admission: Box<Admission>,
    },
    /// The answer to [`Action::Locate`](crate::Action::Locate): where the target can be reached now; empty if nowhere.
    Located {
        /// Which question.
        query: Query,
        /// All devices of a user, or the addresses of a trunk in order of trial (RFC 3263).
        places: Vec<Place>,
    },
    /// The answer to [`Action::Ask`](crate::Action::Ask). A ledger that cannot be reached answers with a refusal by
    /// [`Rule::LedgerUnavailable`](tollgate_types::Rule::LedgerUnavailable); one that never answers is given up by the call's own timer.
    Ledger {
        /// Which ask.
        key: AskKey,
        /// What was committed.
        outcome: Outcome,
    },
    /// A response to one of our requests, provisional or final, retransmitted 2xx to INVITE included.
    Response {
        /// Which request.
        client: Client,
        /// The response.
        message: Message,
        /// Whence it came.
        flow: Flow,
    },
    /// A 2xx to an INVITE of ours whose transaction is over: late, or from a fork.
    StrayAnswer {
        /// The 2xx.
        message: Message,
        /// Whence it came.
        flow: Flow,
    },
    /// No final response in time (counts as 408, RFC 3261 §8.1.3.1).
    TimedOut {
        /// Which request.
        client: Client,
    },
    /// The transport failed (counts as 503).
    Unreachable {
        /// Which request.
        client: Client,
    },
    /// A request inside one of our dialogs, or one that names our Call-ID.
    Request {
        /// The server transaction to answer.
        key: ServerKey,
        /// The request.
        message: Message,
        /// Whence it came.
        flow: Flow,
    },
    /// The caller cancelled the INVITE of this server transaction (the CANCEL itself is answered by the layer).
    Cancelled {
        /// The INVITE's transaction.
        key: ServerKey,
        /// The CANCEL.
        message: Message,
    },
    /// The ACK to one of our 2xx.
    Ack {
        /// The ACK.
        message: Message,
        /// Whence it came.
        flow: Flow,
    },
    /// No ACK came for our 2xx in 64 × T1.
    AckMissing {
        /// The INVITE's transaction.
        key: ServerKey,
    },
    /// The answer to [`MediaOrder::Allocate`](crate::MediaOrder::Allocate); `None` when there are no ports left.
    MediaReady {
        /// The ports.
        ports: Option<Box<Ports>>,
    },
    /// The relay heard nothing from this side for longer than it may be silent.
    MediaSilent {
        /// Whose microphone.
        side: Side,
        /// It was silent while a side was on hold.
        on_hold: bool,
        /// For at least so long, which is what the settings allow a talk, or a hold.
        patience: std::time::Duration,
    },
    /// Nothing has been heard from either side since then, though both were to be heard; `None` when one is heard again.
    MediaQuiet {
        /// The last packet.
        since: Option<Mono>,
    },
    /// The answer to [`MediaOrder::Close`](crate::MediaOrder::Close).
    MediaClosed {
        /// What was measured on side A and side B.
        stats: Box<[LegMedia; 2]>,
    },
    /// The answer to [`Action::Find`](crate::Action::Find): the other call's leg, given up to this one; `None` if there is no such dialog here.
    Found {
        /// Which question.
        query: Query,
        /// The leg with its money.
        handover: Option<Box<Handover>>,
    },
    /// Another call of ours takes over the party opposite to the dialog named (attended transfer).
    /// Answered by [`Action::HandOver`](crate::Action::HandOver).
    Surrender {
        /// Who asks.
        to: CallId,
        /// Its question.
        query: Query,
        /// The dialog that the transferor has with us in this call.
        dialog: crate::handover::DialogName,
    },
    /// Money or limits of a payer changed: what was refused may be asked again.
    Funds,
    /// An operator, a disabled account, or the platform's end asks for the end of the call.
    HangUp {
        /// Why, as the CDR will say it.
        cause: Cause,
    },
}
