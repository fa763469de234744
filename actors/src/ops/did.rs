//! DIDs: numbers and ranges of numbers that reach users, or their PBX.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

/// `did …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// Add a number, or a range FROM-TO
    Add(Add),
    /// All numbers
    List,
    /// Remove a number or range, written as listed
    Remove {
        /// NUMBER or FROM-TO
        number: String,
    },
    /// Add numbers from a CSV file (header: number,user,inbound_deck,uri): all or none
    Import(super::deck::Text),
}

/// `did add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// NUMBER or FROM-TO
    pub number: String,
    /// Who is reached
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// The deck by which the callee pays for incoming calls
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub inbound_deck: Option<String>,
    /// What the device's Request-URI says: the number (for a PBX) or the user
    #[arg(long, value_name = "number|user")]
    #[serde(default)]
    pub uri: Option<String>,
}
