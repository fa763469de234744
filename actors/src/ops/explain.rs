//! A dry run of the whole admission: every rule in order, and no side effect.

use clap::Args;
use serde::{Deserialize, Serialize};

/// `explain`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Explain {
    /// A user, or an ingress trunk
    #[arg(long, value_name = "USER|TRUNK")]
    pub from: String,
    /// What would be dialled
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    /// From which address
    #[arg(long)]
    #[serde(default)]
    pub ip: Option<String>,
    /// When (RFC 3339); now unless said
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub at: Option<String>,
}
