//! One row of a deck as it is imported, stored and shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tollgate_types::{Prefix, Wall};

use crate::price::Price;

/// A price for a prefix, in a band, from a date on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeckRow {
    /// Numbers that begin so; the longest prefix in force wins.
    pub prefix: Prefix,
    /// What people call it; may be empty.
    pub destination: String,
    /// What it costs.
    pub price: Price,
    /// When in the week.
    pub band: Band,
    /// From when on; `None` = always.
    pub effective_from: Option<Wall>,
    /// Nobody may call there.
    pub blocked: bool,
}

/// When in the week a row's price holds. The particular wins over the general: a holiday by name, any holiday, off-peak
/// (holidays without a price of their own count as off-peak), all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Whenever no other row of the prefix applies.
    #[default]
    All,
    /// In peak time.
    Peak,
    /// Outside peak time.
    Offpeak,
    /// On any holiday.
    Holiday,
    /// On the holiday of that name.
    Named(Box<str>),
    /// For calls that stay with us: extension to extension, or a DID of ours. Whatever the time.
    Onnet,
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Band::All => "all",
            Band::Peak => "peak",
            Band::Offpeak => "offpeak",
            Band::Holiday => "holiday",
            Band::Named(name) => name,
            Band::Onnet => "onnet",
        })
    }
}

impl From<&str> for Band {
    /// Any other word is taken for a holiday's name.
    fn from(text: &str) -> Band {
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "all" => Band::All,
            "peak" => Band::Peak,
            "offpeak" | "off-peak" => Band::Offpeak,
            "holiday" => Band::Holiday,
            "onnet" | "on-net" => Band::Onnet,
            name => Band::Named(name.into()),
        }
    }
}

impl Serialize for Band {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Band {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Band, D::Error> {
        Ok(Band::from(String::deserialize(deserializer)?.as_str()))
    }
}
