//! Call detail records: one for every attempt of an identified account or trunk.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

/// `cdr …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Cdr {
    /// Newest first
    List(Filter),
    /// One record with its admission trace and media figures
    Show {
        /// As listed
        id: String,
    },
    /// Write all that fit into a CSV file
    Export {
        /// Where the command line writes
        file: String,
        /// Which
        #[command(flatten)]
        #[serde(flatten)]
        filter: Filter,
    },
}

/// Which records.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct Filter {
    /// Of this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// From this time on (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// At most so many; 100 unless said
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
}
