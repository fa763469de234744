//! A rate deck: a dated table of prefixes and prices, on the selling or the buying side.
//!
//! A deck has a name; its versions are immutable. A call keeps the version it was quoted from.

pub mod import;
pub mod index;
pub mod lint;
pub mod preview;
mod row;
mod version;

pub use row::{Band, DeckRow};
pub use version::{DeckVersion, Found, Miss, Reach};

use std::fmt;

use serde::{Deserialize, Serialize};
use tollgate_types::{Currency, DeckId};

use crate::calendar::Zone;

/// A version's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deck {
    /// By id.
    pub id: DeckId,
    /// By name.
    pub name: String,
    /// Which side.
    pub kind: DeckKind,
    /// What its prices are in.
    pub currency: Currency,
    /// Where its bands and dates are told.
    pub zone: Zone,
    /// Counts its versions from 1.
    pub version: u32,
}

/// Which side of a call a deck prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeckKind {
    /// What we charge.
    #[default]
    Sell,
    /// What a carrier charges us.
    Buy,
}

impl DeckKind {
    /// The id that JSON and the command line use.
    pub fn id(self) -> &'static str {
        match self {
            DeckKind::Sell => "sell",
            DeckKind::Buy => "buy",
        }
    }
}

impl fmt::Display for DeckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl std::str::FromStr for DeckKind {
    type Err = ();
    fn from_str(text: &str) -> Result<DeckKind, ()> {
        [DeckKind::Sell, DeckKind::Buy].into_iter().find(|kind| kind.id() == text).ok_or(())
    }
}
