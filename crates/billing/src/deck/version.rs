//! One version of a deck in memory: immutable, compact, asked for a number's prices from now on.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tollgate_types::{E164, Prefix, Wall};

use super::index::{Index, Span};
use super::{Band, Deck, DeckRow};
use crate::calendar::{Time, Timeline};
use crate::price::{Price, PricePlan, Segment};

/// A version of a deck, cheap to clone and share.
#[derive(Clone, Debug)]
pub struct DeckVersion {
    /// Its head.
    pub deck: Arc<Deck>,
    table: Arc<Table>,
    timeline: Arc<Timeline>,
    /// The band of each holiday of the calendar, where the deck prices it by name.
    holidays: Arc<[Option<BandId>]>,
}

/// Rows sorted by prefix, with their index.
#[derive(Debug)]
struct Table {
    index: Index,
    rows: Vec<Row>,
    names: Vec<Box<str>>,
    destinations: Vec<Box<str>>,
    prefixes: usize,
}

/// A row as it is searched.
#[derive(Clone, Copy, Debug)]
struct Row {
    price: Price,
    /// In force from this microsecond on.
    from: i64,
    destination: u32,
    band: BandId,
    digits: u8,
    blocked: bool,
}

type BandId = u16;
const ALL: BandId = 0;
const PEAK: BandId = 1;
const OFFPEAK: BandId = 2;
const HOLIDAY: BandId = 3;
const ONNET: BandId = 4;
const NAMED: BandId = 5;

/// Where a call goes, as far as a price may depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To a carrier.
    Offnet,
    /// To somebody of ours: the `onnet` band or nothing.
    Onnet,
}

/// What a deck says about a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its prices from the asked instant on.
    pub plan: PricePlan,
    /// The price at that instant.
    pub price: Price,
    /// The prefix that won.
    pub prefix: Prefix,
    /// What people call it.
    pub destination: &'a str,
}

/// Why a deck has no price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss<'a> {
    /// No prefix in force.
    NoPrice,
    /// The prefix is blocked; its destination's name.
    Blocked(&'a str),
}

/// How far ahead a plan knows the week: a call longer than that ends, which other limits see to long before.
const HORIZON: Duration = Duration::from_secs(48 * 3600);

impl DeckVersion {
    /// Compiles rows. `timeline` is the operator's calendar in the deck's zone.
    pub fn new(deck: Deck, mut rows: Vec<DeckRow>, timeline: Arc<Timeline>) -> DeckVersion {
        rows.sort_by(|a, b| a.prefix.digits().cmp(b.prefix.digits()).then(a.effective_from.cmp(&b.effective_from)));
        let prefixes: Vec<Prefix> = rows.iter().map(|row| row.prefix).collect();
        let (mut names, mut destinations): (Vec<Box<str>>, Vec<Box<str>>) = (Vec::new(), Vec::new());
        let mut known = std::collections::BTreeMap::<Box<str>, u32>::new();
        let compact = rows
            .into_iter()
            .map(|row| {
                let destination = *known.entry(row.destination.as_str().into()).or_insert_with(|| {
                    destinations.push(row.destination.as_str().into());
                    destinations.len() as u32 - 1
                });
                Row {
                    price: row.price,
                    from: row.effective_from.map_or(i64::MIN, Wall::micros),
                    destination,
                    band: band_id(&row.band, &mut names),
                    digits: row.prefix.digits().len() as u8,
                    blocked: row.blocked,
                }
            })
            .collect();
        let mut distinct = prefixes.clone();
        distinct.dedup();
        let table =
            Table { index: Index::build(&prefixes), rows: compact, names, destinations, prefixes: distinct.len() };
        DeckVersion::with_timeline(Arc::new(deck), Arc::new(table), timeline)
    }

    /// The same prices under another calendar.
    pub fn on(&self, timeline: Arc<Timeline>) -> DeckVersion {
        DeckVersion::with_timeline(self.deck.clone(), self.table.clone(), timeline)
    }

    fn with_timeline(deck: Arc<Deck>, table: Arc<Table>, timeline: Arc<Timeline>) -> DeckVersion {
        let band = |name: &str| table.names.iter().position(|known| **known == *name).map(|n| NAMED + n as u16);
        let holidays = timeline.calendar().holidays().iter().map(|holiday| band(&holiday.name)).collect();
        DeckVersion { deck, table, timeline, holidays }
    }

    /// How many prefixes it prices.
    pub fn prefixes(&self) -> usize {
        self.table.prefixes
    }

    /// The prices of `number` from `at` on: bands and changes already scheduled included.
    pub fn find(&self, number: &E164, at: Wall, reach: Reach) -> Result<Found<'_>, Miss<'_>> {
        let spans = self.spans(number);
        let row = self.row_at(&spans, at, reach).ok_or(Miss::NoPrice)?;
        let destination: &str = &self.table.destinations[row.destination as usize];
        if row.blocked {
            return Err(Miss::Blocked(destination));
        }
        let prefix = number.digits()[..usize::from(row.digits)].parse().unwrap_or(Prefix::ANY);
        let price = row.price;
        Ok(Found { plan: self.plan(&spans, at, reach, row.price), price, prefix, destination })
    }

    /// The price of `number` at `at` alone, for ranking.
    pub fn price_at(&self, number: &E164, at: Wall, reach: Reach) -> Option<Price> {
        self.row_at(&self.spans(number), at, reach).filter(|row| !row.blocked).map(|row| row.price)
    }

    /// Rows of all prefixes of `number`, shortest first.
    fn spans(&self, number: &E164) -> SmallVec<[Span; 16]> {
        let mut spans = SmallVec::new();
        self.table.index.walk(number, |span| spans.push(span));
        spans
    }

    fn rows(&self, span: &Span) -> &[Row] {
        &self.table.rows[span.start as usize..span.start as usize + usize::from(span.len)]
    }

    /// The row in force: of the longest prefix that has one, the most particular band, the latest date.
    fn row_at(&self, spans: &[Span], at: Wall, reach: Reach) -> Option<&Row> {
        let mut time = None;
        spans.iter().rev().find_map(|span| {
            let rows = self.rows(span);
            if let ([row], Reach::Offnet) = (rows, reach)
                && row.band == ALL
            {
                return (row.from <= at.micros()).then_some(row);
            }
            let time = *time.get_or_insert_with(|| self.timeline.time_at(at));
            rows.iter()
                .filter(|row| row.from <= at.micros())
                .filter_map(|row| Some((self.rank(row.band, time, reach)?, row)))
                .max_by_key(|(rank, row)| (*rank, row.from))
                .map(|(_, row)| row)
        })
    }

    /// How particular a band is at `time`; `None` when it does not hold then.
    fn rank(&self, band: BandId, time: Time, reach: Reach) -> Option<u8> {
        match (reach, band, time) {
            (Reach::Onnet, ONNET, _) => Some(1),
            (Reach::Onnet, ..) | (Reach::Offnet, ONNET, _) => None,
            (_, ALL, _) => Some(1),
            (_, PEAK, Time::Peak) | (_, OFFPEAK, Time::Offpeak | Time::Holiday(_)) => Some(2),
            (_, HOLIDAY, Time::Holiday(_)) => Some(3),
            (_, named, Time::Holiday(n)) if self.holidays.get(usize::from(n)) == Some(&Some(named)) => Some(4),
            _ => None,
        }
    }

    fn plan(&self, spans: &[Span], at: Wall, reach: Reach, price: Price) -> PricePlan {
        let rows = || spans.iter().flat_map(|span| self.rows(span));
        let mut banded = false;
        let mut dated = false;
        for row in rows() {
            banded |= row.band != ALL && row.band != ONNET;
            dated |= row.from > at.micros();
        }
        if !(dated || banded && reach == Reach::Offnet) {
            return PricePlan::flat(price);
        }
        let until = (banded && reach == Reach::Offnet).then_some(at + HORIZON);
        let mut segments: SmallVec<[Segment; 8]> = SmallVec::new();
        let mut from = at;
        loop {
            let price = self.row_at(spans, from, reach).filter(|row| !row.blocked).map(|row| row.price);
            segments.push(Segment { from, price });
            let dated = rows().map(|row| row.from).filter(|date| *date > from.micros()).min().map(Wall::from_micros);
            let band = until.and_then(|_| self.timeline.next_change(from));
            let Some(next) = [dated, band].into_iter().flatten().min() else { break };
            if until.is_some_and(|until| next >= until) {
                break;
            }
            from = next;
        }
        PricePlan::new(segments, until).unwrap_or_else(|| PricePlan::flat(price))
    }
}

fn band_id(band: &Band, names: &mut Vec<Box<str>>) -> BandId {
    match band {
        Band::All => ALL,
        Band::Peak => PEAK,
        Band::Offpeak => OFFPEAK,
        Band::Holiday => HOLIDAY,
        Band::Onnet => ONNET,
        Band::Named(name) => {
            let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            });
            NAMED + at.min(usize::from(u16::MAX - NAMED)) as u16
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::{Currency, DeckId, Rate};

    use super::*;
    use crate::calendar::{Calendar, Zone};
    use crate::deck::DeckKind;

    fn at(text: &str) -> Wall {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    /// (prefix, band, effective from, rate; `blocked` for a rate blocks)
    fn deck(rows: &[(&str, &str, &str, &str)]) -> DeckVersion {
        let zone: Zone = "Europe/Budapest".parse().unwrap();
        let peak = vec!["mon-fri 08:00-18:00".parse().unwrap()];
        let holidays = vec!["christmas=12-25".parse().unwrap(), "newyear=01-01".parse().unwrap()];
        let calendar = Arc::new(Calendar::new(peak, holidays).unwrap());
        let timeline = Arc::new(Timeline::new(calendar, zone, at("2026-03-01T00:00:00Z")));
        let head = Deck {
            id: DeckId(1),
            name: "retail".into(),
            kind: DeckKind::Sell,
            currency: Currency::USD,
            zone,
            version: 1,
        };
        let rows = rows.iter().map(|(prefix, band, from, rate)| DeckRow {
            prefix: prefix.parse().unwrap(),
            destination: format!("to {prefix}"),
            price: Price::per_minute(rate.parse().unwrap_or(Rate::ZERO)),
            band: Band::from(*band),
            effective_from: (!from.is_empty()).then(|| at(from)),
            blocked: *rate == "blocked",
        });
        DeckVersion::new(head, rows.collect(), timeline)
    }

    fn rate(deck: &DeckVersion, number: &str, now: &str, reach: Reach) -> String {
        match deck.find(&number.parse().unwrap(), at(now), reach) {
            Ok(found) => format!("{} {}", found.prefix, found.price.rate.to_string().trim_end_matches('0')),
            Err(Miss::NoPrice) => "none".into(),
            Err(Miss::Blocked(name)) => format!("blocked {name}"),
        }
    }

    #[test]
    fn the_longest_prefix_in_force_wins_then_the_band_then_the_date() {
        let deck = deck(&[
            ("36", "all", "", "0.10"),
            ("361", "peak", "", "0.20"),
            ("361", "offpeak", "", "0.15"),
            ("361", "holiday", "", "0.12"),
            ("361", "christmas", "", "0.11"),
            ("3620", "all", "2026-06-01T00:00:00Z", "0.30"),
            ("3620", "all", "2026-07-01T00:00:00Z", "0.35"),
            ("3690", "all", "", "blocked"),
            ("36", "onnet", "", "0.01"),
        ]);
        let monday = "2026-03-02T10:00:00Z";
        for (number, now, expected) in [
            ("3630111", monday, "36 0.1"),
            ("36111", monday, "361 0.2"),
            ("36111", "2026-03-02T20:00:00Z", "361 0.15"),
            ("36111", "2026-12-25T10:00:00Z", "361 0.11"),
            ("36111", "2027-01-01T10:00:00Z", "361 0.12"),
            ("3620111", monday, "36 0.1"), // the longer one is not in force yet
            ("3620111", "2026-06-01T00:00:00Z", "3620 0.3"),
            ("3620111", "2026-07-01T00:00:00Z", "3620 0.35"),
            ("3690111", monday, "blocked to 3690"),
            ("4412", monday, "none"),
            ("3", monday, "none"),
        ] {
            assert_eq!(rate(&deck, number, now, Reach::Offnet), expected, "{number} {now}");
        }
        assert_eq!(rate(&deck, "36111", monday, Reach::Onnet), "36 0.01");
        assert_eq!(rate(&deck, "44111", monday, Reach::Onnet), "none");
    }

    #[test]
    fn a_plan_knows_bands_and_changes_to_come() {
        let deck = deck(&[
            ("36", "all", "", "0.10"),
            ("361", "peak", "", "0.20"),
            ("361", "offpeak", "", "0.15"),
            ("3620", "all", "2026-03-02T12:00:00Z", "0.30"),
            ("3670", "all", "2026-03-02T12:00:00Z", "blocked"),
        ]);
        let plan = |number: &str| {
            let found = deck.find(&number.parse().unwrap(), at("2026-03-02T10:00:00Z"), Reach::Offnet).unwrap();
            let rate =
                |segment: &Segment| segment.price.map_or("none".into(), |price| price.rate.to_string()[..4].to_owned());
            let steps =
                found.plan.segments().iter().map(|segment| (segment.from.to_string()[5..16].to_owned(), rate(segment)));
            steps.map(|(from, rate)| format!("{from} {rate}")).collect::<Vec<_>>()
        };
        assert_eq!(plan("36301")[0][12..], *"0.10");
        assert_eq!(
            plan("36111"),
            ["03-02T10:00 0.20", "03-02T17:00 0.15", "03-03T07:00 0.20", "03-03T17:00 0.15", "03-04T07:00 0.20",]
        );
        assert_eq!(plan("362011"), ["03-02T10:00 0.10", "03-02T12:00 0.30"]);
        assert_eq!(plan("367011"), ["03-02T10:00 0.10", "03-02T12:00 none"]);
    }
}
