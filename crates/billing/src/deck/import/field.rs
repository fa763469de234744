//! One field of a file, read or told about.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use tollgate_types::{Money, Prefix, Rate, Wall};

use super::columns::{Column, Columns};
use super::mistake::{Mistake, Mistakes};
use crate::calendar::week::RESERVED;
use crate::calendar::{Calendar, Zone};
use crate::deck::Band;

/// The fields of one line.
pub(super) struct Fields<'a> {
    pub record: &'a csv::ByteRecord,
    pub line: u64,
    pub columns: &'a Columns,
    pub mistakes: &'a mut Mistakes,
}

/// Nobody bills in steps longer than an hour; a slip of the pen does.
const LONGEST_INCREMENT: u32 = 3600;

impl Fields<'_> {
    /// The column's value; `None` when the file has none there, or it is wrong, which is told.
    pub fn read<T>(&mut self, column: Column, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let bytes = self.columns.field(self.record, column)?;
        // An empty prefix is one: it fits every number.
        if bytes.is_empty() && column != Column::Prefix {
            return None;
        }
        let text = String::from_utf8_lossy(bytes);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                let name = self.columns.name(column);
                self.mistakes.add(Mistake::new(self.line, name, text, expected));
                None
            }
        }
    }

    /// Tells that a value is missing, unless it was told already that it is wrong.
    pub fn require(&mut self, column: Column, expected: &str) {
        let name = self.columns.name(column);
        let told = self.mistakes.0.last().is_some_and(|last| last.line == self.line && last.column.as_deref() == name);
        if !told {
            self.mistakes.add(Mistake::new(self.line, name, "", expected));
        }
    }

    /// The column as text; what is not UTF-8 in it is replaced.
    pub fn text(&self, column: Column) -> String {
        let bytes = self.columns.field(self.record, column).unwrap_or_default();
        String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect()
    }
}

pub(super) fn prefix(text: &str) -> Result<Prefix, String> {
    text.parse().map_err(|_| "the leading digits of numbers, such as 361".to_owned())
}

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let rate: Option<Rate> = text.parse().ok();
    rate.filter(|rate| *rate >= Rate::ZERO).ok_or_else(|| "a price per minute such as 0.0125".to_owned())
}

pub(super) fn fee(text: &str) -> Result<Money, String> {
    let fee: Option<Money> = text.parse().ok();
    fee.filter(|fee| !fee.is_negative()).ok_or_else(|| "an amount such as 0.05".to_owned())
}

pub(super) fn increment(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST_INCREMENT).contains(seconds));
    seconds.ok_or_else(|| format!("1 to {LONGEST_INCREMENT} seconds, such as 60 or 60/6"))
}

/// The first increment, and the next where both are written in one.
pub(super) fn increments(text: &str) -> Result<(u32, Option<u32>), String> {
    match text.split_once('/') {
        Some((first, next)) => increment(first.trim()).and_then(|first| Ok((first, Some(increment(next.trim())?)))),
        None => increment(text).map(|first| (first, None)),
    }
}

pub(super) fn grace(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LONGEST_INCREMENT);
    seconds.ok_or_else(|| format!("0 to {LONGEST_INCREMENT} whole seconds"))
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "y" => Ok(true),
        "0" | "no" | "false" | "n" => Ok(false),
        _ => Err("yes or no".to_owned()),
    }
}

pub(super) fn band(text: &str, calendar: &Calendar) -> Result<Band, String> {
    let band = Band::from(text);
    let Band::Named(name) = &band else { return Ok(band) };
    let mut names: Vec<&str> = calendar.holidays().iter().map(|holiday| holiday.name.as_str()).collect();
    names.dedup();
    if names.contains(&&**name) && !RESERVED.contains(&&**name) {
        return Ok(band);
    }
    let names = if names.is_empty() { "none is defined".to_owned() } else { names.join(", ") };
    Err(format!("all, peak, offpeak, onnet, holiday or the name of a holiday ({names})"))
}

/// A date, a date with a time, both told by clocks of `zone`, or an instant with its offset.
pub(super) fn date(text: &str, zone: Zone) -> Result<Wall, String> {
    let local = || {
        let day = text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN));
        let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
        let timed = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        day.ok().or(timed).map(|local| zone.instant(local))
    };
    let instant = DateTime::parse_from_rfc3339(text).ok().map(|time| Wall::from_utc(time.with_timezone(&Utc)));
    instant
        .or_else(local)
        .ok_or_else(|| "a date such as 2026-03-01, 2026-03-01 08:00 or 2026-03-01T08:00:00Z".to_owned())
}
