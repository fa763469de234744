//! What a call wants done. The shell does it in order and brings back answers as [`Event`](crate::Event)s.

use bytes::Bytes;
use tollgate_billing::ledger::Ask;
use tollgate_media::{Families, Plan};
use tollgate_sip::transaction::ServerKey;
use tollgate_types::{CallId, Flow, Mono};

use crate::admission::PlanAsk;
use crate::event::{Client, Query};
use crate::handover::{DialogName, Handover};
use crate::party::Target;

/// One thing to do. Nothing here waits: what has an answer names itself and is answered by an event.
#[derive(Debug)]
pub enum Action {
    /// Judge an attempt with [`admission::judge`](crate::admission::judge) over today's snapshots; answer with `Planned`.
    Plan {
        /// Comes back in the answer.
        query: Query,
        /// What is asked.
        ask: Box<PlanAsk>,
    },
    /// Find where a target can be reached; answer with `Located`.
    Locate {
        /// Comes back in the answer.
        query: Query,
        /// Whose devices or addresses.
        target: Target,
    },
    /// Carry an ask to the payer's account and the ledger; answer with `Ledger`. A settle is kept and repeated by the
    /// shell until it is durable; everything else is given up at the ask's `give_up_at`.
    Ask(Box<Ask>),
    /// Send a request in a client transaction; `bytes` lack the top Via, which the layer adds.
    Request {
        /// Comes back with each response.
        client: Client,
        /// Where to.
        flow: Flow,
        /// The request.
        bytes: Bytes,
        /// It serves a dialog that exists, for which the layer keeps room.
        in_dialog: bool,
    },
    /// Cancel an INVITE of ours (RFC 3261 §9.1: the layer waits for a provisional response first).
    Cancel {
        /// The INVITE.
        client: Client,
        /// The value of its Reason header (RFC 3326).
        reason: Option<&'static str>,
    },
    /// Send the ACK to a 2xx, outside any transaction; `bytes` lack the top Via.
    SendAck {
        /// Where to.
        flow: Flow,
        /// The ACK.
        bytes: Bytes,
    },
    /// Answer a request. Finals come exactly once a transaction; a 2xx to INVITE is repeated by the call until its ACK.
    Respond {
        /// The server transaction.
        key: ServerKey,
        /// The status in `bytes`.
        status: u16,
        /// The response.
        bytes: Bytes,
    },
    /// Something for the media relay.
    Media(MediaOrder),
    /// From now on requests with this Call-ID belong to this call (until `Done`).
    Listen {
        /// As on the wire.
        call_id: Box<str>,
    },
    /// Find the call that holds this dialog and send it `Surrender`; answer with `Found`.
    Find {
        /// Comes back in the answer.
        query: Query,
        /// The dialog as the transferor names it.
        dialog: DialogName,
    },
    /// Give this to the call that asked with `Surrender`, as its `Found`.
    HandOver {
        /// Who asked.
        to: CallId,
        /// Its question.
        query: Query,
        /// The leg with its money; `None` when there is nothing to give.
        handover: Option<Box<Handover>>,
    },
    /// Something worth a counter, a log line or an alert.
    Note(Note),
    /// The call is over and everything above is said. Exactly once, the last action ever.
    Done,
}

/// Orders to the media relay for this call's streams.
#[derive(Debug)]
pub enum MediaOrder {
    /// Have ports for so many media lines on both sides; answer with `MediaReady`. Asked again when a later offer has
    /// more lines: the ports already given stay.
    Allocate {
        /// Media lines in all.
        lines: u8,
        /// What the calling and the called side need.
        families: [Families; 2],
    },
    /// What offer and answer agreed on; replaces what was said before.
    Update {
        /// Line by line.
        plan: Box<Plan>,
    },
    /// Forward nothing after this time; only ever later than before, unless it is now.
    OpenUntil {
        /// The end of what is paid.
        at: Mono,
    },
    /// Which directions are open.
    Gate {
        /// From the calling side to the called one.
        a_to_b: bool,
        /// From the called side to the calling one.
        b_to_a: bool,
    },
    /// Close all ports; answer with `MediaClosed`.
    Close,
}

/// News for logs, counters and the alerter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The caller is being rung back.
    Ringing,
    /// The call was answered.
    Answered,
    /// A carrier answered so that the next one is tried.
    CarrierFailed {
        /// Which.
        trunk: tollgate_types::TrunkId,
        /// With what status; 408 for silence, 503 for an unreachable address.
        status: u16,
        /// How long it is left alone.
        rest: Option<tollgate_routing::failover::Rest>,
    },
    /// A peer demanded our digest for a realm that is not its trunk's; it was not answered.
    RealmRefused {
        /// Which.
        trunk: tollgate_types::TrunkId,
        /// The realm it named.
        realm: String,
    },
    /// A request inside a dialog came from elsewhere than the dialog's peer and was refused.
    Stranger {
        /// Its method.
        method: String,
        /// Its source.
        from: std::net::SocketAddr,
    },
    /// A second device answered, or one answered after it was cancelled; it was acknowledged and hung up.
    LateAnswer,
    /// The ledger did not answer an extension in time.
    LedgerLate,
}
