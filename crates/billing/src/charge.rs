//! What one level pays for one call, and on which days.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_types::{Money, Wall};

use crate::calendar::{Day, Zone};
use crate::hold::Turn;
use crate::increment::begun_within;
use crate::price::PricePlan;

/// One charge. Its days add up to its amount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// Talk after increments.
    pub billed_seconds: u64,
    /// Setup fee and talk, rounded up once.
    pub amount: Money,
    /// The same by the days that increments began in; the fee on the day of the answer.
    pub by_day: Vec<(Day, Money)>,
}

/// The charge for talk of `talk_ms` from `answered_at`; nothing at all up to the grace. `turns` tells the payer's days.
pub fn charge(plan: &PricePlan, answered_at: Wall, talk_ms: u64, turns: &[Turn]) -> Charge {
    let grace_ms = u64::from(plan.at_or_before(answered_at).grace) * 1000;
    if talk_ms <= grace_ms {
        return Charge::default();
    }
    price_of(plan, answered_at, talk_ms, turns)
}

/// What must be held for talk of `talk_ms`: as [`charge`], but grace lets off nothing beforehand.
pub fn price_of(plan: &PricePlan, answered_at: Wall, talk_ms: u64, turns: &[Turn]) -> Charge {
    let talk_us = i64::try_from(talk_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
    let fee = if talk_ms == 0 { Money::ZERO } else { plan.at_or_before(answered_at).setup_fee };
    let all = begun_within(plan, answered_at, talk_us);
    let amount = all.cost(fee);
    let mut by_day = Vec::with_capacity(1);
    let mut counted = Money::ZERO;
    for (n, turn) in turns.iter().enumerate() {
        // The running sum up to the next turn is rounded, not the day: so the days always add up.
        let up_to = match turns.get(n + 1) {
            Some(next) => {
                let end_us = next.from.micros().saturating_sub(answered_at.micros());
                if end_us <= 0 {
                    continue;
                }
                begun_within(plan, answered_at, end_us.min(talk_us)).cost(fee)
            }
            None => amount,
        };
        if up_to > counted {
            by_day.push((turn.day, up_to.saturating_sub(counted)));
            counted = up_to;
        }
    }
    Charge { billed_seconds: all.seconds, amount, by_day }
}

impl Charge {
    /// Never more than was held: what is over is let off, the last day's first.
    pub fn at_most(mut self, held: Money) -> Charge {
        let mut over = self.amount.saturating_sub(held);
        while over > Money::ZERO {
            let Some((_, last)) = self.by_day.last_mut() else { break };
            let off = over.min(*last);
            *last = last.saturating_sub(off);
            over = over.saturating_sub(off);
            if *last == Money::ZERO {
                self.by_day.pop();
            }
        }
        self.amount = self.amount.min(held);
        self
    }

    /// The days as a record keeps them.
    pub fn days(&self) -> BTreeMap<Day, Money> {
        self.by_day.iter().copied().collect()
    }
}

/// Talk of `talk_ms` from `answered_at` by day, in milliseconds.
pub fn talk_by_day(answered_at: Wall, talk_ms: u64, turns: &[Turn]) -> Vec<(Day, u64)> {
    let mut by_day = Vec::with_capacity(1);
    let mut counted = 0;
    for (n, turn) in turns.iter().enumerate() {
        let up_to = turns.get(n + 1).map_or(talk_ms, |next| {
            let ms = next.from.micros().saturating_sub(answered_at.micros()).div_euclid(1000);
            u64::try_from(ms).unwrap_or(0).min(talk_ms)
        });
        if up_to > counted {
            by_day.push((turn.day, up_to - counted));
            counted = up_to;
        }
    }
    by_day
}

/// The same by days of UTC, for those who have no zone of their own.
pub fn talk_by_utc_day(answered_at: Wall, talk_ms: u64) -> Vec<(Day, u64)> {
    let end = answered_at + Duration::from_millis(talk_ms);
    let mut turns = vec![Turn { day: Zone::UTC.day_of(answered_at), from: answered_at }];
    let mut at = Zone::UTC.next_day_turn(answered_at);
    while at < end {
        turns.push(Turn { day: Zone::UTC.day_of(at), from: at });
        at = Zone::UTC.next_day_turn(at);
    }
    talk_by_day(answered_at, talk_ms, &turns)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tollgate_types::Rate;

    use super::*;
    use crate::price::{Price, Segment};

    const ANSWER: i64 = 1_800_000_000;

    fn plan(rate: &str, fee: &str, first: u32, next: u32, grace: u32) -> PricePlan {
        PricePlan::flat(Price { rate: rate.parse().unwrap(), setup_fee: fee.parse().unwrap(), first, next, grace })
    }

    /// Day 1 until `after` seconds of talk, day 2 from then.
    fn turns(after: i64) -> [Turn; 2] {
        [Turn { day: Day(1), from: Wall::from_secs(0) }, Turn { day: Day(2), from: Wall::from_secs(ANSWER + after) }]
    }

    #[test]
    fn a_charge_is_fee_and_increments_and_nothing_up_to_the_grace() {
        //  rate    fee     incr     grace  talk ms  billed  cost
        for (rate, fee, (first, next), grace, talk_ms, billed, cost) in [
            ("0.02", "0.10", (60, 6), 0, 1, 60, "0.120000"),
            ("0.02", "0.10", (60, 6), 0, 0, 0, "0.000000"),
            ("0.02", "0.10", (60, 6), 3, 3_000, 0, "0.000000"),
            ("0.02", "0.10", (60, 6), 3, 3_001, 60, "0.120000"),
            ("0", "0.10", (1, 1), 0, 3_600_000, 3600, "0.100000"),
            ("0.0001", "0.000001", (1, 1), 0, 1_000, 1, "0.000003"),
        ] {
            let charge = charge(&plan(rate, fee, first, next, grace), Wall::from_secs(ANSWER), talk_ms, &turns(86_400));
            assert_eq!((charge.billed_seconds, charge.amount.to_string().as_str()), (billed, cost), "{talk_ms}");
        }
    }

    #[test]
    fn an_increment_belongs_to_the_day_it_begins_in_and_the_fee_to_the_answers() {
        //  incr     midnight after  talk s  day 1        day 2
        for ((first, next), midnight, talk_s, one, two) in [
            ((60, 60), 30, 60, "0.700000", None),
            ((60, 60), 30, 61, "0.700000", Some("0.600000")),
            ((60, 60), 60, 61, "0.700000", Some("0.600000")),
            ((60, 60), 61, 61, "1.300000", None),
            ((1, 1), 30, 60, "0.400000", Some("0.300000")),
            ((1, 1), -5, 60, "", Some("0.700000")),
        ] {
            let charge =
                charge(&plan("0.60", "0.10", first, next, 0), Wall::from_secs(ANSWER), talk_s * 1000, &turns(midnight));
            let days = charge.days();
            let day = |n| days.get(&Day(n)).map(ToString::to_string);
            assert_eq!((day(1).unwrap_or_default().as_str(), day(2).as_deref()), (one, two), "{midnight} {talk_s}");
        }
    }

    #[test]
    fn what_is_over_the_hold_is_let_off_from_the_last_day() {
        let held: Money = "0.45".parse().unwrap();
        let charge = charge(&plan("0.60", "0.10", 1, 1, 0), Wall::from_secs(ANSWER), 60_000, &turns(30)).at_most(held);
        assert_eq!(charge.amount, held);
        assert_eq!(charge.by_day.iter().map(|(_, money)| *money).sum::<Money>(), held);
        assert_eq!(charge.days()[&Day(1)].to_string(), "0.400000");
    }

    proptest! {
        #[test]
        fn days_add_up_and_less_talk_never_costs_more(
            nanos in 0i64..2_000_000_000, fee in 0i64..500_000, first in 1u32..90, next in 1u32..90,
            change in 0i64..400, other in 0i64..2_000_000_000, midnight in -10i64..400,
            talk in 0u64..300_000, more in 0u64..100_000,
        ) {
            let price = |nanos| Some(Price { rate: Rate::from_nanos(nanos), setup_fee: Money::from_micros(fee), first, next, grace: 0 });
            let plan = PricePlan::new([
                Segment { from: Wall::from_secs(0), price: price(nanos) },
                Segment { from: Wall::from_secs(ANSWER + change), price: price(other) },
            ], None).unwrap();
            let turns = turns(midnight);
            let at = Wall::from_secs(ANSWER);
            let less = charge(&plan, at, talk, &turns);
            let all = charge(&plan, at, talk + more, &turns);
            prop_assert_eq!(less.by_day.iter().map(|(_, money)| *money).sum::<Money>(), less.amount);
            prop_assert!(less.amount <= all.amount);
            for (day, money) in &less.by_day {
                prop_assert!(all.days().get(day) >= Some(money), "a day never shrinks");
            }
            prop_assert!(less.billed_seconds * 1000 >= talk);
            let spoken: u64 = talk_by_day(at, talk, &turns).iter().map(|(_, ms)| ms).sum();
            prop_assert_eq!(spoken, talk);
        }
    }
}
