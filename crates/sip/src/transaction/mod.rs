//! Transactions: RFC 3261 §17 with RFC 6026, one [`Layer`] a shard.
//!
//! A layer is pure. Messages and the owners' wishes go in by `handle_*`, [`Layer::request`], [`Layer::respond`] and
//! [`Layer::cancel`]; what is to be done comes out as [`Action`]s in order; time is an argument. What each state does is
//! in one file a figure (`invite_client`, `client`, `invite_server`, `server`); this folder's other files find the
//! transaction, carry out what its state asked for, and write the few messages that are the layer's own (100, ACK of a
//! failure, CANCEL, 200 and 481 to a CANCEL, 482).
//!
//! Nothing here grows without bound: both tables are capped, and every state has a timer that ends it.

mod carry;
mod client;
mod compose;
mod inbound;
mod invite_client;
mod invite_server;
mod matching;
mod outbound;
mod server;
#[cfg(test)]
mod simulation;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod timers;

use bytes::Bytes;
use serde::Serialize;
use tollgate_types::{Flow, Mono, Seed};

pub use compose::{SentBy, reply_anew, with_via};
pub use stats::Stats;
pub use timers::Timers;

use crate::token::{StatelessTags, Tokens};
use crate::wheel::Wheel;
use crate::wire::Message;
use table::{Clients, Servers};

/// Names one of our client transactions; useless and harmless once it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClientKey(u64);

/// Names one of our server transactions; useless and harmless once it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServerKey(u64);

impl ClientKey {
    /// A key by its number: for who tests what is above the layer. A layer knows only keys that it gave out.
    pub const fn from_bits(bits: u64) -> ClientKey {
        ClientKey(bits)
    }
}

impl ServerKey {
    /// A key by its number: for who tests what is above the layer. A layer knows only keys that it gave out.
    pub const fn from_bits(bits: u64) -> ServerKey {
        ServerKey(bits)
    }
}

/// What the shard is to do, in order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Put these bytes on this flow.
    Send {
        /// Where to.
        flow: Flow,
        /// A whole message.
        bytes: Bytes,
    },
    /// A new request. It wants [`Layer::respond`], [`Layer::respond_stateless`] or [`Layer::forget`].
    Request {
        /// Answer with this.
        key: ServerKey,
        /// What was asked.
        message: Message,
        /// How it came.
        flow: Flow,
    },
    /// The INVITE `key` was cancelled by its sender, who has got 200 for that; the INVITE itself wants a 487 now.
    Cancelled {
        /// The INVITE.
        key: ServerKey,
        /// Whoever claimed it.
        owner: Option<u64>,
        /// The CANCEL: it may carry a Reason (RFC 3326).
        message: Message,
    },
    /// The ACK of a 2xx; or one that belongs to nothing, when `server` is empty.
    Ack {
        /// The INVITE that it acknowledges, and whoever claimed that.
        server: Option<(ServerKey, Option<u64>)>,
        /// The ACK: it may carry the answer to a delayed offer.
        message: Message,
        /// How it came.
        flow: Flow,
    },
    /// 64 × T1 after the owner's 2xx there was no ACK: the dialog must be ended with BYE (RFC 3261 §13.3.1.4).
    AckMissing {
        /// The INVITE.
        key: ServerKey,
        /// Whoever claimed it.
        owner: Option<u64>,
    },
    /// A response to a request of ours. The owner sees provisional ones, one final, and for INVITE every 2xx that comes:
    /// repeated (acknowledge it again) or from another branch of a fork (acknowledge it, then BYE).
    Response {
        /// Who asked.
        owner: u64,
        /// What was asked.
        client: ClientKey,
        /// The answer.
        message: Message,
        /// How it came.
        flow: Flow,
    },
    /// A 2xx to an INVITE whose transaction is over: late, from a fork, or made up. Who knows the dialog acknowledges it,
    /// and ends what nobody knows.
    StrayResponse {
        /// The 2xx.
        message: Message,
        /// How it came.
        flow: Flow,
    },
    /// No final response came: as if 408 had (RFC 3261 §8.1.3.1).
    TimedOut {
        /// Who asked.
        owner: u64,
        /// What was asked.
        client: ClientKey,
    },
    /// The request could not be sent, or its connection broke before the answer: as if 503 had come.
    Unreachable {
        /// Who asked.
        owner: u64,
        /// What was asked.
        client: ClientKey,
    },
    /// An INVITE's server transaction is over, or another request's that nobody answered: the key means nothing now.
    ServerGone {
        /// The request.
        key: ServerKey,
        /// Whoever claimed it.
        owner: Option<u64>,
    },
    /// A new request for which there is no room: answer 503 with Retry-After and keep nothing, or drop it.
    Overloaded {
        /// What was asked.
        message: Message,
        /// How it came.
        flow: Flow,
    },
}

/// There is no room for another client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{alive} client transactions are alive, the limit is {limit}")]
pub struct Full {
    /// How many there are.
    pub alive: usize,
    /// How many there may be.
    pub limit: usize,
}

/// All transactions of one shard.
pub struct Layer {
    timers: Timers,
    tokens: Tokens,
    tags: StatelessTags,
    clients: Clients,
    servers: Servers,
    wheel: Wheel<Due>,
    totals: stats::Totals,
}

/// What a wheel entry wakes.
#[derive(Clone, Copy, Debug)]
enum Due {
    Client(ClientKey, timers::Timer),
    Server(ServerKey, timers::Timer),
}

impl Layer {
    /// A layer with nothing in it. `seed` is this shard's own: branches come from it, and the hashes of its maps.
    pub fn new(timers: Timers, seed: Seed) -> Layer {
        Layer {
            timers,
            tokens: Tokens::new(seed.child(1), 0),
            tags: StatelessTags::new(seed.child(2)),
            clients: Clients::new(seed.child(3)),
            servers: Servers::new(seed.child(4)),
            wheel: Wheel::new(),
            totals: stats::Totals::default(),
        }
    }

    /// Other spans for whatever is set from now on; timers that run keep theirs.
    pub fn tune(&mut self, timers: Timers) {
        self.timers = timers;
    }

    /// When [`Layer::handle_timeout`] wants to be called; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.wheel.next_deadline()
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Mono, out: &mut Vec<Action>) {
        while let Some(due) = self.wheel.pop(now) {
            match due {
                Due::Client(key, timer) => self.client_fired(key, timer, now, out),
                Due::Server(key, timer) => self.server_fired(key, timer, now, out),
            }
        }
    }

    /// The To-tag for a stateless answer to `request`: [`Layer::handle_message`] will know the ACK that repeats it.
    pub fn stateless_tag(&self, request: &Message) -> String {
        self.tags.tag(request.call_id(), request.from().tag())
    }

    /// How many transactions there are and what became of the earlier ones.
    pub fn stats(&self) -> Stats {
        self.totals.with(&self.clients, &self.servers, &self.wheel)
    }

    /// Is nothing left: no transaction, no index entry, no timer?
    pub fn is_drained(&self) -> bool {
        self.clients.is_drained() && self.servers.is_drained() && self.wheel.is_empty()
    }
}
