//! What the ledger answers.

use tollgate_types::{Money, Rate, Refusal};

use crate::cdr::Cdr;

/// The answer to one ask, valid once its transaction is committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The call may be tried.
    Held(Held),
    /// It is answered; so long is paid for.
    Answered {
        /// Milliseconds from the answer; `None` when free for ever.
        paid_ms: Option<u64>,
    },
    /// It may go on.
    Extended {
        /// Milliseconds from the answer that are now paid for; `None` when free for ever.
        paid_ms: Option<u64>,
        /// What is held of the payer by now.
        held: Money,
    },
    /// A rule says no; nothing was held.
    Refused(Refusal),
    /// Charged; the record as it was written.
    Settled(Box<Cdr>),
    /// The balance after it.
    Credited {
        /// Holds not taken off.
        balance: Money,
    },
    /// Noted.
    Done,
    /// The database is away; it is written where it survives a crash, and decided when the database is back.
    Deferred,
    /// A replay: what the first one left, read from the rows.
    Repeated(Box<Outcome>),
    /// The leg is settled already, by its own ask or by whoever found it after a crash.
    Closed,
    /// The ask contradicts the books: a fault of ours, nothing changed.
    Impossible(Fault),
}

/// What a hold granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Milliseconds from the answer that are paid for at least; `None` when free for ever.
    pub paid_ms: Option<u64>,
    /// What is held of the payer.
    pub held: Money,
    /// What a minute costs the payer now.
    pub price_per_minute: Rate,
}

/// A contradiction between an ask and the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No such account.
    #[error("the ask names an account that is not there")]
    UnknownAccount,
    /// No such hold, and no record of it either.
    #[error("nothing is held for this call")]
    UnknownHold,
    /// The same account twice in one chain.
    #[error("an account is its own reseller")]
    CyclicChain,
    /// A price in another currency than the account's.
    #[error("the deck is in another currency than the account")]
    WrongCurrency,
    /// Sums beyond 64 bits.
    #[error("the amount is too large for the books")]
    Overflow,
    /// An amount of nothing.
    #[error("an amount of zero is no entry")]
    ZeroAmount,
    /// The same key for something else.
    #[error("the key was used for another kind of ask")]
    KeyReused,
    /// A day without spend.
    #[error("the account has no spend on that day")]
    UnknownDay,
}
