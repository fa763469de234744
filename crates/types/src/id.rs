//! Names for rows and calls, so that a user's number is never taken for an account's.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! row_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

row_id! {
    /// Who registers and logs in.
    UserId;
    /// Who pays.
    AccountId;
    /// A peer carrier or wholesaler, in one direction.
    TrunkId;
    /// A rate deck by name; its versions come and go.
    DeckId;
    /// One row of the routing table.
    RouteId;
    /// A number, or range of numbers, that reaches a user.
    DidId;
}

/// One call of ours: two legs, at least one CDR. Not the SIP Call-ID. Positive and unique over nodes and restarts:
/// 41 bits of milliseconds, 10 of node, 12 of sequence. Printed as 16 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(i64);

impl CallId {
    /// Milliseconds that ids count from: 2024-01-01T00:00:00Z.
    pub const EPOCH_MS: i64 = 1_704_067_200_000;

    /// The id minted as number `sequence` by `node` at `unix_ms`.
    pub fn mint(unix_ms: i64, node: u16, sequence: u16) -> CallId {
        let ms = (unix_ms - CallId::EPOCH_MS).max(0) & ((1 << 41) - 1);
        CallId((ms << 22) | (i64::from(node & 0x3ff) << 12) | i64::from(sequence & 0xfff))
    }

    /// As the database keeps it.
    pub const fn to_i64(self) -> i64 {
        self.0
    }

    /// From the database.
    pub const fn from_i64(raw: i64) -> CallId {
        CallId(raw)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallId {
    type Err = ParseIntError;
    fn from_str(text: &str) -> Result<CallId, ParseIntError> {
        i64::from_str_radix(text, 16).map(CallId)
    }
}

impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CallId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_are_positive_ordered_and_read_back() {
        let first = CallId::mint(1_795_341_600_000, 1023, 4095);
        let later = CallId::mint(1_795_341_600_001, 0, 0);
        assert!(first.to_i64() > 0 && first < later);
        assert_eq!(first.to_string().parse::<CallId>().unwrap(), first);
        assert_eq!(first.to_string().len(), 16);
    }
}
