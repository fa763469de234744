//! Dated exchange rates, and conversion that says which way it rounds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tollgate_types::{Currency, Money, Rate, Wall};

/// Units of `to` for one unit of `from`, in 10⁻⁹, frozen for one call or one sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// What is given.
    pub from: Currency,
    /// What is got.
    pub to: Currency,
    /// How many of `to` for one of `from`.
    pub rate: ExchangeRate,
}

/// A positive factor with nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExchangeRate(i64);

/// Which way a conversion rounds what does not divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the next amount away from zero for positive ones: costs, so that none is understated.
    Up,
    /// To the amount below: what is available, so that none is overstated.
    Down,
}

/// A text that is no exchange rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an exchange rate: a positive decimal with at most 9 decimals, such as 1.0842")]
pub struct ParseExchangeError(String);

/// All rates an operator has set, by pair and date.
#[derive(Clone, Debug, Default)]
pub struct RateTable {
    pairs: BTreeMap<(Currency, Currency), Vec<(Wall, ExchangeRate)>>,
}

const ONE: i128 = 1_000_000_000;

impl Exchange {
    /// A currency into itself.
    pub const fn none(currency: Currency) -> Exchange {
        Exchange { from: currency, to: currency, rate: ExchangeRate(ONE as i64) }
    }

    /// `amount` of `from` in `to`; stops at the ends of the range.
    pub fn convert(&self, amount: Money, rounding: Rounding) -> Money {
        let product = i128::from(amount.micros()) * i128::from(self.rate.0);
        Money::from_micros(narrow(divide(product, ONE, rounding)))
    }

    /// A price per minute of `from` in `to`; stops at the ends of the range.
    pub fn convert_rate(&self, rate: Rate, rounding: Rounding) -> Rate {
        let product = i128::from(rate.nanos()) * i128::from(self.rate.0);
        Rate::from_nanos(narrow(divide(product, ONE, rounding)))
    }
}

impl RateTable {
    /// Adds a rate that holds from `since` on; one set for the same instant is replaced.
    pub fn set(&mut self, from: Currency, to: Currency, since: Wall, rate: ExchangeRate) {
        let dated = self.pairs.entry((from, to)).or_default();
        match dated.binary_search_by_key(&since, |(at, _)| *at) {
            Ok(at) => dated[at].1 = rate,
            Err(at) => dated.insert(at, (since, rate)),
        }
    }

    /// The exchange in force at `at`: the pair as set, else the reverse pair turned round; `None` when neither is set by then.
    pub fn at(&self, from: Currency, to: Currency, at: Wall) -> Option<Exchange> {
        if from == to {
            return Some(Exchange::none(from));
        }
        let dated = |pair| {
            let rates: &Vec<(Wall, ExchangeRate)> = self.pairs.get(&pair)?;
            rates[..rates.partition_point(|(since, _)| *since <= at)].last().map(|(_, rate)| *rate)
        };
        let rate = match (dated((from, to)), dated((to, from))) {
            (Some(rate), _) => rate,
            (None, Some(reverse)) => reverse.inverse()?,
            (None, None) => return None,
        };
        Some(Exchange { from, to, rate })
    }
}

impl ExchangeRate {
    /// From 10⁻⁹; `None` unless positive.
    pub fn from_nanos(nanos: i64) -> Option<ExchangeRate> {
        (nanos > 0).then_some(ExchangeRate(nanos))
    }

    /// In 10⁻⁹.
    pub fn nanos(self) -> i64 {
        self.0
    }

    fn inverse(self) -> Option<ExchangeRate> {
        i64::try_from(divide(ONE * ONE, i128::from(self.0), Rounding::Up)).ok().and_then(ExchangeRate::from_nanos)
    }
}

/// `numerator ÷ denominator` as said; the denominator is positive.
pub(crate) fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    let floor = numerator.div_euclid(denominator);
    match rounding {
        Rounding::Up if numerator.rem_euclid(denominator) != 0 => floor + 1,
        _ => floor,
    }
}

pub(crate) fn narrow(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

impl fmt::Display for ExchangeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rate::from_nanos(self.0).fmt(f)
    }
}

impl FromStr for ExchangeRate {
    type Err = ParseExchangeError;
    fn from_str(text: &str) -> Result<ExchangeRate, ParseExchangeError> {
        let rate: Option<Rate> = text.parse().ok();
        rate.and_then(|rate| ExchangeRate::from_nanos(rate.nanos())).ok_or_else(|| ParseExchangeError(text.to_owned()))
    }
}

impl Serialize for ExchangeRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExchangeRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExchangeRate, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn the_rate_of_the_day_counts_and_rounding_is_said() {
        let mut table = RateTable::default();
        let (eur, usd) = (currency("EUR"), currency("USD"));
        table.set(eur, usd, Wall::from_secs(100), "1.1".parse().unwrap());
        table.set(eur, usd, Wall::from_secs(200), "1.25".parse().unwrap());
        //  at   from to   amount        up          down
        for (at, from, to, amount, up, down) in [
            (100, eur, usd, "1.000001", "1.100002", "1.100001"),
            (199, eur, usd, "2", "2.200000", "2.200000"),
            (200, eur, usd, "2", "2.500000", "2.500000"),
            (200, usd, eur, "2.5", "2.000000", "2.000000"),
            (0, usd, usd, "7", "7.000000", "7.000000"),
            (200, eur, usd, "-0.000001", "-0.000001", "-0.000002"),
        ] {
            let exchange = table.at(from, to, Wall::from_secs(at)).unwrap();
            let amount: Money = amount.parse().unwrap();
            assert_eq!(exchange.convert(amount, Rounding::Up).to_string(), up, "{at} {amount}");
            assert_eq!(exchange.convert(amount, Rounding::Down).to_string(), down, "{at} {amount}");
        }
        assert_eq!(table.at(eur, usd, Wall::from_secs(99)), None, "no rate before the first");
        assert_eq!(table.at(eur, currency("HUF"), Wall::from_secs(200)), None);
    }

    #[test]
    fn a_rate_is_positive() {
        for bad in ["0", "-1", "x", "", "0.0000000001"] {
            assert!(bad.parse::<ExchangeRate>().is_err(), "{bad:?}");
        }
    }
}
