//! Calls in progress.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `call …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// All live calls, newest first
    List,
    /// End a call
    Hangup {
        /// As listed
        id: String,
    },
}
