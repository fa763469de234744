//! The calendar: when it is peak, off-peak or a holiday. One definition for prices and lines.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `calendar …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// What holds now
    Show,
    /// Change it; what is not named stays
    Set {
        /// Peak times, such as "mon-fri 08:00-20:00"; "always" for no off-peak
        #[arg(long, value_name = "TIMES")]
        #[serde(default)]
        peak: Option<String>,
        /// Holidays: dates YYYY-MM-DD or MM-DD, separated by commas; they are off-peak
        #[arg(long, value_name = "DATES")]
        #[serde(default)]
        holidays: Option<String>,
    },
}
