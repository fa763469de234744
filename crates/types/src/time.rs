//! Two times that are never mixed: one that only moves on, and one that a calendar can read.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Monotonic time in microseconds since the process's birth. Durations, timers and talk time are measured with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

/// Wall-clock time in microseconds since 1970-01-01T00:00:00Z. It chooses days, bands and dates; it measures nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

impl Mono {
    /// The process's birth.
    pub const START: Mono = Mono(0);
    /// Later than anything: a deadline that never comes.
    pub const NEVER: Mono = Mono(u64::MAX);

    /// From microseconds since birth.
    pub const fn from_micros(micros: u64) -> Mono {
        Mono(micros)
    }

    /// From milliseconds since birth.
    pub const fn from_millis(millis: u64) -> Mono {
        Mono(millis.saturating_mul(1000))
    }

    /// Microseconds since birth.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since birth, rounded down.
    pub const fn millis(self) -> u64 {
        self.0 / 1000
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, span: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, span: Duration) -> Mono {
        Mono(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Wall {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Wall {
        Wall(micros)
    }

    /// From whole seconds since 1970.
    pub const fn from_secs(secs: i64) -> Wall {
        Wall(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As chrono knows it; times beyond its range become its nearest end.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(if self.0 < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }

    /// From chrono's time.
    pub fn from_utc(time: DateTime<Utc>) -> Wall {
        Wall(time.timestamp_micros())
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, span: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Wall {
    type Output = Wall;
    fn sub(self, span: Duration) -> Wall {
        Wall(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Wall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|time| Wall::from_utc(time.with_timezone(&Utc)))
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_prints_as_rfc_3339() {
        assert_eq!(Wall::from_micros(1_795_341_600_123_456).to_string(), "2026-11-22T10:00:00.123Z");
        let read: Wall = serde_json::from_str("\"2026-11-22T11:00:00+01:00\"").unwrap();
        assert_eq!(read, Wall::from_secs(1_795_341_600));
    }

    #[test]
    fn monotonic_time_never_turns_back_on_itself() {
        assert_eq!(Mono::from_millis(5).since(Mono::from_millis(9)), Duration::ZERO);
        assert_eq!(Mono::NEVER + Duration::from_secs(1), Mono::NEVER);
        assert_eq!(Mono::from_millis(1) - Duration::from_secs(1), Mono::START);
    }
}
