//! What a request of ours is for, so that its response finds its way.

use bytes::Bytes;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method};
use tollgate_types::Flow;

use crate::event::Client;
use crate::hunt::Branch;
use crate::leg::LegId;

/// The purpose of one client transaction.
#[derive(Debug)]
pub(crate) enum Errand {
    /// The INVITE of a branch of the hunt.
    Branch,
    /// An INVITE that was cancelled: what answers all the same is acknowledged and hung up.
    Stray(Box<Branch>),
    /// A fork or late answer that was hung up: if it says so again, this ACK goes out again.
    Dismissed { flow: Flow, ack: Bytes },
    /// A request carried from one party to the other.
    Relayed(Box<Relayed>),
    /// A PRACK to a branch: only its failure matters, and not much.
    Prack,
    /// The end of a dialog.
    Bye,
    /// Are you there? Silence on this leg is explained or ends the call.
    Probe(LegId),
    /// Our own UPDATE or re-INVITE that refreshes this leg's session.
    Refresh(LegId),
    /// Our own re-INVITE that tells this leg of its new partner.
    Rewire(LegId),
    /// News of a transfer.
    Notify,
}

/// A request carried across.
#[derive(Clone, Debug)]
pub(crate) struct Relayed {
    /// Who asked.
    pub from: LegId,
    pub key: ServerKey,
    pub request: Message,
    pub flow: Flow,
    pub method: Method,
    pub to: To,
    /// It carried an offer.
    pub offered: bool,
    /// Who asked has its final answer already; what still comes only ends the transaction.
    pub abandoned: bool,
}

/// Who was asked on its behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Leg(LegId),
    /// The dialog of a branch that has not answered yet, by its tag.
    Early(Client, Box<str>),
}

impl Errand {
    /// Must it be over before the call is?
    pub fn is_awaited(&self) -> bool {
        !matches!(self, Errand::Dismissed { .. })
    }
}
