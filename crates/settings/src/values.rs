//! One immutable snapshot of all settings, cheap to clone and to read.

use std::sync::Arc;
use std::time::Duration;

use tollgate_types::{Map, Money, Seed};

use crate::row::Row;
use crate::value::{Multiplier, Value};

/// What every setting is at one moment. A clone shares the snapshot; a row that no registry joined has its default.
#[derive(Clone, Debug)]
pub struct Values(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    // Rows are statics, so their address is their identity; a look-up hashes eight bytes.
    values: Map<usize, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    pinned: bool,
}

impl Default for Values {
    fn default() -> Values {
        Values(Arc::new(Inner { values: Seed([0; 4]).map() }))
    }
}

impl Values {
    /// Any row's value.
    pub fn get(&self, row: &'static Row) -> Value {
        self.entry(row).map_or_else(|| row.default_value(), |entry| entry.value.clone())
    }

    /// A switch.
    pub fn bool(&self, row: &'static Row) -> bool {
        self.read(row, |value| matches!(value, Value::Bool(true)))
    }

    /// A whole number; the largest there is where the row is off.
    pub fn integer(&self, row: &'static Row) -> i64 {
        self.integer_or_off(row).unwrap_or(i64::MAX)
    }

    /// A whole number, `None` where the row is off.
    pub fn integer_or_off(&self, row: &'static Row) -> Option<i64> {
        self.read(row, |value| match value {
            Value::Integer(number) => Some(*number),
            other => Values::off(row, other),
        })
    }

    /// A length of time; for ever where the row is off.
    pub fn duration(&self, row: &'static Row) -> Duration {
        self.duration_or_off(row).unwrap_or(Duration::MAX)
    }

    /// A length of time, `None` where the row is off.
    pub fn duration_or_off(&self, row: &'static Row) -> Option<Duration> {
        self.read(row, |value| match value {
            Value::Duration(span) => Some(*span),
            other => Values::off(row, other),
        })
    }

    /// An amount in the platform's currency; the largest there is where the row is off.
    pub fn money(&self, row: &'static Row) -> Money {
        self.money_or_off(row).unwrap_or(Money::MAX)
    }

    /// An amount in the platform's currency, `None` where the row is off.
    pub fn money_or_off(&self, row: &'static Row) -> Option<Money> {
        self.read(row, |value| match value {
            Value::Money(amount) => Some(*amount),
            other => Values::off(row, other),
        })
    }

    /// A factor, `None` where the row is off.
    pub fn multiplier_or_off(&self, row: &'static Row) -> Option<Multiplier> {
        self.read(row, |value| match value {
            Value::Multiplier(factor) => Some(*factor),
            other => Values::off(row, other),
        })
    }

    /// One of the row's words.
    pub fn word(&self, row: &'static Row) -> &'static str {
        self.read(row, |value| match value {
            Value::Word(word) => word,
            _ => "off",
        })
    }

    /// The entries of a list; none where the row is off.
    pub fn list(&self, row: &'static Row) -> Arc<[Box<str>]> {
        self.read(row, |value| match value {
            Value::List(list) => list.clone(),
            _ => Arc::from([]),
        })
    }

    /// A text; empty where the row is off.
    pub fn text(&self, row: &'static Row) -> Arc<str> {
        self.read(row, |value| match value {
            Value::Text(text) => text.clone(),
            _ => Arc::from(""),
        })
    }

    /// Held by the configuration file, so that nobody changes it live?
    pub fn is_pinned(&self, row: &'static Row) -> bool {
        self.entry(row).is_some_and(|entry| entry.pinned)
    }

    /// The snapshot with one value changed: for tests, and for `what if`.
    pub fn with(mut self, row: &'static Row, value: Value) -> Values {
        self.set(row, value);
        self
    }

    pub(crate) fn set(&mut self, row: &'static Row, value: Value) {
        debug_assert!(value.fits(row), "{}: {value:?}", row.name);
        Arc::make_mut(&mut self.0).values.insert(key(row), Entry { value, pinned: false });
    }

    pub(crate) fn pin(&mut self, row: &'static Row) {
        if let Some(entry) = Arc::make_mut(&mut self.0).values.get_mut(&key(row)) {
            entry.pinned = true;
        }
    }

    fn read<T>(&self, row: &'static Row, take: impl FnOnce(&Value) -> T) -> T {
        match self.entry(row) {
            Some(entry) => take(&entry.value),
            None => take(&row.default_value()),
        }
    }

    fn entry(&self, row: &'static Row) -> Option<&Entry> {
        self.0.values.get(&key(row))
    }

    fn off<T>(row: &Row, value: &Value) -> Option<T> {
        debug_assert!(matches!(value, Value::Off), "{} is read as what it is not", row.name);
        None
    }
}

fn key(row: &'static Row) -> usize {
    std::ptr::from_ref(row).addr()
}
