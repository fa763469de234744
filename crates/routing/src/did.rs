//! Numbers that reach our users.

use tollgate_types::{DeckId, DidId, E164, UserId};

/// A number, or a range of numbers of one length, that reaches a user or his PBX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Did {
    /// Its row.
    pub id: DidId,
    /// Which numbers.
    pub numbers: DidNumbers,
    /// Whom they reach.
    pub user: UserId,
    /// What the callee pays for being reached; `None` is free.
    pub inbound_deck: Option<DeckId>,
    /// What his device finds in the Request-URI.
    pub uri: DidUri,
    /// A disabled one reaches nobody.
    pub enabled: bool,
}

/// The numbers of a [`Did`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DidNumbers {
    /// One.
    One(E164),
    /// From the first to the last, both included; both have the same length.
    Range(E164, E164),
}

/// What the callee's device finds in the Request-URI of a call to one of his numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DidUri {
    /// The contact it registered, as phones expect.
    #[default]
    User,
    /// The number dialled, as a PBX with many numbers expects.
    Number,
}

impl DidNumbers {
    /// A range, if it is one: equal length, first not above last.
    pub fn range(first: E164, last: E164) -> Option<DidNumbers> {
        (first.digits().len() == last.digits().len() && first.digits() <= last.digits())
            .then_some(DidNumbers::Range(first, last))
    }

    /// First and last.
    pub fn ends(&self) -> (E164, E164) {
        match self {
            DidNumbers::One(number) => (*number, *number),
            DidNumbers::Range(first, last) => (*first, *last),
        }
    }
}
