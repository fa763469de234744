//! Where money is written: one transaction reads the rows that asks need, lets [`tollgate_billing::apply`] decide, writes what
//! changed, and commits. Only then are the outcomes handed out.
//!
//! [`sqlite::Book`] belongs to the Ledger's own thread and waits for nobody but the disk; [`postgres::Book`] locks the rows
//! it reads, in one order on every node. An error means that nothing of the batch was written, or that its end is unknown;
//! either way the same asks may be brought again, because a replay changes nothing.

mod plan;
pub mod postgres;
pub(crate) mod rows;
pub(crate) mod sources;
pub mod sqlite;
#[cfg(test)]
mod tests;

use tollgate_billing::policy::Rules;
use tollgate_billing::{Ask, Outcome};
use tollgate_types::Wall;

use crate::error::Result;
use crate::open::{Engine, Store};

/// The mark that a probe writes: reading alone would not tell a full disk from an empty one.
const PROBE: &str = "ledger_probe";

/// A book on whichever engine the store has, for those who write money rarely: commands without a server, recovery, tests.
/// The Ledger uses the two kinds directly.
pub enum Book {
    /// Blocks the thread that calls it for the time of a commit.
    Sqlite(Box<sqlite::Book>),
    /// Waits as a future.
    Postgres(Box<postgres::Book>),
}

impl Book {
    /// Opens the store's book.
    pub async fn open(store: &Store) -> Result<Book> {
        match store.engine() {
            Engine::Sqlite => Ok(Book::Sqlite(Box::new(sqlite::Book::open(store)?))),
            Engine::Postgres => Ok(Book::Postgres(Box::new(postgres::Book::open(store).await?))),
        }
    }

    /// Decides `asks` in their order; the n-th outcome answers the n-th ask.
    pub async fn commit(&mut self, rules: &Rules, asks: &[Ask], now: Wall) -> Result<Vec<Outcome>> {
        match self {
            Book::Sqlite(book) => book.commit(rules, asks, now),
            Book::Postgres(book) => book.commit(rules, asks, now).await,
        }
    }
}
