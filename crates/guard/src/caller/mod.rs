//! Callers whose calls go badly are refused for a while: the fail2ban of calls (the guide's `autoban`).
//!
//! A caller is what the gate has proven, a user or a trunk, together with the number shown: nobody can bring calls upon a
//! number that he cannot send from. Each ended call that says something of its caller is counted in a [`Roll`]; a
//! [`Tally`] of enough calls within the period that is bad enough [`Trip`]s. A trunk as a whole is never banned: its trips are
//! told to somebody.

mod roll;
mod settings;
mod tally;

use std::fmt;
use std::net::IpAddr;

use tollgate_types::{TrunkId, UserId, Wall};

pub use roll::Roll;
pub use settings::{ACD, ASR, AUTOBAN, CALLEES, CALLS, DURATION, Mode, PERIOD, Policy, ROWS, SHORT, SHORT_SHARE};
pub use tally::{Finished, Tally, Trip};

/// Who is proven to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proven {
    /// A user.
    User(UserId),
    /// An ingress trunk.
    Trunk(TrunkId),
}

/// Who is counted, and what may be banned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A caller: who is proven, and the number or name shown.
    Caller(Proven, Box<str>),
    /// An address that users call from.
    Address(IpAddr),
    /// A trunk as a whole: counted, never banned.
    Trunk(TrunkId),
}

impl Subject {
    /// May it be banned, or is it only told of?
    pub fn may_be_banned(&self) -> bool {
        !matches!(self, Subject::Trunk(_))
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn from_text(text: &str) -> Option<Subject> {
        let (kind, rest) = text.split_once(' ')?;
        let caller = |proven: fn(i64) -> Proven| {
            let (id, shown) = rest.split_once(' ')?;
            Some(Subject::Caller(proven(id.parse().ok()?), shown.into()))
        };
        match kind {
            "user" => caller(|id| Proven::User(UserId(id))),
            "trunk" => caller(|id| Proven::Trunk(TrunkId(id))),
            "address" => Some(Subject::Address(rest.parse().ok()?)),
            _ => None,
        }
    }
}

/// `user 7 alice`, `trunk 3 36301234567`, `address 192.0.2.1`: one line, as a store keeps it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Caller(Proven::User(user), shown) => write!(f, "user {user} {shown}"),
            Subject::Caller(Proven::Trunk(trunk), shown) => write!(f, "trunk {trunk} {shown}"),
            Subject::Address(address) => write!(f, "address {address}"),
            Subject::Trunk(trunk) => write!(f, "trunk {trunk}"),
        }
    }
}

/// A subject is refused until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerBan {
    /// Which of its figures, such as `ASR 0 % of 30 calls`.
    pub observed: String,
    /// What is usual.
    pub limit: String,
    /// The setting that names the limit.
    pub setting: &'static str,
    /// Since when.
    pub since: Wall,
    /// Until when.
    pub until: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_reads_back() {
        for text in ["user 7 alice", "trunk 3 36301234567", "trunk 3 ", "address 192.0.2.1", "address 2001:db8::1"] {
            assert_eq!(Subject::from_text(text).unwrap().to_string(), text);
        }
        for wrong in ["", "user", "user x y", "trunk 3", "address one"] {
            assert_eq!(Subject::from_text(wrong), None, "{wrong}");
        }
        assert!(!Subject::Trunk(TrunkId(3)).may_be_banned());
    }
}
