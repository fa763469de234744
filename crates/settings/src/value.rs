//! A setting's value: read from text by the row's kind, printed in one canonical way.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tollgate_types::Money;

use crate::mistake::Mistake;
use crate::row::{Kind, Literal, Row};
use crate::span;

/// What a setting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No limit, or not done at all.
    Off,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A length of time in whole milliseconds.
    Duration(Duration),
    /// An amount in the platform's currency.
    Money(Money),
    /// A factor.
    Multiplier(Multiplier),
    /// One of the row's words.
    Word(&'static str),
    /// Texts.
    List(Arc<[Box<str>]>),
    /// A text.
    Text(Arc<str>),
}

/// A factor with six decimals, as an integer in millionths: no float comes near money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Multiplier(pub i64);

impl Multiplier {
    /// The factor in millionths.
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// `amount` times the factor, rounded down, held at the ends of the range.
    pub fn times(self, amount: Money) -> Money {
        let product = i128::from(amount.micros()) * i128::from(self.0);
        let micros = product.div_euclid(1_000_000).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Money::from_micros(micros as i64)
    }
}

impl std::fmt::Display for Multiplier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fixed = Money::from_micros(self.0).to_string();
        f.write_str(fixed.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Value {
    /// Reads `text` as the native value of `row`; the error says what is expected instead.
    pub fn parse(row: &'static Row, text: &str) -> Result<Value, Mistake> {
        let trimmed = text.trim();
        if row.may_be_off && (trimmed.eq_ignore_ascii_case("off") || trimmed.eq_ignore_ascii_case("unlimited")) {
            return Ok(Value::Off);
        }
        let value = match row.kind {
            Kind::Bool => bool_from(trimmed).map(Value::Bool),
            Kind::Integer { .. } => trimmed.parse().ok().map(Value::Integer),
            Kind::Duration { .. } if row.counts_millis() => span::parse_with(trimmed, 1).map(Value::Duration),
            Kind::Duration { .. } => span::parse_with(trimmed, 1000).map(Value::Duration),
            Kind::Money => trimmed.parse().ok().map(Value::Money),
            Kind::Multiplier { .. } => {
                millionths_from(trimmed).map(|millionths| Value::Multiplier(Multiplier(millionths)))
            }
            Kind::Word(words) => {
                words.iter().find(|word| word.eq_ignore_ascii_case(trimmed)).map(|word| Value::Word(word))
            }
            Kind::List { .. } => Some(Value::List(entries_of(trimmed))),
            Kind::Text { .. } => Some(Value::Text(trimmed.into())),
        };
        let value = value.ok_or_else(|| Mistake::value(row, text))?;
        if value.fits(row) { Ok(value) } else { Err(Mistake::value(row, text)) }
    }

    /// Is this a value that `row` may have?
    pub fn fits(&self, row: &Row) -> bool {
        match (self, row.kind) {
            (Value::Off, _) => row.may_be_off,
            (Value::Bool(_), Kind::Bool) => true,
            (Value::Integer(number), Kind::Integer { least, most }) => (least..=most).contains(number),
            (Value::Duration(span), Kind::Duration { least, most }) => (least..=most).contains(span),
            (Value::Money(amount), Kind::Money) => !amount.is_negative(),
            (Value::Multiplier(factor), Kind::Multiplier { least, most }) => (least..=most).contains(&factor.0),
            (Value::Word(word), Kind::Word(words)) => words.contains(word),
            (Value::List(list), Kind::List { most, entry }) => {
                list.len() <= most && list.iter().all(|text| one_line(text) && (entry.fits)(text))
            }
            (Value::Text(text), Kind::Text { most }) => text.len() <= most && one_line(text),
            _ => false,
        }
    }

    /// The canonical text, which [`Value::parse`] reads back as the same value.
    pub fn print(&self, row: &Row) -> String {
        match self {
            Value::Off => "off".to_owned(),
            Value::Bool(yes) => yes.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Duration(span) if row.counts_millis() => span.as_millis().to_string(),
            Value::Duration(span) => span::print(*span),
            Value::Money(amount) => amount.to_string(),
            Value::Multiplier(factor) => factor.to_string(),
            Value::Word(word) => (*word).to_owned(),
            Value::List(list) => list.join(","),
            Value::Text(text) => text.to_string(),
        }
    }

    /// For JSON: amounts as decimal strings, durations as integer seconds (milliseconds where the name ends in `_ms`, or
    /// the canonical text where seconds would lose something), off as null.
    pub fn json<'a>(&'a self, row: &'a Row) -> impl Serialize + 'a {
        Json { value: self, row }
    }
}

struct Json<'a> {
    value: &'a Value,
    row: &'a Row,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Off => serializer.serialize_none(),
            Value::Bool(yes) => serializer.serialize_bool(*yes),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Duration(span) if self.row.counts_millis() => serializer.serialize_u64(span.as_millis() as u64),
            Value::Duration(span) if span.subsec_millis() == 0 => serializer.serialize_u64(span.as_secs()),
            Value::List(list) => serializer.collect_seq(list.iter()),
            other => serializer.serialize_str(&other.print(self.row)),
        }
    }
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Value {
        match literal {
            Literal::Off => Value::Off,
            Literal::Bool(yes) => Value::Bool(yes),
            Literal::Integer(number) => Value::Integer(number),
            Literal::Duration(span) => Value::Duration(span),
            Literal::MoneyMicros(micros) => Value::Money(Money::from_micros(micros)),
            Literal::Millionths(millionths) => Value::Multiplier(Multiplier(millionths)),
            Literal::Word(word) => Value::Word(word),
            Literal::List(list) => Value::List(list.iter().map(|text| Box::from(*text)).collect()),
            Literal::Text(text) => Value::Text(text.into()),
        }
    }
}

/// Reads yes or no in the spellings that people use.
pub(crate) fn bool_from(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Reads a decimal with at most six decimals as millionths.
pub(crate) fn millionths_from(text: &str) -> Option<i64> {
    text.parse::<Money>().ok().map(Money::micros)
}

fn entries_of(text: &str) -> Arc<[Box<str>]> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(Box::from).collect()
}

fn one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
