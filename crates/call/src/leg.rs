//! One party's half of a call: its dialog, what it can do, and what is open between it and us.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use tollgate_media::Leg as Side;
use tollgate_media::sdp::exchange::Peer;
use tollgate_media::target;
use tollgate_sip::dialog::Dialog;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name};
use tollgate_types::{Flow, Mono};

use crate::event::Client;
use crate::party::{Login, Party};
use crate::session::Session;

/// Names a leg within its call: 0 is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct LegId(pub u8);

/// A leg.
#[derive(Debug)]
pub(crate) struct Leg {
    pub id: LegId,
    /// Its side of the relay.
    pub side: Side,
    pub party: Party,
    pub dialog: Dialog,
    pub state: State,
    /// We own the Call-ID: it was we who invited it. Decides who waits longer after a glare (RFC 3261 §14.1).
    pub invited: bool,
    /// What we log in with, should it ask inside the dialog.
    pub login: Option<Arc<Login>>,
    pub can: Abilities,
    pub session: Session,
    /// An INVITE of the peer's that has no final answer yet: the first one, or a re-INVITE.
    pub asking: Option<Asking>,
    /// Our 2xx to this INVITE's CSeq has no ACK yet.
    pub unacked: Option<Unacked>,
    /// An INVITE of ours on it has no final answer yet, or its 2xx no ACK.
    pub inviting: Option<Client>,
    /// The ACK we sent last, and for which CSeq: a repeated 2xx gets it again.
    pub acked: Option<(u32, Bytes)>,
    /// A reliable provisional response of ours waits for its PRACK.
    pub reliable: Option<Reliable>,
    /// The session description it was told reliably before the answer.
    pub told: Option<Bytes>,
    /// The RSeq used last.
    pub rseq: u32,
    /// Counts its messages, ten seconds at a time.
    pub pace: Pace,
    /// Its microphone has been silent since.
    pub silent_since: Option<Mono>,
}

/// How far a leg has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum State {
    /// It invited us and waits.
    Early,
    /// Answered.
    Confirmed,
    /// It must be sent a BYE as soon as its ACK is here (RFC 3261 §15).
    Leaving,
    /// It hung up, or was hung up.
    Gone,
}

/// An unanswered INVITE.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub key: ServerKey,
    pub message: Message,
    pub flow: Flow,
}

/// A 2xx of ours on its way.
#[derive(Clone, Debug)]
pub(crate) struct Unacked {
    pub seq: u32,
    /// The other leg waits for the answer in this ACK (delayed offer): its INVITE transaction's CSeq.
    pub answer_for: Option<(LegId, u32)>,
}

/// A reliable provisional response on its way (RFC 3262 §3).
#[derive(Clone, Debug)]
pub(crate) struct Reliable {
    pub key: ServerKey,
    pub rseq: u32,
    pub cseq: u32,
    pub status: u16,
    pub bytes: Bytes,
    /// Its body was an answer or offer.
    pub has_body: bool,
    pub interval: std::time::Duration,
    pub give_up: Mono,
    /// The 2xx waits for the PRACK too, with this body (RFC 3262 §3).
    pub then: Option<Option<Bytes>>,
    /// Later ones wait their turn.
    pub waiting: SmallVec<[(u16, Option<Bytes>); 1]>,
}

/// Messages in the current ten seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub since: Mono,
    pub count: u32,
}

/// What the peer's Allow and Supported say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Abilities {
    /// Takes UPDATE.
    pub update: bool,
    /// Takes INFO.
    pub info: bool,
    /// Takes MESSAGE.
    pub message: bool,
    /// Takes OPTIONS, or said nothing to the contrary.
    pub options: bool,
    /// Understands reliable provisional responses.
    pub rel100: bool,
    /// Demands them.
    pub rel100_required: bool,
    /// Understands session timers.
    pub timer: bool,
}

impl Abilities {
    /// As a message tells them. Without Allow everything but UPDATE is taken for granted.
    pub fn of(message: &Message) -> Abilities {
        let silent = !message.has(Name::Allow);
        let allows = |method: Method| silent || message.lists(Name::Allow, method.as_str());
        Abilities {
            update: !silent && message.lists(Name::Allow, "UPDATE"),
            info: allows(Method::Info),
            message: allows(Method::Message),
            options: allows(Method::Options),
            rel100: message.lists(Name::Supported, "100rel") || message.lists(Name::Require, "100rel"),
            rel100_required: message.lists(Name::Require, "100rel"),
            timer: message.lists(Name::Supported, "timer") || message.lists(Name::Require, "timer"),
        }
    }

    /// Learns from a later message of the same peer; one without Allow tells nothing new.
    pub fn learn(&mut self, message: &Message) {
        if message.has(Name::Allow) {
            let rel100_required = self.rel100_required;
            *self = Abilities { rel100_required, ..Abilities::of(message) };
        }
    }
}

impl Leg {
    /// Part of the conversation: early or confirmed.
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Early | State::Confirmed)
    }

    /// How far its word about media is trusted.
    pub fn peer(&self) -> Peer {
        peer(&self.party, self.dialog.flow)
    }

    /// Is an INVITE under way on it, either way?
    pub fn is_busy(&self) -> bool {
        self.asking.is_some() || self.inviting.is_some() || self.unacked.is_some()
    }
}

/// How far the word of `party`, heard on `flow`, is trusted about media.
pub(crate) fn peer(party: &Party, flow: Flow) -> Peer {
    let policy = if party.is_trunk() { target::Policy::Carrier } else { target::Policy::Device };
    Peer { signalled_from: flow.peer.ip(), policy }
}
