//! A time zone by its IANA name, and where its days begin.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tollgate_types::Wall;

use super::day::Day;

/// A time zone such as `Europe/Budapest`; UTC unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A text that names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time zone such as Europe/Budapest or UTC")]
pub struct UnknownZone(String);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(Tz::UTC);

    /// The calendar day that `at` falls on here.
    pub fn day_of(self, at: Wall) -> Day {
        if self == Zone::UTC {
            return Day(at.secs().div_euclid(86_400).clamp(-2_000_000, 2_000_000) as i32);
        }
        Day::from_date(at.to_utc().with_timezone(&self.0).date_naive())
    }

    /// The hour that clocks here show at `at`, 0 to 23.
    pub fn hour_of(self, at: Wall) -> u32 {
        if self == Zone::UTC {
            return u32::try_from(at.secs().rem_euclid(86_400) / 3600).unwrap_or(0);
        }
        at.to_utc().with_timezone(&self.0).hour()
    }

    /// The first instant of `day` here: midnight, or where the clocks skip it the first moment after.
    pub fn start_of(self, day: Day) -> Wall {
        self.instant(day.to_date().and_time(NaiveTime::MIN))
    }

    /// The first instant after `at` that belongs to another day.
    pub fn next_day_turn(self, at: Wall) -> Wall {
        let mut day = self.day_of(at).next();
        loop {
            let turn = self.start_of(day);
            if turn > at {
                return turn;
            }
            // A zone that left out a whole day (Samoa, 30 December 2011): the day after begins later.
            day = day.next();
        }
    }

    /// The instant that clocks here show as `local`: the earlier one where they show it twice, the end of the gap where
    /// they never do.
    pub(crate) fn instant(self, local: NaiveDateTime) -> Wall {
        match self.0.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Wall::from_utc(time.with_timezone(&Utc)),
            LocalResult::None => self.end_of_gap(local),
        }
    }

    /// What clocks here show at `at`.
    pub(crate) fn local(self, at: Wall) -> NaiveDateTime {
        at.to_utc().with_timezone(&self.0).naive_local()
    }

    /// Clocks jump over `local`; bisects for the jump, which lies within a day and a half of it in any zone.
    fn end_of_gap(self, local: NaiveDateTime) -> Wall {
        let around = local.and_utc().timestamp();
        let (mut before, mut after) = (around - 130_000, around + 130_000);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.local(Wall::from_secs(middle)) < local {
                before = middle;
            } else {
                after = middle;
            }
        }
        Wall::from_secs(after)
    }
}

impl Day {
    pub(crate) fn from_date(date: NaiveDate) -> Day {
        Day(date.num_days_from_ce() - DAYS_TO_1970)
    }

    pub(crate) fn to_date(self) -> NaiveDate {
        NaiveDate::from_num_days_from_ce_opt(self.0.saturating_add(DAYS_TO_1970)).unwrap_or(NaiveDate::MAX)
    }
}

/// Days from 1 January of year 1 to 1970, as chrono counts them.
const DAYS_TO_1970: i32 = 719_163;

impl Default for Zone {
    fn default() -> Zone {
        Zone::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(text: &str) -> Result<Zone, UnknownZone> {
        let name = text.trim();
        let any_case = || chrono_tz::TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
        name.parse().ok().or_else(any_case).map(Zone).ok_or_else(|| UnknownZone(text.to_owned()))
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Wall {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    #[test]
    fn clocks_show_the_local_hour() {
        for (zone, now, hour) in [
            ("UTC", "2026-03-01T23:59:59Z", 23),
            ("UTC", "1969-12-31T22:00:00Z", 22),
            ("Europe/Budapest", "2026-03-29T00:30:00Z", 1),
            ("Europe/Budapest", "2026-03-29T01:30:00Z", 3),
            ("Asia/Kolkata", "2026-03-01T16:29:00Z", 21),
            ("Asia/Kolkata", "2026-03-01T16:30:00Z", 22),
        ] {
            assert_eq!(zone.parse::<Zone>().unwrap().hour_of(at(now)), hour, "{zone} {now}");
        }
    }

    #[test]
    fn days_turn_at_local_midnight() {
        //  zone                now (UTC)               day           next turn (UTC)
        let table = [
            ("UTC", "2026-03-01T23:59:59Z", "2026-03-01", "2026-03-02T00:00:00.000Z"),
            ("Europe/Budapest", "2026-03-01T23:00:00Z", "2026-03-02", "2026-03-02T23:00:00.000Z"),
            ("America/New_York", "2026-03-01T04:59:59Z", "2026-02-28", "2026-03-01T05:00:00.000Z"),
            // 23 hours: clocks go forward on 29 March.
            ("Europe/Budapest", "2026-03-28T23:00:00Z", "2026-03-29", "2026-03-29T22:00:00.000Z"),
            // 25 hours: clocks go back on 25 October.
            ("Europe/Budapest", "2026-10-24T22:00:00Z", "2026-10-25", "2026-10-25T23:00:00.000Z"),
            // Midnight itself is skipped: the day begins at one o'clock.
            ("America/Asuncion", "2024-10-05T12:00:00Z", "2024-10-05", "2024-10-06T04:00:00.000Z"),
            // Midnight comes twice: the day begins at the first.
            ("America/Havana", "2026-10-31T12:00:00Z", "2026-10-31", "2026-11-01T04:00:00.000Z"),
            // A day that never was.
            ("Pacific/Apia", "2011-12-30T05:00:00Z", "2011-12-29", "2011-12-30T10:00:00.000Z"),
        ];
        for (zone, now, day, turn) in table {
            let zone: Zone = zone.parse().unwrap();
            assert_eq!(zone.day_of(at(now)).to_string(), day, "{zone} {now}");
            assert_eq!(zone.next_day_turn(at(now)).to_string(), turn, "{zone} {now}");
        }
    }

    #[test]
    fn a_zone_is_known_by_name() {
        assert_eq!("europe/budapest".parse::<Zone>().unwrap().to_string(), "Europe/Budapest");
        assert_eq!(
            "Mars/Olympus".parse::<Zone>().unwrap_err().to_string(),
            "\"Mars/Olympus\" is not a time zone such as Europe/Budapest or UTC"
        );
    }
}
