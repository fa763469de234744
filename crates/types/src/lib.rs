//! Money, time, ids, numbers and peers: what every room means by them.
//!
//! Nothing here reads a clock or a socket. Everything is an integer, or parsed once at the edge and right from then on.

pub mod id;
pub mod map;
pub mod money;
pub mod net;
pub mod number;
pub mod peer;
pub mod refusal;
pub mod time;

pub use id::{AccountId, CallId, DeckId, DidId, RouteId, TrunkId, UserId};
pub use map::{Map, Seed, Set};
pub use money::{Currency, Money, ParseMoneyError, Rate};
pub use net::{Net, ParseNetError};
pub use number::{E164, ParseNumberError, Prefix};
pub use peer::{ConnId, Flow, Transport};
pub use refusal::{Refusal, Rule};
pub use time::{Mono, Wall};
