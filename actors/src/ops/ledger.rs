//! The books: entries that only grow, and the proof that nobody touched them.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `ledger …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Ledger {
    /// A user's entries, newest first
    List {
        /// Whose account
        #[arg(long, value_name = "NAME")]
        user: String,
        /// At most so many; 100 unless said
        #[arg(long, value_name = "N")]
        #[serde(default)]
        limit: Option<u32>,
    },
    /// Recompute every hash and balance; names the first entry that does not hold
    Verify,
}
