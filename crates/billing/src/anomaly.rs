//! Is what an account spent in one hour out of the ordinary, against the same hour of the days before?

use tollgate_types::Money;

/// Days looked back: four of each weekday, so that Mondays are measured by Mondays as well.
pub const DAYS: u32 = 28;

/// The same hour of the days before, of one account and country.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usual {
    /// All of them together.
    pub sum: Money,
    /// The highest of them.
    pub highest: Money,
}

/// From when on an hour is a spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Less is none, in the account's currency.
    pub floor: Money,
    /// So many millionths of the mean.
    pub factor_millionths: i64,
}

/// What an hour comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The mean of the days before, rounded up.
    pub mean: Money,
    /// Out of the ordinary?
    pub spike: bool,
}

impl Usual {
    /// One more day.
    pub fn add(&mut self, spend: Money) {
        self.sum = self.sum.saturating_add(spend);
        self.highest = self.highest.max(spend);
    }
}

/// Judges an hour's `spend`. `days` is how many days the account has existed, at most [`DAYS`] count; on its first nothing is
/// out of the ordinary, for nothing is ordinary yet: first days are the limits' affair.
pub fn judge(spend: Money, usual: &Usual, days: u32, bounds: &Bounds) -> Finding {
    let days = i64::from(days.min(DAYS));
    if days == 0 {
        return Finding { mean: Money::ZERO, spike: false };
    }
    let sum = i128::from(usual.sum.micros());
    let mean = sum.div_euclid(i128::from(days)) + i128::from(sum.rem_euclid(i128::from(days)) != 0);
    let bound = mean * i128::from(bounds.factor_millionths) / 1_000_000;
    let spend_micros = i128::from(spend.micros());
    let spike = spend >= bounds.floor && spend_micros >= bound && spend > usual.highest;
    Finding { mean: Money::from_micros(i64::try_from(mean).unwrap_or(i64::MAX)), spike }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_measured_by_the_hours_before() {
        let bounds = Bounds { floor: "10".parse().unwrap(), factor_millionths: 4_000_000 };
        //   spend, the days before, how old, mean, spike
        for (spend, before, days, mean, spike) in [
            ("50", &["2"; 28][..], 28, "2.000000", true),
            ("8", &["2"; 28][..], 28, "2.000000", false),
            ("9.99", &[][..], 28, "0.000000", false),
            ("10", &[][..], 28, "0.000000", true),
            ("10", &[][..], 0, "0.000000", false),
            ("50", &["10"][..], 1, "10.000000", true),
            ("39.99", &["10"][..], 1, "10.000000", false),
            // Mondays are three times as busy as other days: four of them, and this is one more.
            ("30", &["10", "10", "10", "10", "10", "10", "30"].repeat(4), 28, "12.857143", false),
            // Not above the highest of the days before.
            ("60", &["60", "0", "0", "0", "0", "0", "0"][..], 28, "2.142858", false),
            ("61", &["60", "0", "0", "0", "0", "0", "0"][..], 28, "2.142858", true),
        ] {
            let mut usual = Usual::default();
            before.iter().for_each(|amount| usual.add(amount.parse().unwrap()));
            let finding = judge(spend.parse().unwrap(), &usual, days, &bounds);
            assert_eq!((finding.mean.to_string().as_str(), finding.spike), (mean, spike), "{spend} after {before:?}");
        }
        let most = Usual { sum: Money::MAX, highest: Money::MAX };
        assert!(!judge(Money::MAX, &most, 1, &Bounds { floor: Money::ZERO, factor_millionths: i64::MAX }).spike);
    }
}
