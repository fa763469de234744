//! What an import would change: two sets of rows side by side.

use std::collections::BTreeMap;

use serde::Serialize;
use tollgate_types::{Prefix, Wall};

use super::{Band, DeckRow};
use crate::price::Price;

/// The difference between two versions of a deck.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Rows only the new one has.
    pub added: usize,
    /// Rows only the old one has.
    pub removed: usize,
    /// Rows whose minute costs more.
    pub dearer: usize,
    /// Rows whose minute costs less.
    pub cheaper: usize,
    /// Rows that differ in fee, increments, grace, block or name only.
    pub otherwise: usize,
    /// Rows that are the same.
    pub unchanged: usize,
    /// The rows that differ, by prefix, band and date.
    pub changes: Vec<Change>,
}

/// One row that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Whose price.
    pub prefix: Prefix,
    /// In which band.
    pub band: Band,
    /// From when on.
    pub effective_from: Option<Wall>,
    /// Before; `None` = the row is new.
    pub old: Option<Terms>,
    /// After; `None` = the row is gone.
    pub new: Option<Terms>,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// What people call it.
    pub destination: String,
    /// What it costs.
    pub price: Price,
    /// Nobody may call there.
    pub blocked: bool,
}

/// Compares `old` with `new`.
pub fn diff(old: &[DeckRow], new: &[DeckRow]) -> Diff {
    let mut pairs: BTreeMap<_, (Option<&DeckRow>, Option<&DeckRow>)> = BTreeMap::new();
    for row in old {
        pairs.entry((row.prefix, &row.band, row.effective_from)).or_default().0 = Some(row);
    }
    for row in new {
        pairs.entry((row.prefix, &row.band, row.effective_from)).or_default().1 = Some(row);
    }
    let mut diff = Diff::default();
    for ((prefix, band, effective_from), (old, new)) in pairs {
        match (old, new) {
            (None, Some(_)) => diff.added += 1,
            (Some(_), None) => diff.removed += 1,
            (Some(old), Some(new)) if old.price.rate < new.price.rate => diff.dearer += 1,
            (Some(old), Some(new)) if old.price.rate > new.price.rate => diff.cheaper += 1,
            (Some(old), Some(new)) if old != new => diff.otherwise += 1,
            _ => {
                diff.unchanged += 1;
                continue;
            }
        }
        let terms =
            |row: &DeckRow| Terms { destination: row.destination.clone(), price: row.price, blocked: row.blocked };
        let (old, new) = (old.map(terms), new.map(terms));
        diff.changes.push(Change { prefix, band: band.clone(), effective_from, old, new });
    }
    diff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_new_gone_dearer_cheaper_or_the_same() {
        let row = |prefix: &str, rate: &str, grace| DeckRow {
            prefix: prefix.parse().unwrap(),
            destination: String::new(),
            price: Price { grace, ..Price::per_minute(rate.parse().unwrap()) },
            band: Band::All,
            effective_from: None,
            blocked: false,
        };
        let old = [row("1", "1", 0), row("2", "1", 0), row("3", "1", 0), row("4", "1", 0), row("5", "1", 0)];
        let new = [row("1", "1", 0), row("2", "2", 0), row("3", "0.5", 0), row("4", "1", 3), row("6", "1", 0)];
        let diff = diff(&old, &new);
        assert_eq!(
            (diff.added, diff.removed, diff.dearer, diff.cheaper, diff.otherwise, diff.unchanged),
            (1, 1, 1, 1, 1, 1)
        );
        assert_eq!(diff.changes.len(), 5);
    }
}
