//! What numbers are by their range: satellite, premium, shared cost; and how much fraud they are known for.

use std::fmt;
use std::str::FromStr;

/// What a range is, where that is out of the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Satellite telephones.
    Satellite,
    /// International networks and services of country codes without a country: 878, 882, 883, 979.
    Network,
    /// Premium-rate numbers of a country.
    Premium,
    /// Shared-cost numbers of a country.
    SharedCost,
    /// On the imported list of numbers seen in revenue share fraud.
    Irsf,
}

/// How much fraud a destination is known for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Usual numbers of usual countries.
    #[default]
    Low,
    /// Dearer than they look: shared cost, services.
    Special,
    /// What stolen accounts call: satellite, premium, listed ranges, and what an operator adds.
    FraudProne,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::Satellite, Kind::Network, Kind::Premium, Kind::SharedCost, Kind::Irsf];

    /// As files, command line and database name it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Satellite => "satellite",
            Kind::Network => "network",
            Kind::Premium => "premium",
            Kind::SharedCost => "shared-cost",
            Kind::Irsf => "irsf",
        }
    }

    /// How risky its numbers are unless an operator says otherwise.
    pub fn risk(self) -> Risk {
        if self == Kind::SharedCost { Risk::Special } else { Risk::FraudProne }
    }
}

impl Risk {
    /// All of them, rising.
    pub const ALL: [Risk; 3] = [Risk::Low, Risk::Special, Risk::FraudProne];

    /// As the command line and the database name it.
    pub fn name(self) -> &'static str {
        match self {
            Risk::Low => "low",
            Risk::Special => "special",
            Risk::FraudProne => "fraud-prone",
        }
    }
}

/// Not one of the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of {1}")]
pub struct UnknownWord(pub String, pub &'static str);

impl FromStr for Kind {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Kind, UnknownWord> {
        let unknown = || UnknownWord(text.to_owned(), "satellite, network, premium, shared-cost, irsf");
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(unknown)
    }
}

impl FromStr for Risk {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Risk, UnknownWord> {
        let unknown = || UnknownWord(text.to_owned(), "low, special, fraud-prone");
        Risk::ALL.into_iter().find(|risk| risk.name() == text).ok_or_else(unknown)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
