//! What a call costs from now on, frozen when it is quoted: it keeps its deck version, its bands and the changes already
//! scheduled, whatever happens to the deck meanwhile.

use serde::{Deserialize, Serialize};
use tollgate_types::{Money, Rate, Wall};

/// One row of a deck as a call pays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Per minute.
    pub rate: Rate,
    /// Once, on answer.
    pub setup_fee: Money,
    /// Seconds of the first increment, at least 1.
    pub first: u32,
    /// Seconds of each further increment, at least 1.
    pub next: u32,
    /// Talk of at most this many seconds costs nothing, fee included.
    pub grace: u32,
}

/// A price from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its first instant; the first segment also stands for all time before.
    pub from: Wall,
    /// The price; `None` where the destination is blocked or no longer priced.
    pub price: Option<Price>,
}

/// The prices of one call for one payer, in the order they come into force. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct PricePlan {
    segments: Vec<Segment>,
    /// Known only up to here; `None` = for ever.
    until: Option<Wall>,
}

/// A plan as a database keeps it, before it is known to hold a price.
#[derive(Deserialize)]
struct Written {
    segments: Vec<Segment>,
    until: Option<Wall>,
}

impl TryFrom<Written> for PricePlan {
    type Error = &'static str;
    fn try_from(written: Written) -> Result<PricePlan, &'static str> {
        PricePlan::new(written.segments, written.until).ok_or("a price plan without prices")
    }
}

impl Price {
    /// Nothing, ever.
    pub const FREE: Price = Price { rate: Rate::ZERO, setup_fee: Money::ZERO, first: 1, next: 1, grace: 0 };

    /// A price per minute charged by the second, without fee or grace.
    pub const fn per_minute(rate: Rate) -> Price {
        Price { rate, ..Price::FREE }
    }

    /// Does it cost nothing however long it lasts?
    pub fn is_free(&self) -> bool {
        self.rate == Rate::ZERO && self.setup_fee == Money::ZERO
    }
}

impl PricePlan {
    /// Free for ever.
    pub fn free() -> PricePlan {
        PricePlan::flat(Price::FREE)
    }

    /// One price for ever.
    pub fn flat(price: Price) -> PricePlan {
        PricePlan { segments: vec![Segment { from: Wall::from_micros(0), price: Some(price) }], until: None }
    }

    /// Prices in order of their beginning, known up to `until`; equal neighbours become one. `None` when `segments` is empty.
    pub fn new(segments: impl IntoIterator<Item = Segment>, until: Option<Wall>) -> Option<PricePlan> {
        let mut kept: Vec<Segment> = Vec::with_capacity(1);
        for segment in segments {
            match kept.last() {
                Some(last) if last.price == segment.price => {}
                _ => kept.push(segment),
            }
        }
        (!kept.is_empty()).then_some(PricePlan { segments: kept, until })
    }

    /// The prices in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Free for ever, so that nothing need be held and nothing ends the call?
    pub fn is_free(&self) -> bool {
        self.until.is_none() && self.segments.iter().all(|segment| segment.price.is_some_and(|price| price.is_free()))
    }

    /// The price in force at `at`: `None` when blocked then, or beyond what is known.
    pub fn at(&self, at: Wall) -> Option<&Price> {
        match self.until {
            Some(until) if at >= until => None,
            _ => self.segments[self.index(at)].price.as_ref(),
        }
    }

    /// The next instant after `at` at which the price may differ.
    pub fn next_change(&self, at: Wall) -> Option<Wall> {
        self.segments.get(self.index(at) + 1).map(|segment| segment.from).or(self.until.filter(|until| *until > at))
    }

    /// What an increment beginning at `at` costs although the plan has run out: the last price known. An increment can
    /// only begin there when it was paid for before it was known where it would fall.
    pub(crate) fn at_or_before(&self, at: Wall) -> Price {
        let reached = &self.segments[..=self.index(at)];
        reached.iter().rev().chain(&self.segments).find_map(|segment| segment.price).unwrap_or(Price::FREE)
    }

    /// The segment that `at` lies in, and where the next one begins.
    pub(crate) fn index(&self, at: Wall) -> usize {
        self.segments.partition_point(|segment| segment.from <= at).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(nanos: i64) -> Option<Price> {
        Some(Price::per_minute(Rate::from_nanos(nanos)))
    }

    #[test]
    fn a_plan_knows_its_price_and_the_next_change() {
        let at = Wall::from_secs;
        let segment = |secs, price| Segment { from: at(secs), price };
        let plan = PricePlan::new([segment(100, price(5)), segment(200, price(5)), segment(300, None)], Some(at(400)))
            .unwrap();
        assert_eq!(plan.segments().len(), 2, "equal neighbours become one");
        for (secs, expected, change) in
            [(0, price(5), Some(300)), (299, price(5), Some(300)), (300, None, Some(400)), (400, None, None)]
        {
            assert_eq!(plan.at(at(secs)).copied(), expected, "{secs}");
            assert_eq!(plan.next_change(at(secs)), change.map(at), "{secs}");
        }
        assert_eq!(plan.at_or_before(at(350)), price(5).unwrap());
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<PricePlan>(&json).unwrap(), plan);
        assert!(serde_json::from_str::<PricePlan>("{\"segments\":[],\"until\":null}").is_err());
        assert!(PricePlan::free().is_free() && !plan.is_free());
    }
}
