//! Sums that are carried beside the rows they are made of, counted again: balances from entries, what is held and lines in use from
//! live holds, days and months from records, what addresses used and how long trunks talked from both.
//!
//! They are written in one transaction with those rows and cannot drift; this is for databases that somebody put a hand in.

mod counted;
#[cfg(test)]
mod mix;
mod sums;
#[cfg(test)]
mod tests;

use sea_orm::DatabaseTransaction;
use tollgate_billing::policy::Rules;
use tollgate_types::Wall;

use crate::audit::{self, Change};
use crate::error::Result;
use crate::ledger::snapshot;
use crate::open::{By, Store};
use counted::Counted;

/// A sum that was not what its parts say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Whose: `account NAME`, `user 7`, `address 192.0.2.7`.
    pub of: String,
    /// Which sum.
    pub what: String,
    /// As it was carried.
    pub carried: String,
    /// As it is counted.
    pub counted: String,
    /// Counting cannot tell what is right: the books themselves were touched, and `ledger verify` says where.
    pub beyond_repair: bool,
}

impl Drift {
    fn new(of: impl ToString, what: impl ToString, carried: impl ToString, counted: impl ToString) -> Drift {
        Drift {
            of: of.to_string(),
            what: what.to_string(),
            carried: carried.to_string(),
            counted: counted.to_string(),
            beyond_repair: false,
        }
    }
}

/// Counts everything again and tells what differs; puts it right unless `dry_run`. Reading holds nobody up; calls wait only
/// while something is put right.
pub async fn repair(store: &Store, by: &By, rules: &Rules, dry_run: bool) -> Result<Vec<Drift>> {
    let seen = examine(&snapshot(store).await?, rules, store.now().await?, false).await?;
    if dry_run || seen.iter().all(|drift| drift.beyond_repair) {
        return Ok(seen);
    }
    let writing = store.begin().await?;
    let drifts = examine(&writing, rules, store.now().await?, true).await?;
    let told: Vec<String> = drifts
        .iter()
        .filter(|drift| !drift.beyond_repair)
        .map(|drift| format!("{} {}: {} was {}", drift.of, drift.what, drift.counted, drift.carried))
        .collect();
    if !told.is_empty() {
        let is_now = Some(told.into());
        let change = Change { action: "repair", noun: "limits", subject: "all", was: None, is_now };
        audit::note(&writing, by, change).await?;
        writing.commit().await?;
    }
    Ok(drifts)
}

/// Counts again what addresses used, as a limit on them that was just set or changed wants it.
pub async fn recount_addresses(store: &Store, rules: &Rules) -> Result<()> {
    let writing = store.begin().await?;
    let now = store.now().await?;
    let counted = Counted::read(&writing, rules, now, true).await?;
    sums::addresses(&writing, rules, now, &counted, true).await?;
    writing.commit().await
}

/// In the order in which the books lock, so that nobody waits for each other: holds, accounts, lines, addresses, trunks.
async fn examine(database: &DatabaseTransaction, rules: &Rules, now: Wall, mend: bool) -> Result<Vec<Drift>> {
    let counted = Counted::read(database, rules, now, mend).await?;
    let mut drifts = sums::accounts(database, &counted, mend).await?;
    drifts.extend(sums::days(database, &counted, mend).await?);
    drifts.extend(sums::lines(database, &counted, mend).await?);
    drifts.extend(sums::addresses(database, rules, now, &counted, mend).await?);
    drifts.extend(sums::trunks(database, &counted, mend).await?);
    Ok(drifts)
}
