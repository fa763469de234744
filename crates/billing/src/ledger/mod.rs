//! The one decision about money. [`apply`] runs inside the database transaction, on the rows that transaction just read:
//!
//! 1. ask the asks for their [`Needs`];
//! 2. read holds, then the accounts that asks and holds name, locked, in the order of their ids, into [`Books`];
//! 3. [`apply`]; 4. write [`Changes`]; 5. commit; 6. only then hand out the [`Outcome`]s.

mod admit;
mod answer;
mod ask;
mod books;
pub mod chain;
mod credit;
mod deferred;
mod entry;
mod explain;
mod extend;
mod outcome;
mod recount;
mod settle;
mod sources;

pub(crate) use admit::disabled;
pub use ask::{Answered, Ask, AskKey, Credit, Extend, Hold, LevelQuote, LineAsk, Recover, Settle, What};
pub use books::{Books, Changes, Needs};
pub use deferred::{Away, Began, Deferred, Fact};
pub use entry::{EntryKind, EntryRow, Hash};
pub use explain::{Explained, explain};
pub use outcome::{Fault, Held, Outcome};
pub use recount::{Drift, recount, recount_spend};

use tollgate_types::{AccountId, Wall};

use crate::account::{AccountRow, Windows};
use crate::credit::Standing;
use crate::policy::Rules;

/// Decides `asks` in their order on `books`; the n-th outcome answers the n-th ask. A refusal holds nothing.
pub fn apply(books: &mut Books, rules: &Rules, asks: &[Ask], now: Wall) -> Vec<Outcome> {
    asks.iter().map(|ask| decide(books, rules, ask, now).unwrap_or_else(Outcome::Impossible)).collect()
}

/// Each arm checks everything it can stumble over before it changes the first row.
fn decide(books: &mut Books, rules: &Rules, ask: &Ask, now: Wall) -> Result<Outcome, Fault> {
    match &ask.what {
        What::Hold(hold) => admit::hold(books, rules, ask, hold, now),
        What::Extend(extend) => extend::extend(books, rules, ask, extend, now),
        What::Answered(answered) => answer::answered(books, rules, ask, answered, now),
        What::Silent(since) => answer::silent(books, ask, *since),
        What::Settle(settle) => settle::settle(books, rules, ask, settle, now),
        What::Recover(recover) => settle::recover(books, rules, ask, recover, now),
        What::Record(cdr) => settle::record(books, ask, cdr),
        What::Repeats(count) => settle::repeats(books, ask, *count),
        What::Credit(credit) => credit::credit(books, rules, ask, credit, now),
        What::AcceptDay { account, day } => credit::accept_day(books, rules, *account, *day, now),
    }
}

/// An account with its windows turned to `now`.
fn open<'a>(books: &'a mut Books, rules: &Rules, id: AccountId, now: Wall) -> Result<&'a mut AccountRow, Fault> {
    let row = books.accounts.get_mut(&id).ok_or(Fault::UnknownAccount)?;
    let windows = row.state.windows.get_or_insert_with(|| Windows::open(&row.terms, now));
    windows.roll(&row.terms, now, rules.policy.dynamic_window);
    Ok(row)
}

/// An opened account as caps look at it.
fn standing<'a>(books: &'a Books, rules: &'a Rules, id: AccountId, now: Wall) -> Result<Standing<'a>, Fault> {
    let row = books.accounts.get(&id).ok_or(Fault::UnknownAccount)?;
    let windows = row.state.windows.as_ref().ok_or(Fault::UnknownAccount)?;
    Ok(Standing { row, windows, rules, now })
}
