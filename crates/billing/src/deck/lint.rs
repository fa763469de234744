//! What is allowed in a deck but probably not meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use tollgate_types::{E164, Prefix, Rate, Wall};

use super::{Band, DeckRow, DeckVersion, Reach};
use crate::currency::{Exchange, Rounding};

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where.
    pub prefix: Prefix,
    /// What.
    pub kind: Suspicion,
}

/// What may be wrong with a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Suspicion {
    /// Part of the week has no price.
    Hole {
        /// The band that is missing.
        missing: Band,
    },
    /// A row that other rows of the prefix leave no time for.
    Overlap {
        /// The band that never holds.
        never: Band,
    },
    /// Sold for less than it is bought for.
    BelowCost {
        /// A minute's price.
        sell: Rate,
        /// A minute's cost by the dearest carrier, in the deck's currency.
        buy: Rate,
    },
    /// Much dearer than in the version before.
    Increase {
        /// A minute's price before.
        before: Rate,
        /// And now.
        after: Rate,
    },
    /// The version before had it.
    Vanished,
}

/// Bands of `rows` that are missing or never hold.
pub fn bands(rows: &[DeckRow]) -> Vec<Finding> {
    let mut by_prefix: BTreeMap<Prefix, BTreeSet<&Band>> = BTreeMap::new();
    for row in rows {
        by_prefix.entry(row.prefix).or_default().insert(&row.band);
    }
    let mut findings = Vec::new();
    for (prefix, bands) in by_prefix {
        if let Some(missing) = hole(&bands) {
            findings.push(Finding { prefix, kind: Suspicion::Hole { missing } });
        }
        if [Band::All, Band::Peak, Band::Offpeak].iter().all(|band| bands.contains(band)) {
            findings.push(Finding { prefix, kind: Suspicion::Overlap { never: Band::All } });
        }
    }
    findings
}

/// The band without which some of the week has no price. On-net rows stand apart: they are no part of the week.
pub(super) fn hole(bands: &BTreeSet<&Band>) -> Option<Band> {
    if bands.contains(&Band::All) || bands.iter().all(|band| **band == Band::Onnet) {
        return None;
    }
    [Band::Peak, Band::Offpeak].into_iter().find(|band| !bands.contains(band))
}

/// Prefixes of `sell` that cost more at one of the carriers that take them at `at`. `carriers` answers the decks of those that
/// routes lead a number to, each with the exchange from its currency.
pub fn below_cost<'a>(
    sell: &[DeckRow],
    carriers: impl Fn(&E164) -> Vec<(&'a DeckVersion, Exchange)>,
    at: Wall,
) -> Vec<Finding> {
    let in_force = sell.iter().filter(|row| row.band != Band::Onnet && !row.blocked);
    let mut findings = Vec::new();
    for row in in_force.filter(|row| row.effective_from.is_none_or(|from| from <= at)) {
        let Ok(number) = row.prefix.digits().parse::<E164>() else { continue };
        let costs = carriers(&number).into_iter().filter_map(|(deck, exchange)| {
            let price = deck.price_at(&number, at, Reach::Offnet)?;
            Some(exchange.convert_rate(price.rate, Rounding::Up))
        });
        if let Some(buy) = costs.max().filter(|buy| *buy > row.price.rate) {
            let kind = Suspicion::BelowCost { sell: row.price.rate, buy };
            findings.push(Finding { prefix: row.prefix, kind });
        }
    }
    findings
}

/// Prefixes that vanished since `before`, or rose by more than `percent`.
pub fn since(before: &[DeckRow], now: &[DeckRow], percent: u32) -> Vec<Finding> {
    let mut known: BTreeMap<(Prefix, &Band), Rate> = BTreeMap::new();
    for row in now {
        let rate = known.entry((row.prefix, &row.band)).or_default();
        *rate = (*rate).max(row.price.rate);
    }
    let kept: BTreeSet<Prefix> = now.iter().map(|row| row.prefix).collect();
    let mut gone = BTreeSet::new();
    let mut findings = Vec::new();
    for row in before {
        if !kept.contains(&row.prefix) {
            if gone.insert(row.prefix) {
                findings.push(Finding { prefix: row.prefix, kind: Suspicion::Vanished });
            }
            continue;
        }
        let Some(after) = known.get(&(row.prefix, &row.band)) else { continue };
        let allowed = i128::from(row.price.rate.nanos()) * i128::from(100 + percent);
        if row.price.rate > Rate::ZERO && i128::from(after.nanos()) * 100 > allowed {
            let kind = Suspicion::Increase { before: row.price.rate, after: *after };
            findings.push(Finding { prefix: row.prefix, kind });
        }
    }
    findings
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix;
        match &self.kind {
            Suspicion::Hole { missing } => write!(f, "{prefix}: no price in band {missing}"),
            Suspicion::Overlap { never } => write!(f, "{prefix}: band {never} never holds, others cover the week"),
            Suspicion::BelowCost { sell, buy } => write!(f, "{prefix}: sold at {sell}, bought at {buy} a minute"),
            Suspicion::Increase { before, after } => write!(f, "{prefix}: rises from {before} to {after} a minute"),
            Suspicion::Vanished => write!(f, "{prefix}: was priced before, no longer is"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Price;

    fn row(prefix: &str, band: &str, rate: &str) -> DeckRow {
        DeckRow {
            prefix: prefix.parse().unwrap(),
            destination: String::new(),
            price: Price::per_minute(rate.parse().unwrap()),
            band: Band::from(band),
            effective_from: None,
            blocked: false,
        }
    }

    fn words(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn holes_and_rows_that_never_hold_are_found() {
        let rows = [
            row("1", "all", "1"),
            row("2", "peak", "1"),
            row("3", "peak", "1"),
            row("3", "offpeak", "1"),
            row("3", "all", "1"),
            row("4", "onnet", "1"),
            row("5", "holiday", "1"),
        ];
        assert_eq!(
            words(&bands(&rows)),
            [
                "2: no price in band offpeak",
                "3: band all never holds, others cover the week",
                "5: no price in band peak"
            ]
        );
    }

    #[test]
    fn what_rose_and_what_vanished_is_found() {
        let before = [row("1", "all", "1"), row("2", "all", "1"), row("3", "all", "1")];
        let now = [row("1", "all", "1.5"), row("2", "all", "1.51")];
        assert_eq!(
            words(&since(&before, &now, 50)),
            ["2: rises from 1.000000000 to 1.510000000 a minute", "3: was priced before, no longer is"]
        );
    }
}
