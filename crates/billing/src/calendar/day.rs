//! A calendar day and a calendar month, as books name them: without a time zone, which is the account's business.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar day; the number counts days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// A calendar month; the number counts months since January of year 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub i32);

/// A text that is no day or month.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date such as 2026-03-01")]
pub struct ParseDayError(String);

impl Day {
    /// The day after.
    pub fn next(self) -> Day {
        Day(self.0.saturating_add(1))
    }

    /// The month it lies in.
    pub fn month(self) -> Month {
        let date = self.to_date();
        Month(date.year() * 12 + date.month0() as i32)
    }
}

impl Month {
    /// The month after.
    pub fn next(self) -> Month {
        Month(self.0.saturating_add(1))
    }

    /// Its first day.
    pub fn first_day(self) -> Day {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) as u32 + 1);
        let date = NaiveDate::from_ymd_opt(year, month, 1).unwrap_or(NaiveDate::MAX);
        Day::from_date(date)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_date().fmt(f)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl FromStr for Day {
    type Err = ParseDayError;
    fn from_str(text: &str) -> Result<Day, ParseDayError> {
        NaiveDate::from_str(text.trim()).map(Day::from_date).map_err(|_| ParseDayError(text.to_owned()))
    }
}

impl FromStr for Month {
    type Err = ParseDayError;
    fn from_str(text: &str) -> Result<Month, ParseDayError> {
        let day: Result<Day, _> = format!("{}-01", text.trim()).parse();
        day.map(Day::month).map_err(|_| ParseDayError(text.to_owned()))
    }
}

macro_rules! serialised_as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

serialised_as_text!(Day, Month);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_read_and_printed() {
        let day: Day = "2026-12-31".parse().unwrap();
        assert_eq!((day.to_string(), day.next().to_string()), ("2026-12-31".into(), "2027-01-01".into()));
        assert_eq!((day.month().to_string(), day.month().next().to_string()), ("2026-12".into(), "2027-01".into()));
        assert_eq!(day.month().first_day().to_string(), "2026-12-01");
        assert_eq!("2026-12".parse::<Month>().unwrap(), day.month());
        assert_eq!("1970-01-01".parse::<Day>().unwrap(), Day(0));
        for bad in ["", "2026-02-30", "yesterday", "2026/01/01"] {
            assert!(bad.parse::<Day>().is_err(), "{bad:?}");
        }
    }
}
