//! One month of one account, and how its monthly limit grows.

use serde::{Deserialize, Serialize};
use tollgate_types::Money;

use super::AccountTerms;
use crate::calendar::Month;

/// A month still carried with the account: this one, the last, and any that a live call holds money of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthWindow {
    /// Which.
    pub month: Month,
    /// Charged.
    pub spend: Money,
    /// Held by live calls.
    pub held: Money,
    /// Milliseconds talked, of ended calls.
    pub talk_ms: u64,
    /// Its growth has been counted.
    pub grown: bool,
}

impl MonthWindow {
    /// A month in which nothing happened yet.
    pub fn new(month: Month) -> MonthWindow {
        MonthWindow { month, ..MonthWindow::default() }
    }
}

impl AccountTerms {
    /// The monthly limit after `active` months with a billed call: 100 growing by 20 up to 150 is 100, 120, 140, 150, 150.
    pub fn monthly_limit_after(&self, active: u32) -> Option<Money> {
        let base = self.monthly_limit?;
        let step = i128::from(self.monthly_increment.unwrap_or(Money::ZERO).micros().max(0));
        let grown = i128::from(base.micros()) + step * i128::from(active);
        let ceiling = self.monthly_ceiling.unwrap_or(Money::MAX).max(base);
        Some(Money::from_micros(grown.min(i128::from(ceiling.micros())) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monthly_limit_grows_with_activity_up_to_its_ceiling() {
        //  limit  increment  ceiling       after 0, 1, 2, 3, 4 active months
        type Case = (&'static str, Option<&'static str>, Option<&'static str>, [&'static str; 5]);
        let table: [Case; 4] = [
            ("100", Some("20"), Some("150"), ["100", "120", "140", "150", "150"]),
            ("100", None, Some("150"), ["100", "100", "100", "100", "100"]),
            ("100", Some("20"), None, ["100", "120", "140", "160", "180"]),
            ("100", Some("20"), Some("50"), ["100", "100", "100", "100", "100"]),
        ];
        let money = |text: &str| text.parse::<Money>().unwrap();
        for (limit, increment, ceiling, expected) in table {
            let terms = AccountTerms {
                monthly_limit: Some(money(limit)),
                monthly_increment: increment.map(money),
                monthly_ceiling: ceiling.map(money),
                ..AccountTerms::default()
            };
            let limits: Vec<_> = (0..5).map(|active| terms.monthly_limit_after(active).unwrap()).collect();
            assert_eq!(limits, expected.map(money), "{limit} {increment:?} {ceiling:?}");
        }
    }
}
