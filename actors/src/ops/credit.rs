//! Money in and out of an account by an operator's hand: always an entry in the ledger.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `credit …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Credit {
    /// Add to the balance of a user's account; a negative amount takes away
    Add {
        /// The user's name
        name: String,
        /// How much, in the account's currency
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// Why, for the statement
        #[arg(long, value_name = "TEXT")]
        #[serde(default)]
        note: Option<String>,
    },
}
