//! The highest day's spend of the recent past, without keeping every day.

use serde::{Deserialize, Serialize};
use tollgate_types::Money;

use crate::calendar::Day;

/// Days that are, or will be, the highest within a window ending today: later days, smaller sums. A smaller earlier day
/// can never matter again, so the list stays short (about the logarithm of the window).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Peaks(Vec<(Day, Money)>);

impl Peaks {
    /// Learns that `day` contributed `money`; told again for a day, the larger sum stands.
    pub fn learn(&mut self, day: Day, money: Money) {
        let at = self.0.partition_point(|(known, _)| *known < day);
        if money <= Money::ZERO || self.0[at..].iter().any(|(_, later)| *later >= money) {
            return;
        }
        if self.0.get(at).is_some_and(|(known, _)| *known == day) {
            self.0[at].1 = money;
        } else {
            self.0.insert(at, (day, money));
        }
        let smaller = self.0[..at].iter().position(|(_, earlier)| *earlier <= money).unwrap_or(at);
        self.0.drain(smaller..at);
    }

    /// The highest of the `window` days before `today`; of all days when `window` is 0.
    pub fn highest(&self, today: Day, window: u32) -> Money {
        let oldest = if window == 0 { i64::MIN } else { i64::from(today.0) - i64::from(window) };
        let past = self.0.iter().filter(|(day, _)| *day < today && i64::from(day.0) >= oldest);
        past.map(|(_, money)| *money).max().unwrap_or(Money::ZERO)
    }

    /// Forgets what no window ending on `today` or later can see; nothing when `window` is 0.
    pub fn forget(&mut self, today: Day, window: u32) {
        if window > 0 {
            self.0.retain(|(day, _)| i64::from(day.0) >= i64::from(today.0) - i64::from(window));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_the_same_as_one_who_keeps_every_day(
            told in prop::collection::vec((0i32..60, 0i64..50), 0..80),
            window in 0u32..40,
        ) {
            let mut peaks = Peaks::default();
            let mut every = std::collections::BTreeMap::<i32, i64>::new();
            for (day, money) in told {
                peaks.learn(Day(day), Money::from_micros(money));
                let known = every.entry(day).or_default();
                *known = (*known).max(money);
            }
            for today in 0..70 {
                let oldest = if window == 0 { i32::MIN } else { today - window as i32 };
                let highest = every.iter().filter(|(day, _)| **day < today && **day >= oldest).map(|(_, m)| *m).max();
                // Unclosed days may hide nothing that was before them: ask only when every day told is closed.
                if every.keys().all(|day| *day < today) {
                    prop_assert_eq!(peaks.highest(Day(today), window).micros(), highest.unwrap_or(0));
                }
            }
        }
    }
}
