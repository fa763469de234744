//! Telephone numbers in one form: E.164 digits without the plus sign.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A full international number, one to fifteen digits (ITU-T E.164 §6.2.1), stored without its plus sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(Digits);

/// Leading digits of numbers, zero to fifteen of them; the longest that fits wins.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Digits);

/// Why a text is neither number nor prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNumberError {
    /// A character that is no digit.
    #[error("{0:?} is not a number: digits only, with or without a leading +")]
    NotDigits(String),
    /// More than fifteen digits, or none where one is needed.
    #[error("{0:?} must have 1 to 15 digits")]
    Length(String),
}

const MOST_DIGITS: usize = 15;

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Digits {
    ascii: [u8; MOST_DIGITS],
    len: u8,
}

impl E164 {
    /// The digits, without plus.
    pub fn digits(&self) -> &str {
        self.0.as_str()
    }
}

impl Prefix {
    /// The empty prefix: every number begins with it.
    pub const ANY: Prefix = Prefix(Digits { ascii: [0; MOST_DIGITS], len: 0 });

    /// The digits.
    pub fn digits(&self) -> &str {
        self.0.as_str()
    }

    /// Does `number` begin with it?
    pub fn fits(&self, number: &E164) -> bool {
        number.digits().starts_with(self.digits())
    }
}

impl Digits {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.ascii[..usize::from(self.len)]).unwrap_or("")
    }

    fn parse(text: &str, least: usize) -> Result<Digits, ParseNumberError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseNumberError::NotDigits(text.to_owned()));
        }
        if digits.len() < least || digits.len() > MOST_DIGITS {
            return Err(ParseNumberError::Length(text.to_owned()));
        }
        let mut ascii = [0; MOST_DIGITS];
        ascii[..digits.len()].copy_from_slice(digits.as_bytes());
        Ok(Digits { ascii, len: digits.len() as u8 })
    }
}

impl FromStr for E164 {
    type Err = ParseNumberError;
    /// Accepts digits with or without a leading plus sign.
    fn from_str(text: &str) -> Result<E164, ParseNumberError> {
        Digits::parse(text, 1).map(E164)
    }
}

impl FromStr for Prefix {
    type Err = ParseNumberError;
    /// Accepts digits with or without a leading plus sign; the empty text is [`Prefix::ANY`].
    fn from_str(text: &str) -> Result<Prefix, ParseNumberError> {
        Digits::parse(text, 0).map(Prefix)
    }
}

macro_rules! printed_as_digits {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.digits())
            }
        }

        /// Shows the first digits only: logs hold no full numbers.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let digits = self.digits();
                let shown = digits.len().min(6);
                write!(f, "{}{}", &digits[..shown], "*".repeat(digits.len() - shown))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.digits())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

printed_as_digits!(E164, Prefix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_alone() {
        assert_eq!("+3612345678".parse::<E164>().unwrap().digits(), "3612345678");
        for bad in ["", "+", "36 1", "36-1", "٣٦١", "1234567890123456", "++36"] {
            assert!(bad.parse::<E164>().is_err(), "{bad:?}");
        }
        assert_eq!(format!("{:?}", "3612345678".parse::<E164>().unwrap()), "361234****");
    }

    #[test]
    fn the_empty_prefix_fits_all() {
        let number: E164 = "3612345678".parse().unwrap();
        assert!(Prefix::ANY.fits(&number));
        assert!("361".parse::<Prefix>().unwrap().fits(&number));
        assert!(!"362".parse::<Prefix>().unwrap().fits(&number));
    }
}
