//! Trunks: peers that send us calls (ingress) or take calls from us (egress).

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

/// `trunk …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Trunk {
    /// Add a trunk
    Add(Add),
    /// One trunk with its health
    Show {
        /// The trunk's name
        name: String,
    },
    /// All trunks
    List,
    /// Change a trunk; what is not named stays
    Set(Set),
    /// Remove a trunk that no route names
    Remove {
        /// The trunk's name
        name: String,
    },
}

/// `trunk add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// Unique
    pub name: String,
    /// It sends us calls
    #[arg(long, required_unless_present = "egress", conflicts_with = "egress")]
    #[serde(default)]
    pub ingress: bool,
    /// It takes calls from us
    #[arg(long)]
    #[serde(default)]
    pub egress: bool,
    /// What else is known
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// `trunk set`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Set {
    /// The trunk's name
    pub name: String,
    /// What changes
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// What can be said of a trunk.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct Terms {
    /// HOST[:PORT]; several and networks (CIDR) separated by commas for ingress
    #[arg(long, value_name = "HOST[:PORT]")]
    pub address: Option<String>,
    /// How an ingress trunk is known: ip, ip-port, range, prefix, ip+prefix, digest
    #[arg(long, value_name = "MODE")]
    pub auth: Option<String>,
    /// The tech prefix an ingress trunk dials, or the one an egress trunk wants
    #[arg(long, value_name = "DIGITS")]
    pub prefix: Option<String>,
    /// The name for digest, theirs to us (ingress) or ours to them (egress)
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The secret that goes with it
    #[arg(long)]
    pub password: Option<String>,
    /// The realm our secret is for; without it the trunk's host
    #[arg(long)]
    pub realm: Option<String>,
    /// Whose account pays for an ingress trunk's calls; without one it is a DID carrier
    #[arg(long, value_name = "USER")]
    pub account: Option<String>,
    /// An egress trunk's buying deck
    #[arg(long, value_name = "NAME")]
    pub deck: Option<String>,
    /// Simultaneous calls
    #[arg(long, value_name = "N")]
    pub max_lines: Option<String>,
    /// How called numbers are written: plus, e164, national, as-is
    #[arg(long, value_name = "FORMAT")]
    pub number_format: Option<String>,
    /// How caller ids are written: plus, e164, national, as-is
    #[arg(long, value_name = "FORMAT")]
    pub cli_format: Option<String>,
    /// The caller id of callers without a number
    #[arg(long, value_name = "NUMBER")]
    pub caller_id: Option<String>,
    /// Country of national formats, ISO code
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,
    /// Where an ingress trunk writes the number: uri or to
    #[arg(long, value_name = "uri|to")]
    pub did_in: Option<String>,
    /// udp or tcp
    #[arg(long, value_name = "TRANSPORT")]
    pub transport: Option<String>,
    /// Register with the carrier
    #[arg(long)]
    pub register: bool,
    /// Seconds between OPTIONS health checks; 0 for none
    #[arg(long, value_name = "SECONDS")]
    pub options_interval: Option<String>,
    /// Whether it is used at all
    #[arg(long, value_name = "true|false")]
    pub enabled: Option<String>,
}
