//! Registered devices.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `registration …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// All bindings, newest first
    List {
        /// Of this user
        #[arg(long, value_name = "NAME")]
        #[serde(default)]
        user: Option<String>,
    },
    /// Forget one binding; the device may register again
    Remove {
        /// As listed
        id: String,
    },
}
