//! Routes: which trunk carries which prefix, in what order.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

/// `route …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Add a route
    Add(Add),
    /// All routes
    List,
    /// Remove a route
    Remove {
        /// As listed
        id: i64,
    },
}

/// `route add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// Leading digits; "" for all numbers
    #[arg(long, value_name = "DIGITS")]
    pub prefix: String,
    /// The egress trunk
    #[arg(long, value_name = "NAME")]
    pub trunk: String,
    /// Lower is tried first
    #[arg(long, value_name = "N")]
    #[serde(default)]
    pub priority: Option<u16>,
    /// Share among routes of the same priority and cost
    #[arg(long, value_name = "N")]
    #[serde(default)]
    pub weight: Option<u16>,
    /// all, peak or offpeak
    #[arg(long)]
    #[serde(default)]
    pub band: Option<String>,
    /// It carries emergency calls
    #[arg(long)]
    #[serde(default)]
    pub emergency: bool,
}
