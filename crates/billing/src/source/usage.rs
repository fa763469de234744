//! A rolling sum without keeping every call: the period in parts, each forgotten once the whole of it is older.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_types::{Money, Wall};

use crate::currency::{Exchange, Rounding};

/// Parts of a period. A call counts for the period and at most one part longer: nothing is forgotten early.
const PARTS: i64 = 24;

/// What one address used, in the platform's currency. A call counts where it began, its talk and its cost where it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Held by its live calls.
    pub held: Money,
    /// Oldest first, none of them empty.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    from: Wall,
    calls: u64,
    talk_ms: u64,
    spend: Money,
}

/// What a period adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls that were granted, answered or not.
    pub calls: u64,
    /// Milliseconds of ended calls.
    pub talk_ms: u64,
    /// Charged for ended calls.
    pub spend: Money,
}

/// The share of a live call in its address's sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHold {
    /// Which address.
    pub ip: IpAddr,
    /// From the payer's currency to the platform's, frozen with the call.
    pub exchange: Exchange,
    /// What is held, in the platform's currency.
    pub held: Money,
}

impl SourceHold {
    /// An amount of the payer's in the platform's currency.
    pub fn convert(&self, amount: Money) -> Money {
        self.exchange.convert(amount, Rounding::Up)
    }
}

impl Usage {
    /// The sums of the `period` that ends at `now`.
    pub fn sums(&self, now: Wall, period: Duration) -> Sums {
        let oldest = oldest(now, period);
        let counted = self.parts.iter().filter(|part| part.from > oldest);
        counted.fold(Sums::default(), |sums, part| Sums {
            calls: sums.calls.saturating_add(part.calls),
            talk_ms: sums.talk_ms.saturating_add(part.talk_ms),
            spend: sums.spend.saturating_add(part.spend),
        })
    }

    /// Adds what happened at `at`, and forgets what is older than the period that ends at `now`.
    pub fn count(&mut self, at: Wall, more: Sums, now: Wall, period: Duration) {
        if more == Sums::default() {
            return;
        }
        let width = width(period);
        let from = Wall::from_micros(at.micros().div_euclid(width).saturating_mul(width));
        let place = self.parts.partition_point(|part| part.from < from);
        if self.parts.get(place).is_none_or(|part| part.from != from) {
            self.parts.insert(place, Part { from, calls: 0, talk_ms: 0, spend: Money::ZERO });
        }
        let part = &mut self.parts[place];
        part.calls = part.calls.saturating_add(more.calls);
        part.talk_ms = part.talk_ms.saturating_add(more.talk_ms);
        part.spend = part.spend.saturating_add(more.spend);
        let oldest = oldest(now, period);
        self.parts.retain(|part| part.from > oldest);
    }

    /// Nothing is held and nothing of the period is left: the row may go.
    pub fn is_over(&self, now: Wall, period: Duration) -> bool {
        self.held == Money::ZERO && self.sums(now, period) == Sums::default()
    }

    /// As another reading of the same period should have it: parts of other widths are no difference.
    pub fn agrees_with(&self, other: &Usage, now: Wall, period: Duration) -> bool {
        self.held == other.held && self.sums(now, period) == other.sums(now, period)
    }
}

/// A part that began then, or earlier, has ended before the period begins.
fn oldest(now: Wall, period: Duration) -> Wall {
    let whole = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
    Wall::from_micros(now.micros().saturating_sub(whole).saturating_sub(width(period)))
}

fn width(period: Duration) -> i64 {
    (i64::try_from(period.as_micros()).unwrap_or(i64::MAX) / PARTS).max(1_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn one(calls: u64) -> Sums {
        Sums { calls, ..Sums::default() }
    }

    proptest! {
        #[test]
        fn nothing_is_forgotten_early_and_nothing_kept_a_part_longer(
            calls in prop::collection::vec(0i64..20_000, 1..60), wait in 0i64..10_000,
        ) {
            let mut usage = Usage::default();
            let (mut at, mut times) = (0, Vec::new());
            for step in calls {
                at += step / 8;
                let now = Wall::from_secs(1_000_000 + at);
                usage.count(now, one(1), now, HOUR);
                times.push(now);
            }
            let now = Wall::from_secs(1_000_000 + at + wait);
            let within = |span: Duration| times.iter().filter(|time| now.since(**time) < span).count() as u64;
            let counted = usage.sums(now, HOUR).calls;
            prop_assert!(counted >= within(HOUR), "a call of the last hour is missing");
            prop_assert!(counted <= within(HOUR + HOUR / PARTS as u32 + Duration::from_secs(1)), "an old call counts");
            prop_assert!(usage.parts.len() <= PARTS as usize + 2);
        }
    }
}
