//! Rates between currencies, dated: a call keeps the one of its beginning.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `currency …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Currency {
    /// Rates
    #[command(subcommand)]
    Rate(Rate),
}

/// `currency rate …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// One FROM is worth RATE TO from now on
    Set {
        /// Currency code
        from: String,
        /// Currency code
        to: String,
        /// Decimal number
        rate: String,
    },
    /// All rates, newest first
    List,
}
