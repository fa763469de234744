//! Talk is paid for in increments: a first, then further ones, each at the price of the instant it begins at.

use tollgate_types::{Money, Wall};

use crate::currency::{Rounding, divide, narrow};
use crate::price::PricePlan;

/// Whole increments in a row, and what they cost before rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Their length together.
    pub seconds: u64,
    /// Σ rate × seconds, in 10⁻⁹ a minute times seconds.
    rated: i128,
}

/// No call is longer (31 years): keeps all products inside their integers.
const LONGEST_US: i64 = 1_000_000_000_000_000;
const SECOND_US: i64 = 1_000_000;

/// The increments of a call answered at `answered_at` that begin earlier than `limit_us` microseconds after the answer.
/// Talk of that length is exactly covered by them.
pub fn begun_within(plan: &PricePlan, answered_at: Wall, limit_us: i64) -> Tally {
    let limit = limit_us.min(LONGEST_US);
    let mut tally = Tally::default();
    if limit <= 0 {
        return tally;
    }
    let first = plan.at_or_before(answered_at);
    tally.add(first.rate.nanos(), 1, i64::from(first.first.max(1)));
    let mut begin = tally.end_us();
    while begin < limit {
        let at = later(answered_at, begin);
        let price = plan.at_or_before(at);
        let change = plan.segments().get(plan.index(at) + 1).map(|next| next.from.micros() - answered_at.micros());
        let stop = change.unwrap_or(limit).min(limit);
        let length = i64::from(price.next.max(1));
        let count = (stop - begin + length * SECOND_US - 1) / (length * SECOND_US);
        tally.add(price.rate.nanos(), count.max(1), length);
        begin = tally.end_us();
    }
    tally
}

impl Tally {
    /// What it costs with `setup_fee`: one sum, rounded up once, to 10⁻⁶.
    pub fn cost(&self, setup_fee: Money) -> Money {
        let talk = divide(self.rated, 60_000, Rounding::Up);
        Money::from_micros(narrow(i128::from(setup_fee.micros()) + talk))
    }

    fn add(&mut self, rate_nanos: i64, count: i64, length: i64) {
        self.seconds += (count * length) as u64;
        self.rated += i128::from(rate_nanos) * i128::from(count) * i128::from(length);
    }

    fn end_us(&self) -> i64 {
        self.seconds as i64 * SECOND_US
    }
}

/// `offset_us` after `at`.
pub(crate) fn later(at: Wall, offset_us: i64) -> Wall {
    Wall::from_micros(at.micros().saturating_add(offset_us))
}

#[cfg(test)]
mod tests {
    use tollgate_types::Rate;

    use super::*;
    use crate::price::{Price, Segment};

    fn price(rate: &str, first: u32, next: u32) -> Price {
        Price { rate: rate.parse().unwrap(), setup_fee: Money::ZERO, first, next, grace: 0 }
    }

    #[test]
    fn talk_is_rounded_up_to_increments_and_the_sum_once_to_the_millionth() {
        //  rate/min       incr     talk ms  billed  cost
        for (rate, (first, next), talk_ms, billed, cost) in [
            ("0.0200", (60, 6), 1, 60, "0.020000"),
            ("0.0200", (60, 6), 60_000, 60, "0.020000"),
            ("0.0200", (60, 6), 60_001, 66, "0.022000"),
            ("0.0200", (60, 6), 61_000, 66, "0.022000"),
            ("0.0200", (60, 60), 61_000, 120, "0.040000"),
            ("0.0200", (1, 1), 0, 0, "0.000000"),
            ("0.0200", (1, 1), 999, 1, "0.000334"),
            ("0.0200", (1, 1), 1_000, 1, "0.000334"),
            ("0.0200", (1, 1), 3_000, 3, "0.001000"),
            ("0.0200", (30, 6), 31_500, 36, "0.012000"),
            // The guide of a hundred seconds: 1.00 at 0.60 a minute.
            ("0.60", (1, 1), 100_000, 100, "1.000000"),
            ("0.000000001", (1, 1), 1, 1, "0.000001"),
            ("0", (1, 1), 3_600_000, 3600, "0.000000"),
        ] {
            let plan = PricePlan::flat(price(rate, first, next));
            let tally = begun_within(&plan, Wall::from_secs(1_800_000_000), talk_ms * 1000);
            assert_eq!(
                (tally.seconds, tally.cost(Money::ZERO).to_string().as_str()),
                (billed, cost),
                "{rate} {first}/{next} {talk_ms}"
            );
        }
    }

    #[test]
    fn each_increment_costs_what_its_beginning_says() {
        // 0.60 until second 90, then 0.06; increments 60/60, then 6/6.
        let answered = Wall::from_secs(1_000);
        let plan = PricePlan::new(
            [
                Segment { from: answered, price: Some(price("0.60", 60, 60)) },
                Segment { from: Wall::from_secs(1_090), price: Some(price("0.06", 6, 6)) },
            ],
            None,
        )
        .unwrap();
        for (talk_s, billed, cost) in [
            (60, 60, "0.600000"),
            (61, 120, "1.200000"), // begins at 60, before the change
            (120, 120, "1.200000"),
            (121, 126, "1.206000"), // begins at 120, after it
            (180, 180, "1.260000"),
        ] {
            let tally = begun_within(&plan, answered, talk_s * SECOND_US);
            assert_eq!((tally.seconds, tally.cost(Money::ZERO).to_string().as_str()), (billed, cost), "{talk_s}");
        }
    }

    #[test]
    fn the_longest_call_at_the_highest_rate_overflows_nothing() {
        let plan = PricePlan::flat(Price { rate: Rate::from_nanos(i64::MAX), ..price("1", 1, u32::MAX) });
        assert_eq!(begun_within(&plan, Wall::from_secs(0), i64::MAX).cost(Money::MAX), Money::MAX);
    }
}
