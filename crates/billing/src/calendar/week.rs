//! The operator's week: spans of peak time, all else off-peak, and holidays. One definition for prices and for lines.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde::{Deserialize, Serialize};
use tollgate_types::Wall;

use super::day::Day;
use super::zone::Zone;

/// Peak time and holidays, in whatever zone an account or deck lives in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Spans of peak time; none overlap.
    peak: Vec<PeakSpan>,
    /// Dates that are neither peak nor off-peak.
    holidays: Vec<Holiday>,
}

/// The same hours on some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakSpan {
    /// Monday is bit 0, Sunday bit 6.
    pub days: u8,
    /// Its first minute of the day.
    pub from: u16,
    /// The minute of the day it ends before; 1440 is midnight.
    pub until: u16,
}

/// A date with a name that decks can price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    /// Lower case, without spaces: the band's name in decks.
    pub name: String,
    /// The year it is on; `None` = every year.
    pub year: Option<i32>,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

/// What an instant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Time {
    /// Inside a span of peak time.
    Peak,
    /// Outside all of them.
    Offpeak,
    /// On the n-th holiday of the calendar, all day.
    Holiday(u16),
}

/// Why a calendar is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Not a span.
    #[error("{0:?} is not a span such as mon-fri 08:00-18:00")]
    Span(String),
    /// Two spans share an instant.
    #[error("peak spans {0} and {1} overlap")]
    Overlap(PeakSpan, PeakSpan),
    /// Not a holiday.
    #[error("{0:?} is not a holiday such as christmas=12-25 or easter=2026-04-05")]
    Holiday(String),
    /// A name that means something else in decks.
    #[error("{0:?} cannot be a holiday's name: decks use it for a band")]
    Reserved(String),
}

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Bands that are no holiday's name.
pub(crate) const RESERVED: [&str; 5] = ["all", "peak", "offpeak", "onnet", "holiday"];

impl Calendar {
    /// Checks that no two spans overlap and that holidays have names of their own kind.
    pub fn new(peak: Vec<PeakSpan>, holidays: Vec<Holiday>) -> Result<Calendar, CalendarError> {
        for (n, one) in peak.iter().enumerate() {
            for other in &peak[n + 1..] {
                if one.days & other.days != 0 && one.from < other.until && other.from < one.until {
                    return Err(CalendarError::Overlap(*one, *other));
                }
            }
        }
        if let Some(holiday) = holidays.iter().find(|holiday| RESERVED.contains(&holiday.name.as_str())) {
            return Err(CalendarError::Reserved(holiday.name.clone()));
        }
        Ok(Calendar { peak, holidays })
    }

    /// Spans of peak time.
    pub fn peak(&self) -> &[PeakSpan] {
        &self.peak
    }

    /// Holidays.
    pub fn holidays(&self) -> &[Holiday] {
        &self.holidays
    }

    /// The name of a holiday.
    pub fn holiday_name(&self, index: u16) -> Option<&str> {
        self.holidays.get(usize::from(index)).map(|holiday| holiday.name.as_str())
    }

    /// What `at` is in `zone`.
    pub fn time_at(&self, zone: Zone, at: Wall) -> Time {
        let local = zone.local(at);
        let date = local.date();
        if let Some(n) = self.holidays.iter().position(|holiday| holiday.is_on(date)) {
            return Time::Holiday(n as u16);
        }
        let minute = (local.hour() * 60 + local.minute()) as u16;
        let today = 1u8 << date.weekday().num_days_from_monday();
        let peak = self.peak.iter().any(|span| span.days & today != 0 && (span.from..span.until).contains(&minute));
        if peak { Time::Peak } else { Time::Offpeak }
    }

    /// Lines and prices of off-peak time apply: off-peak, or a holiday.
    pub fn is_offpeak(&self, zone: Zone, at: Wall) -> bool {
        self.time_at(zone, at) != Time::Peak
    }

    /// The first instant after `at` at which the time may be another: a span's edge, or a day's turn where there are
    /// holidays. `None` when nothing ever changes.
    pub fn next_change(&self, zone: Zone, at: Wall) -> Option<Wall> {
        if self.peak.is_empty() && self.holidays.is_empty() {
            return None;
        }
        let now = self.time_at(zone, at);
        let mut date = zone.local(at).date();
        for _ in 0..=366 {
            let mut edges: Vec<Wall> = self.edges(date).map(|local| zone.instant(local)).collect();
            edges.extend(clock_changes(zone, date));
            edges.retain(|edge| *edge > at);
            edges.sort_unstable();
            if let Some(edge) = edges.into_iter().find(|edge| self.time_at(zone, *edge) != now) {
                return Some(edge);
            }
            date = date.succ_opt()?;
        }
        None
    }

    /// Local times on `date` at which something may begin or end.
    fn edges(&self, date: NaiveDate) -> impl Iterator<Item = NaiveDateTime> + '_ {
        let today = 1u8 << date.weekday().num_days_from_monday();
        let spans = self.peak.iter().filter(move |span| span.days & today != 0);
        let minutes = spans.flat_map(|span| [span.from, span.until]).chain([0]);
        minutes.filter(|minute| *minute < 1440).filter_map(move |minute| {
            let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::from(minute) * 60, 0)?;
            Some(date.and_time(time))
        })
    }
}

/// Each minute of a day on which clocks are changed, so that an hour shown twice counts twice; nothing on other days.
fn clock_changes(zone: Zone, date: NaiveDate) -> impl Iterator<Item = Wall> {
    let day = Day::from_date(date);
    let (begin, end) = (zone.start_of(day).secs(), zone.start_of(day.next()).secs());
    let minutes = if end - begin == 86_400 { 0 } else { (end - begin) / 60 };
    (1..=minutes).map(move |n| Wall::from_secs(begin + n * 60))
}

impl Holiday {
    fn is_on(&self, date: NaiveDate) -> bool {
        self.month == date.month() && self.day == date.day() && self.year.is_none_or(|year| year == date.year())
    }
}

impl Default for Calendar {
    /// Monday to Friday, eight to eight, and no holidays.
    fn default() -> Calendar {
        Calendar { peak: vec![PeakSpan { days: 0b001_1111, from: 480, until: 1200 }], holidays: Vec::new() }
    }
}

impl fmt::Display for PeakSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<usize> = (0..7).filter(|day| self.days & (1 << day) != 0).collect();
        let in_a_row = days.len() > 2 && days.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let names = if in_a_row {
            format!("{}-{}", NAMES[days[0]], NAMES[days[days.len() - 1]])
        } else {
            days.iter().map(|day| NAMES[*day]).collect::<Vec<_>>().join(",")
        };
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{names} {}-{}", clock(self.from), clock(self.until))
    }
}

impl FromStr for PeakSpan {
    type Err = CalendarError;
    /// `mon-fri 08:00-18:00`, `sat,sun 10:00-24:00`.
    fn from_str(text: &str) -> Result<PeakSpan, CalendarError> {
        let span = || {
            let lower = text.trim().to_ascii_lowercase();
            let (days, hours) = lower.split_once(' ')?;
            let day = |name: &str| NAMES.iter().position(|known| *known == name.trim());
            let mut bits = 0u8;
            for part in days.split(',') {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let (first, last) = (day(first)?, day(last)?);
                let length = (last + 7 - first) % 7;
                (0..=length).for_each(|n| bits |= 1 << ((first + n) % 7));
            }
            let clock = |text: &str| {
                let (hour, minute) = text.trim().split_once(':')?;
                let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
                (minute < 60 && hour * 60 + minute <= 1440).then_some(hour * 60 + minute)
            };
            let (from, until) = hours.split_once('-')?;
            let (from, until) = (clock(from)?, clock(until)?);
            (from < until).then_some(PeakSpan { days: bits, from, until })
        };
        span().ok_or_else(|| CalendarError::Span(text.to_owned()))
    }
}

impl fmt::Display for Holiday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.year {
            Some(year) => write!(f, "{}={year:04}-{:02}-{:02}", self.name, self.month, self.day),
            None => write!(f, "{}={:02}-{:02}", self.name, self.month, self.day),
        }
    }
}

impl FromStr for Holiday {
    type Err = CalendarError;
    /// `christmas=12-25` every year, `easter=2026-04-05` once.
    fn from_str(text: &str) -> Result<Holiday, CalendarError> {
        let holiday = || {
            let (name, date) = text.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            let parts: Option<Vec<u32>> = date.trim().split('-').map(|part| part.parse().ok()).collect();
            let (year, month, day) = match parts?.as_slice() {
                [month, day] => (None, *month, *day),
                [year, month, day] => (Some(i32::try_from(*year).ok()?), *month, *day),
                _ => return None,
            };
            // 2024 is a leap year: 29 February is a day that can be named.
            NaiveDate::from_ymd_opt(year.unwrap_or(2024), month, day)?;
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            plain.then_some(Holiday { name, year, month, day })
        };
        holiday().ok_or_else(|| CalendarError::Holiday(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Wall {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    fn calendar(peak: &[&str], holidays: &[&str]) -> Calendar {
        let peak = peak.iter().map(|text| text.parse().unwrap()).collect();
        Calendar::new(peak, holidays.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn every_instant_has_a_time_and_knows_when_it_ends() {
        let calendar = calendar(&["mon-fri 08:00-18:00", "sat 10:00-24:00"], &["christmas=12-25", "strike=2026-03-04"]);
        let budapest: Zone = "Europe/Budapest".parse().unwrap();
        use Time::*;
        //  now (UTC)               time        until (UTC)
        for (now, time, until) in [
            ("2026-03-02T06:59:59Z", Offpeak, "2026-03-02T07:00:00.000Z"), // Monday
            ("2026-03-02T07:00:00Z", Peak, "2026-03-02T17:00:00.000Z"),
            ("2026-03-02T17:00:00Z", Offpeak, "2026-03-03T07:00:00.000Z"),
            ("2026-03-03T17:00:00Z", Offpeak, "2026-03-03T23:00:00.000Z"), // until the strike's midnight
            ("2026-03-04T10:00:00Z", Holiday(1), "2026-03-04T23:00:00.000Z"),
            ("2026-03-07T22:00:00Z", Peak, "2026-03-07T23:00:00.000Z"), // Saturday until midnight
            ("2026-03-28T23:30:00Z", Offpeak, "2026-03-30T06:00:00.000Z"), // Sunday of 23 hours, Monday in summer time
            ("2026-12-25T00:00:00Z", Holiday(0), "2026-12-25T23:00:00.000Z"),
        ] {
            assert_eq!(calendar.time_at(budapest, at(now)), time, "{now}");
            assert_eq!(calendar.next_change(budapest, at(now)).unwrap().to_string(), until, "{now}");
        }
    }

    #[test]
    fn an_hour_that_clocks_show_twice_counts_twice() {
        let calendar = calendar(&["sun 02:30-02:45"], &[]);
        let budapest: Zone = "Europe/Budapest".parse().unwrap();
        let mut now = at("2026-10-24T23:00:00Z");
        let mut changes = Vec::new();
        for _ in 0..4 {
            now = calendar.next_change(budapest, now).unwrap();
            changes.push(now.to_string()[11..16].to_owned());
        }
        assert_eq!(changes, ["00:30", "00:45", "01:30", "01:45"]);
    }

    #[test]
    fn a_week_without_peak_never_changes() {
        assert_eq!(calendar(&[], &[]).next_change(Zone::UTC, at("2026-03-02T00:00:00Z")), None);
        assert_eq!(calendar(&["mon-sun 00:00-24:00"], &[]).next_change(Zone::UTC, at("2026-03-02T00:00:00Z")), None);
    }

    #[test]
    fn spans_and_holidays_are_read_printed_and_checked() {
        for text in ["mon-fri 08:00-18:00", "sat,sun 10:00-24:00", "wed 00:00-00:01"] {
            assert_eq!(text.parse::<PeakSpan>().unwrap().to_string(), text);
        }
        assert_eq!("fri-mon 08:00-09:00".parse::<PeakSpan>().unwrap().days, 0b111_0001);
        for bad in ["", "mon", "mon 8-18", "xyz 08:00-18:00", "mon 18:00-08:00", "mon 08:00-24:01", "mon 08:60-09:00"] {
            assert!(bad.parse::<PeakSpan>().is_err(), "{bad:?}");
        }
        for text in ["christmas=12-25", "easter=2026-04-05"] {
            assert_eq!(text.parse::<Holiday>().unwrap().to_string(), text);
        }
        for bad in ["", "x", "x=13-01", "x=02-30", "=12-25", "a b=12-25"] {
            assert!(bad.parse::<Holiday>().is_err(), "{bad:?}");
        }
        let span = |text: &str| text.parse::<PeakSpan>().unwrap();
        let overlap = Calendar::new(vec![span("mon-fri 08:00-18:00"), span("fri 17:00-20:00")], Vec::new());
        assert_eq!(overlap.unwrap_err().to_string(), "peak spans mon-fri 08:00-18:00 and fri 17:00-20:00 overlap");
        assert!(Calendar::new(Vec::new(), vec!["peak=12-25".parse().unwrap()]).is_err());
    }
}
