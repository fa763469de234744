//! What must be held before a call is tried.

use tollgate_types::{Money, Rate, Wall};

use crate::increment::{begun_within, later};
use crate::price::PricePlan;

/// What must be held so that a call answered within the ring time can talk a while, whatever price is in force by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// Seconds that are paid for at least.
    pub promised: u64,
    /// Seconds that a further level must be able to pay for.
    pub covered: u64,
    /// What to hold.
    pub amount: Money,
    /// The dearest price per minute within that time.
    pub rate: Rate,
}

/// Setup fee and `talk` seconds in whole increments, at least one, for an answer up to `ring` seconds after `now`. When
/// the price changes meanwhile, the dearer side of everything. `None` when there is no price now.
pub fn minimum(plan: &PricePlan, now: Wall, ring: u32, talk: u64) -> Option<Minimum> {
    let price = plan.at(now)?;
    let longest = plan.segments().iter().filter_map(|segment| segment.price).map(|p| p.first.max(p.next)).max()?;
    let end = later(now, (i64::from(ring) + talk as i64 + 2 * i64::from(longest)) * 1_000_000);
    let (from, until) = (plan.index(now), plan.index(end));
    let within = plan.segments()[from..=until].iter().filter_map(|segment| segment.price);
    if from == until {
        let tally = begun_within(plan, now, talk.max(u64::from(price.first)) as i64 * 1_000_000);
        let seconds = tally.seconds;
        let amount = tally.cost(price.setup_fee);
        return Some(Minimum { promised: seconds, covered: seconds, amount, rate: price.rate });
    }
    let mut most = *price;
    let mut first_least = price.first;
    for other in within {
        first_least = first_least.min(other.first);
        most.first = most.first.max(other.first);
        most.next = most.next.max(other.next);
        most.rate = most.rate.max(other.rate);
        most.setup_fee = most.setup_fee.max(other.setup_fee);
    }
    let covered = talk.max(u64::from(most.first)) + u64::from(most.next);
    let dearest = PricePlan::flat(crate::price::Price { first: 1, next: 1, ..most });
    Some(Minimum {
        promised: talk.max(u64::from(first_least)),
        covered,
        amount: begun_within(&dearest, now, covered as i64 * 1_000_000).cost(most.setup_fee),
        rate: most.rate,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::price::{Price, Segment};

    fn price(rate: &str, fee: &str, first: u32, next: u32) -> Price {
        Price { rate: rate.parse().unwrap(), setup_fee: fee.parse().unwrap(), first, next, grace: 0 }
    }

    #[test]
    fn the_minimum_ask_is_fee_and_the_longer_of_first_increment_and_min_talk() {
        //  rate    fee     incr      min talk  seconds  amount
        for (rate, fee, (first, next), talk, seconds, amount) in [
            ("0.60", "0.10", (1, 1), 10, 10, "0.200000"),
            ("0.60", "0.10", (60, 60), 10, 60, "0.700000"),
            ("0.60", "0", (6, 6), 10, 12, "0.120000"),
            ("0.60", "0", (1, 1), 0, 1, "0.010000"),
            ("0", "0.05", (1, 1), 10, 10, "0.050000"),
        ] {
            let minimum =
                minimum(&PricePlan::flat(price(rate, fee, first, next)), Wall::from_secs(9), 300, talk).unwrap();
            assert_eq!(
                (minimum.promised, minimum.amount.to_string().as_str()),
                (seconds, amount),
                "{rate} {first}/{next}"
            );
        }
    }

    #[test]
    fn when_the_price_changes_while_it_rings_the_dearer_side_of_everything_is_asked() {
        let change = |secs: i64| Wall::from_secs(1_000 + secs);
        let plan = |at, before, after| {
            let segment = |from, price| Segment { from, price: Some(price) };
            PricePlan::new([segment(change(0), before), segment(change(at), after)], None).unwrap()
        };
        let (cheap, dear) = (price("0.60", "0.10", 1, 1), price("1.20", "0.30", 60, 6));
        //  change after s  before  after  promised  amount
        for (at, before, after, promised, amount) in [
            (60, cheap, dear, 10, "1.620000"), // 0.30 + 66 s at 1.20
            (60, dear, cheap, 10, "1.620000"),
            (900, cheap, dear, 10, "0.200000"), // too late to matter
        ] {
            let minimum = minimum(&plan(at, before, after), change(0), 300, 10).unwrap();
            assert_eq!((minimum.promised, minimum.amount.to_string().as_str()), (promised, amount), "{at}");
        }
    }

    proptest! {
        #[test]
        fn whenever_it_is_answered_the_minimum_is_enough(
            rates in prop::collection::vec((0i64..1_000_000_000, 0i64..2_000_000, 1u32..90, 1u32..90), 1..4),
            starts in prop::collection::vec(-50i64..400, 3), ring in 0u32..300, answer in 0u32..300, talk in 0u64..70,
        ) {
            let mut starts = starts;
            starts.sort_unstable();
            starts[0] = i64::MIN / 4_000_000;
            let segments = rates.iter().zip(starts).map(|((rate, fee, first, next), from)| Segment {
                from: Wall::from_secs(1_000_000 + from),
                price: Some(Price {
                    rate: Rate::from_nanos(*rate), setup_fee: Money::from_micros(*fee), first: *first, next: *next, grace: 0,
                }),
            });
            let plan = PricePlan::new(segments, None).unwrap();
            let now = Wall::from_secs(1_000_000);
            let minimum = minimum(&plan, now, ring, talk).unwrap();
            let answered = Wall::from_secs(1_000_000 + i64::from(answer.min(ring)));
            let paid = begun_within(&plan, answered, minimum.promised as i64 * 1_000_000);
            prop_assert!(minimum.promised >= talk);
            prop_assert!(paid.seconds <= minimum.covered);
            prop_assert!(paid.cost(plan.at(answered).unwrap().setup_fee) <= minimum.amount);
        }
    }
}
