//! INVITEs between the door and the call: proven, in a transaction, not yet admitted by their keeper.

use std::net::IpAddr;

use tollgate_sip::digest::Algorithm;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::Message;
use tollgate_types::{Flow, Map, Seed, UserId};

use super::Sender;
use crate::pending::PendingCall;

/// Devices whose algorithm is remembered; past it the memory starts anew.
const REMEMBERED_MAX: usize = 200_000;

/// See the module. Bounded by the transactions there may be.
pub struct Waiting {
    /// Proven just now; its transaction is being made in the same breath.
    expected: Option<(Box<str>, Expected)>,
    pending: Map<ServerKey, Pending>,
    algorithms: Map<UserId, (IpAddr, Algorithm)>,
}

/// Who sends an INVITE whose transaction is being made.
pub struct Expected {
    /// Who.
    pub sender: Sender,
    /// He calls for help.
    pub helps: bool,
}

/// One INVITE whose keeper is being asked.
pub struct Pending {
    /// Who sends it.
    pub sender: Sender,
    /// The INVITE.
    pub message: Message,
    /// How it came.
    pub flow: Flow,
    /// The CANCEL that came meanwhile.
    pub cancelled: Option<Message>,
    /// Its place among the calls that wait.
    pub place: PendingCall,
    /// Somebody calls for help.
    pub helps: bool,
}

impl Waiting {
    /// Nobody waits.
    pub fn new(seed: Seed) -> Waiting {
        Waiting { expected: None, pending: seed.map(), algorithms: seed.child(1).map() }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// The layer is about to bring this INVITE in a transaction.
    pub fn expect(&mut self, message: &Message, expected: Expected) {
        self.expected = Some((message.call_id().into(), expected));
    }

    /// Who sends the INVITE that the layer brings.
    pub fn expected(&mut self, message: &Message) -> Option<Expected> {
        let (call_id, expected) = self.expected.take()?;
        (*call_id == *message.call_id()).then_some(expected)
    }

    /// It waits for its keeper's word.
    pub fn put(&mut self, key: ServerKey, pending: Pending) {
        self.pending.insert(key, pending);
    }

    /// It waits no more.
    pub fn take(&mut self, key: ServerKey) -> Option<Pending> {
        self.pending.remove(&key)
    }

    /// Its sender gave up before it began.
    pub fn cancelled(&mut self, key: ServerKey, cancel: Message) {
        if let Some(pending) = self.pending.get_mut(&key) {
            pending.cancelled = Some(cancel);
        }
    }

    /// Its transaction is over.
    pub fn forget(&mut self, key: ServerKey) {
        self.pending.remove(&key);
    }

    /// This device answers by this algorithm.
    pub fn remember(&mut self, user: UserId, source: IpAddr, algorithm: Algorithm) {
        if self.algorithms.len() >= REMEMBERED_MAX {
            self.algorithms.clear();
        }
        self.algorithms.insert(user, (source, algorithm));
    }

    /// What a device at that address answered by last.
    pub fn remembered(&self, user: UserId, source: IpAddr) -> Option<Algorithm> {
        self.algorithms.get(&user).filter(|(known, _)| *known == source).map(|(_, algorithm)| *algorithm)
    }
}
