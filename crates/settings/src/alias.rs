//! The guide's names: under such a name a value has the guide's unit and meaning, and is stored as ours.

use std::time::Duration;

use crate::mistake::Mistake;
use crate::row::{Kind, Literal, Row};
use crate::value::{Value, bool_from, millionths_from};

/// Another name of a setting, and how a value under that name is read.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// As the guide spells it; compared without regard to case.
    pub name: &'static str,
    /// What its values mean.
    pub reads: Reads,
    /// Whole numbers that mean `off` under this name, such as 0 and -1.
    pub off: &'static [i64],
}

/// What a value under an alias means.
#[derive(Clone, Copy, Debug)]
pub enum Reads {
    /// The same as under our own name.
    Native,
    /// A decimal count of a unit this long: `1.5` days. Finer than a millisecond is cut.
    Spans(Duration),
    /// Each whole number means one value.
    Table(&'static [(i64, Literal)]),
}

impl Alias {
    /// Only the name differs.
    pub const fn same(name: &'static str) -> Alias {
        Alias { name, reads: Reads::Native, off: &[] }
    }

    /// A decimal number of days.
    pub const fn days(name: &'static str) -> Alias {
        Alias { name, reads: Reads::Spans(Duration::from_secs(86_400)), off: &[] }
    }

    /// A decimal number of hours.
    pub const fn hours(name: &'static str) -> Alias {
        Alias { name, reads: Reads::Spans(Duration::from_secs(3600)), off: &[] }
    }

    /// A decimal number of minutes.
    pub const fn minutes(name: &'static str) -> Alias {
        Alias { name, reads: Reads::Spans(Duration::from_secs(60)), off: &[] }
    }

    /// A decimal number of seconds.
    pub const fn seconds(name: &'static str) -> Alias {
        Alias { name, reads: Reads::Spans(Duration::from_secs(1)), off: &[] }
    }

    /// Levels by number, each with what it means here.
    pub const fn levels(name: &'static str, table: &'static [(i64, Literal)]) -> Alias {
        Alias { name, reads: Reads::Table(table), off: &[] }
    }

    /// These whole numbers mean `off`.
    pub const fn off_at(mut self, off: &'static [i64]) -> Alias {
        self.off = off;
        self
    }

    /// Reads `text` as this name's value of `row`.
    pub fn parse(&self, row: &'static Row, text: &str) -> Result<Value, Mistake> {
        let mistake = || Mistake::alias(row, self, text);
        let trimmed = text.trim();
        if millionths_from(trimmed)
            .is_some_and(|given| self.off.iter().any(|off| off.checked_mul(1_000_000) == Some(given)))
        {
            return if row.may_be_off { Ok(Value::Off) } else { Err(mistake()) };
        }
        let value = match self.reads {
            Reads::Native => Value::parse(row, trimmed).map_err(|_| mistake())?,
            // A length of time may still be given in our own way, with its unit.
            Reads::Spans(unit) => match spans(trimmed, unit) {
                Some(span) => Value::Duration(span),
                None => Value::parse(row, trimmed).map_err(|_| mistake())?,
            },
            Reads::Table(table) => {
                let level = match (row.kind, bool_from(trimmed)) {
                    (_, None) => trimmed.parse().ok(),
                    (_, Some(yes)) => trimmed.parse().ok().or(Some(i64::from(yes))),
                };
                match level.and_then(|level| table.iter().find(|(number, _)| *number == level)) {
                    Some((_, literal)) => Value::from(*literal),
                    None if matches!(row.kind, Kind::Word(_)) => Value::parse(row, trimmed).map_err(|_| mistake())?,
                    None => return Err(mistake()),
                }
            }
        };
        if value.fits(row) { Ok(value) } else { Err(mistake()) }
    }

    /// What a value under this name must look like.
    pub fn expects(&self, row: &Row) -> String {
        let mut words = match self.reads {
            Reads::Native => crate::describe::expects(row),
            Reads::Spans(unit) => {
                let unit = match unit.as_secs() {
                    86_400 => "days",
                    3600 => "hours",
                    60 => "minutes",
                    _ => "seconds",
                };
                format!("a number of {unit}, decimals allowed{}", crate::describe::range(row))
            }
            Reads::Table(table) => {
                let levels: Vec<_> = table
                    .iter()
                    .map(|(level, value)| format!("{level} ({})", Value::from(*value).print(row)))
                    .collect();
                if let [only] = &levels[..] { only.clone() } else { format!("one of {}", levels.join(", ")) }
            }
        };
        if !self.off.is_empty() && row.may_be_off {
            let off: Vec<_> = self.off.iter().map(i64::to_string).collect();
            words += &format!(", or {} for off", off.join(" or "));
        }
        words
    }
}

fn spans(text: &str, unit: Duration) -> Option<Duration> {
    let millionths = u128::try_from(millionths_from(text)?).ok()?;
    let millis = millionths.checked_mul(unit.as_millis())? / 1_000_000;
    u64::try_from(millis).ok().map(Duration::from_millis)
}
