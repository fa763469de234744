//! How a carrier wants numbers, and which caller it is shown.

use std::fmt;
use std::str::FromStr;

use tollgate_types::E164;

use crate::country::Country;

/// How a carrier wants the number dialled: shaped first, then stripped, then prefixed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberFormat {
    /// Its shape.
    pub shape: Shape,
    /// Leading characters taken away after shaping, where they are there.
    pub strip: Box<str>,
    /// Characters put in front at the end: a tech prefix, or an access code.
    pub add: Box<str>,
}

/// A number's shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `36301234567`.
    #[default]
    Digits,
    /// `+36301234567`.
    Plus,
    /// `06301234567` in the carrier's country, with its international prefix elsewhere.
    National,
    /// `0036301234567`.
    International,
}

/// Which caller a carrier is shown. A user's name is never among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerIdFormat {
    /// The caller's number in this shape; see [`caller_id`] for what stands in where there is none.
    Number(Shape),
    /// One number for every call.
    Fixed(E164, Shape),
    /// Nobody: `anonymous`.
    Anonymous,
}

/// The caller as a carrier is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownCaller {
    /// The user part.
    Number(String),
    /// No identity in From (RFC 3323 §4.1.1.3).
    Anonymous,
}

/// Numbers that may stand for the caller, the first that is there is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallerNumbers {
    /// What the caller asked to show, checked to be his.
    pub asked: Option<E164>,
    /// His own caller id.
    pub own: Option<E164>,
    /// His account's main number.
    pub account: Option<E164>,
}

impl NumberFormat {
    /// `number` as the carrier in `country` wants it.
    pub fn apply(&self, number: &E164, country: Option<Country>) -> String {
        self.dress(self.shape.of(number, country))
    }

    /// A short code that has no E.164 form, such as an emergency number: only prefixed.
    pub fn apply_short(&self, digits: &str) -> String {
        format!("{}{digits}", self.add)
    }

    fn dress(&self, shaped: String) -> String {
        let bare = shaped.strip_prefix(&*self.strip).unwrap_or(&shaped);
        format!("{}{bare}", self.add)
    }
}

/// Who is shown to a carrier. Emergency calls show a number whatever `withheld` says.
pub fn caller_id(
    format: &CallerIdFormat,
    numbers: &CallerNumbers,
    trunk_default: Option<E164>,
    country: Option<Country>,
    withheld: bool,
    emergency: bool,
) -> ShownCaller {
    let there = numbers.asked.or(numbers.own).or(numbers.account).or(trunk_default);
    match format {
        CallerIdFormat::Anonymous if !emergency => ShownCaller::Anonymous,
        _ if withheld && !emergency => ShownCaller::Anonymous,
        CallerIdFormat::Fixed(number, shape) if !emergency => ShownCaller::Number(shape.of(number, country)),
        CallerIdFormat::Fixed(number, shape) => ShownCaller::Number(shape.of(&there.unwrap_or(*number), country)),
        CallerIdFormat::Anonymous => shown(there, Shape::Digits, country),
        CallerIdFormat::Number(shape) => shown(there, *shape, country),
    }
}

fn shown(number: Option<E164>, shape: Shape, country: Option<Country>) -> ShownCaller {
    number.map_or(ShownCaller::Anonymous, |number| ShownCaller::Number(shape.of(&number, country)))
}

impl Shape {
    /// `number` in this shape.
    pub fn of(self, number: &E164, country: Option<Country>) -> String {
        let international = || format!("{}{number}", country.map_or("00", Country::international_prefix));
        match self {
            Shape::Digits => number.to_string(),
            Shape::Plus => format!("+{number}"),
            Shape::International => international(),
            Shape::National => match country {
                Some(country) => country.national(number).unwrap_or_else(international),
                None => number.to_string(),
            },
        }
    }

    const ALL: [(Shape, &'static str); 4] = [
        (Shape::Digits, "e164"),
        (Shape::Plus, "plus"),
        (Shape::National, "national"),
        (Shape::International, "international"),
    ];

    fn name(self) -> &'static str {
        Shape::ALL.iter().find(|(shape, _)| *shape == self).map_or("e164", |(_, name)| name)
    }
}

/// Not a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFormat {
    /// Not a number format.
    #[error(
        "{0:?} is no number format: e164, plus, national or international, then -DIGITS to strip and +DIGITS to add, as in e164,-36,+99"
    )]
    Number(String),
    /// Not a caller-id format.
    #[error("{0:?} is no caller-id format: e164, plus, national, international, anonymous, or fixed:NUMBER")]
    CallerId(String),
}

impl FromStr for NumberFormat {
    type Err = BadFormat;
    fn from_str(text: &str) -> Result<NumberFormat, BadFormat> {
        let bad = || BadFormat::Number(text.chars().take(40).collect());
        let mut format = NumberFormat::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let dialable =
                |rest: &str| rest.len() <= 15 && rest.bytes().all(|b| b.is_ascii_digit() || b"*#+".contains(&b));
            if let Some((shape, _)) = Shape::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(part)) {
                format.shape = *shape;
            } else if let Some(rest) = part.strip_prefix('-').filter(|rest| dialable(rest)) {
                format.strip = rest.into();
            } else if let Some(rest) = part.strip_prefix('+').filter(|rest| dialable(rest)) {
                format.add = rest.into();
            } else {
                return Err(bad());
            }
        }
        Ok(format)
    }
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.name())?;
        if !self.strip.is_empty() {
            write!(f, ",-{}", self.strip)?;
        }
        if !self.add.is_empty() {
            write!(f, ",+{}", self.add)?;
        }
        Ok(())
    }
}

impl Default for CallerIdFormat {
    fn default() -> CallerIdFormat {
        CallerIdFormat::Number(Shape::Digits)
    }
}

impl FromStr for CallerIdFormat {
    type Err = BadFormat;
    fn from_str(text: &str) -> Result<CallerIdFormat, BadFormat> {
        let bad = || BadFormat::CallerId(text.chars().take(40).collect());
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("anonymous") {
            return Ok(CallerIdFormat::Anonymous);
        }
        if let Some(number) = trimmed.strip_prefix("fixed:") {
            let shape = if number.starts_with('+') { Shape::Plus } else { Shape::Digits };
            return number.parse().map(|number| CallerIdFormat::Fixed(number, shape)).map_err(|_| bad());
        }
        let named = Shape::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(trimmed));
        named.map(|(shape, _)| CallerIdFormat::Number(*shape)).ok_or_else(bad)
    }
}

impl fmt::Display for CallerIdFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallerIdFormat::Number(shape) => f.write_str(shape.name()),
            CallerIdFormat::Fixed(number, Shape::Plus) => write!(f, "fixed:+{number}"),
            CallerIdFormat::Fixed(number, _) => write!(f, "fixed:{number}"),
            CallerIdFormat::Anonymous => f.write_str("anonymous"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_leave_as_the_carrier_wants_them() {
        for (format, number, sent) in [
            ("e164", "36301234567", "36301234567"),
            ("plus", "36301234567", "+36301234567"),
            ("national", "36301234567", "06301234567"),
            ("national", "44201234567", "0044201234567"),
            ("international", "36301234567", "0036301234567"),
            ("e164,-36", "36301234567", "301234567"),
            ("e164,-36", "44301234567", "44301234567"),
            ("e164,+99#", "36301234567", "99#36301234567"),
            ("plus,-+,+00", "36301234567", "0036301234567"),
        ] {
            let read: NumberFormat = format.parse().unwrap();
            assert_eq!(read.apply(&number.parse().unwrap(), "HU".parse().ok()), sent, "{format}");
            assert_eq!(read.to_string(), format);
        }
        assert_eq!("e164,+99".parse::<NumberFormat>().unwrap().apply_short("112"), "99112");
        for bad in ["fancy", "e164,-x", "+1234567890123456", "plus,a"] {
            assert!(bad.parse::<NumberFormat>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_carrier_sees_a_number_or_nobody() {
        let number = |text: &str| text.parse::<E164>().ok();
        //   format, asked, own, account, trunk, withheld, emergency → shown
        for (format, [asked, own, account, trunk], withheld, emergency, shown) in [
            ("e164", ["361", "362", "363", "364"], false, false, "361"),
            ("e164", ["", "362", "363", "364"], false, false, "362"),
            ("e164", ["", "", "363", "364"], false, false, "363"),
            ("plus", ["", "", "", "364"], false, false, "+364"),
            ("e164", ["", "", "", ""], false, false, "nobody"),
            ("e164", ["361", "", "", ""], true, false, "nobody"),
            ("e164", ["361", "", "", ""], true, true, "361"),
            ("anonymous", ["361", "", "", ""], false, false, "nobody"),
            ("anonymous", ["361", "", "", ""], true, true, "361"),
            ("fixed:+365", ["361", "", "", ""], false, false, "+365"),
            ("fixed:365", ["361", "", "", ""], true, false, "nobody"),
            ("fixed:365", ["361", "", "", ""], false, true, "361"),
            ("national", ["36301234567", "", "", ""], false, false, "06301234567"),
        ] {
            let read: CallerIdFormat = format.parse().unwrap();
            assert_eq!(read.to_string(), format);
            let numbers = CallerNumbers { asked: number(asked), own: number(own), account: number(account) };
            let caller = caller_id(&read, &numbers, number(trunk), "HU".parse().ok(), withheld, emergency);
            let caller = match caller {
                ShownCaller::Number(number) => number,
                ShownCaller::Anonymous => "nobody".to_owned(),
            };
            assert_eq!(caller, shown, "{format}");
        }
        assert!("alice".parse::<CallerIdFormat>().is_err());
        assert!("fixed:alice".parse::<CallerIdFormat>().is_err());
    }
}
