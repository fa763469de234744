//! Settings: what operators tune while the platform runs.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `config …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Config {
    /// All settings with value and default
    List,
    /// One setting
    Get {
        /// Its name, or the guide's name for it
        name: String,
    },
    /// Change one; prints what was stored where that differs from what was typed
    Set {
        /// Its name, or the guide's name for it
        name: String,
        /// The value
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Back to the default
    Unset {
        /// Its name, or the guide's name for it
        name: String,
    },
    /// What a setting does, its unit, range and names
    Describe {
        /// Its name, or the guide's name for it
        name: String,
    },
    /// Set all settings to a profile: default, hardened or loadtest
    Profile {
        /// The profile's name
        profile: String,
        /// Also where the profile is dangerous
        #[arg(long)]
        #[serde(default)]
        force: bool,
    },
}
