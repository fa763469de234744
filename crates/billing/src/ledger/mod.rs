//! The one decision about money. [`apply`] runs inside the database transaction, on the rows that transaction just read:
//!
//! 1. ask every [`Ask`] for its [`Needs`];
//! 2. read holds, then the accounts that asks and holds name, locked, in the order of their ids, into [`Books`];
//! 3. [`apply`]; 4. write [`Changes`]; 5. commit; 6. only then hand out the [`Outcome`]s.

mod ask;
mod books;
mod entry;
mod outcome;

pub use ask::{Answered, Ask, AskKey, Credit, Extend, Hold, LevelQuote, LineAsk, Recover, Settle, What};
pub use books::{Books, Changes, Needs};
pub use entry::{EntryKind, EntryRow, Hash};
pub use outcome::{Fault, Held, Outcome};

use tollgate_types::Wall;

use crate::policy::Rules;

/// Decides `asks` in their order on `books`; the n-th outcome answers the n-th ask. A refusal changes nothing but marks.
pub fn apply(books: &mut Books, rules: &Rules, asks: &[Ask], now: Wall) -> Vec<Outcome> {
    let _ = (books, rules, now);
    asks.iter().map(|_| Outcome::Impossible(Fault::Unsupported)).collect()
}
