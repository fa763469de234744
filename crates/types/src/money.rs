//! Money as integers: amounts in 10⁻⁶ of a currency unit, per-minute rates in 10⁻⁹.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in 10⁻⁶ of a currency unit; which currency is said by what carries it.
///
/// Printed and serialised as a decimal string with exactly six decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// A price per minute in 10⁻⁹ of a currency unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(i64);

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    /// Something other than an optional sign, digits and one point.
    #[error("{0:?} is not a decimal number such as 12.50")]
    NotDecimal(String),
    /// More decimals than the unit can hold; nothing is rounded silently.
    #[error("{text:?} has more than {most} decimals")]
    TooFine {
        /// What was given.
        text: String,
        /// Decimals the unit holds.
        most: usize,
    },
    /// Beyond what 64 bits hold.
    #[error("{0:?} is too large")]
    TooLarge(String),
    /// Not three letters.
    #[error("{0:?} is not a currency code such as USD")]
    NotCurrency(String),
}

const MONEY_DECIMALS: usize = 6;
const RATE_DECIMALS: usize = 9;

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);
    /// The largest amount; used as "no limit" only inside arithmetic, never stored as one.
    pub const MAX: Money = Money(i64::MAX);

    /// From 10⁻⁶ units.
    pub const fn from_micros(micros: i64) -> Money {
        Money(micros)
    }

    /// In 10⁻⁶ units.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Sum, or `None` on overflow.
    pub fn checked_add(self, other: Money) -> Option<Money> {
        self.0.checked_add(other.0).map(Money)
    }

    /// Difference, or `None` on overflow.
    pub fn checked_sub(self, other: Money) -> Option<Money> {
        self.0.checked_sub(other.0).map(Money)
    }

    /// Sum that stops at the ends of the range: for limits and comparisons, never for the books.
    pub fn saturating_add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }

    /// Difference that stops at the ends of the range: for limits and comparisons, never for the books.
    pub fn saturating_sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }

    /// The amount with its sign turned; `None` for the one value that has no opposite.
    pub fn checked_neg(self) -> Option<Money> {
        self.0.checked_neg().map(Money)
    }

    /// Below nothing?
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl Rate {
    /// Free.
    pub const ZERO: Rate = Rate(0);

    /// From 10⁻⁹ units per minute.
    pub const fn from_nanos(nanos: i64) -> Rate {
        Rate(nanos)
    }

    /// In 10⁻⁹ units per minute.
    pub const fn nanos(self) -> i64 {
        self.0
    }
}

impl Currency {
    /// US dollar, the platform's currency unless configured.
    pub const USD: Currency = Currency(*b"USD");

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl Sum for Money {
    /// Saturates; the books use [`Money::checked_add`].
    fn sum<I: Iterator<Item = Money>>(iter: I) -> Money {
        iter.fold(Money::ZERO, Money::saturating_add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(f, self.0, MONEY_DECIMALS)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(f, self.0, RATE_DECIMALS)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Money {
    type Err = ParseMoneyError;
    fn from_str(text: &str) -> Result<Money, ParseMoneyError> {
        parse_fixed(text, MONEY_DECIMALS).map(Money)
    }
}

impl FromStr for Rate {
    type Err = ParseMoneyError;
    fn from_str(text: &str) -> Result<Rate, ParseMoneyError> {
        parse_fixed(text, RATE_DECIMALS).map(Rate)
    }
}

impl FromStr for Currency {
    type Err = ParseMoneyError;
    fn from_str(text: &str) -> Result<Currency, ParseMoneyError> {
        let upper = text.trim().to_ascii_uppercase();
        match <[u8; 3]>::try_from(upper.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Currency(code)),
            _ => Err(ParseMoneyError::NotCurrency(text.to_owned())),
        }
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn write_fixed(f: &mut fmt::Formatter<'_>, value: i64, decimals: usize) -> fmt::Result {
    let scale = 10u64.pow(decimals as u32);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    write!(f, "{sign}{}.{:0decimals$}", magnitude / scale, magnitude % scale)
}

fn parse_fixed(text: &str, decimals: usize) -> Result<i64, ParseMoneyError> {
    let not_decimal = || ParseMoneyError::NotDecimal(text.to_owned());
    let trimmed = text.trim();
    let (negative, unsigned) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if (whole.is_empty() && fraction.is_empty())
        || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        || unsigned.ends_with('.')
    {
        return Err(not_decimal());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(ParseMoneyError::TooFine { text: text.to_owned(), most: decimals });
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        value = value * 10 + i128::from(byte - b'0');
        if value > i128::from(u64::MAX) {
            return Err(ParseMoneyError::TooLarge(text.to_owned()));
        }
    }
    value *= 10i128.pow((decimals - fraction.len()) as u32);
    i64::try_from(if negative { -value } else { value }).map_err(|_| ParseMoneyError::TooLarge(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_and_printed() {
        for (text, micros, printed) in [
            ("0", 0, "0.000000"),
            ("9.4", 9_400_000, "9.400000"),
            (" -0.000001 ", -1, "-0.000001"),
            (".5", 500_000, "0.500000"),
            ("+10.0000000", 10_000_000, "10.000000"),
            ("-9223372036854.775808", i64::MIN, "-9223372036854.775808"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.micros(), money.to_string().as_str()), (micros, printed), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "\"\" is not a decimal number such as 12.50"),
            ("1.", "\"1.\" is not a decimal number such as 12.50"),
            ("1,5", "\"1,5\" is not a decimal number such as 12.50"),
            ("1e3", "\"1e3\" is not a decimal number such as 12.50"),
            ("٣", "\"٣\" is not a decimal number such as 12.50"),
            ("0.0000001", "\"0.0000001\" has more than 6 decimals"),
            ("9223372036854.775808", "\"9223372036854.775808\" is too large"),
            ("99999999999999999999999999", "\"99999999999999999999999999\" is too large"),
        ] {
            assert_eq!(text.parse::<Money>().unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn a_currency_is_three_letters() {
        assert_eq!("eur".parse::<Currency>().unwrap().as_str(), "EUR");
        assert!("EU1".parse::<Currency>().is_err());
        assert!("EURO".parse::<Currency>().is_err());
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(micros: i64, nanos: i64) {
            prop_assert_eq!(Money(micros).to_string().parse::<Money>().unwrap(), Money(micros));
            prop_assert_eq!(Rate(nanos).to_string().parse::<Rate>().unwrap(), Rate(nanos));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Money>();
            let _ = text.parse::<Rate>();
            let _ = text.parse::<Currency>();
        }
    }
}
