//! One line of the books.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tollgate_types::{AccountId, Money, Wall};

use super::AskKey;

/// An immutable debit or credit, chained by hash to the one before it of the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Whose.
    pub account: AccountId,
    /// Counts this account's entries from 1.
    pub number: u64,
    /// When.
    pub at: Wall,
    /// Negative for a charge.
    pub amount: Money,
    /// The sum of all entries up to this one.
    pub balance: Money,
    /// What sort.
    pub kind: EntryKind,
    /// The ask that made it, unique together with `account`.
    pub key: AskKey,
    /// Why, for people.
    pub note: String,
    /// The hash of entry `number − 1`, or zeros.
    pub previous: Hash,
    /// Over all of the above.
    pub hash: Hash,
}

/// What sort of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The balance an account was opened with.
    Opening,
    /// A call.
    Call,
    /// Money in or out by an admin.
    Credit,
    /// A payment by a payment provider.
    Payment,
    /// Puts an earlier entry right.
    Correction,
}

/// A SHA-256 sum.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl EntryKind {
    /// The id that JSON and the database use.
    pub fn id(self) -> &'static str {
        match self {
            EntryKind::Opening => "opening",
            EntryKind::Call => "call",
            EntryKind::Credit => "credit",
            EntryKind::Payment => "payment",
            EntryKind::Correction => "correction",
        }
    }
}

impl std::str::FromStr for EntryKind {
    type Err = ();
    fn from_str(text: &str) -> Result<EntryKind, ()> {
        use EntryKind::*;
        [Opening, Call, Credit, Payment, Correction].into_iter().find(|kind| kind.id() == text).ok_or(())
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Hash {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Hash, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Hash(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
