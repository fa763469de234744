//! Users: who logs in and registers, the account that pays for them, and their limits.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

/// `user …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// Add a user; without --password one is generated and printed once
    Add(Add),
    /// One user with money, limits and what is in use
    Show {
        /// The user's name
        name: String,
    },
    /// All users, newest first
    List,
    /// Change a user; what is not named stays
    Set(Set),
    /// End the user's calls and registrations and refuse new ones
    Disable {
        /// The user's name
        name: String,
    },
    /// Let a disabled user call again
    Enable {
        /// The user's name
        name: String,
    },
    /// Remove a user who never made a paid call; others can only be disabled
    Remove {
        /// The user's name
        name: String,
    },
    /// Let the spend of a day on which the dynamic limit struck count as usual
    AcceptDay {
        /// The user's name
        name: String,
        /// The day, YYYY-MM-DD in the account's time zone
        date: String,
    },
    /// Add users from a CSV file: all or none
    Import(super::deck::Text),
}

/// `user add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// Letters, digits, dot, dash, underscore; unique
    pub name: String,
    /// The opening balance, an entry in the ledger
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    #[serde(default)]
    pub credit: Option<String>,
    /// Pay from the account of this user instead of an own one
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub account: Option<String>,
    /// What else is known
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// `user set`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Set {
    /// The user's name
    pub name: String,
    /// What changes
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// What can be said of a user when added and changed later. For limits, `unlimited` removes one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct Terms {
    /// The SIP secret, at least 12 characters
    #[arg(long)]
    pub password: Option<String>,
    /// enduser, traffic-sender, reseller, support or admin
    #[arg(long)]
    pub kind: Option<String>,
    /// Spend at most the balance
    #[arg(long, conflicts_with = "postpaid")]
    pub prepaid: bool,
    /// Spend on credit
    #[arg(long)]
    pub postpaid: bool,
    /// How far below zero a postpaid account may go
    #[arg(long, value_name = "AMOUNT")]
    pub credit_limit: Option<String>,
    /// The reseller this user belongs to
    #[arg(long, value_name = "NAME")]
    pub parent: Option<String>,
    /// Take what is not said here from this template
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
    /// The deck that prices the user's calls
    #[arg(long, value_name = "NAME")]
    pub deck: Option<String>,
    /// The account's currency; only while it has no entries
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Country in which the user dials, ISO code
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,
    /// Time zone of the account's days, such as Europe/Budapest
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Where mail goes
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// The number shown to those called
    #[arg(long, value_name = "NUMBER")]
    pub caller_id: Option<String>,
    /// Simultaneous calls
    #[arg(long, value_name = "N")]
    pub max_lines: Option<String>,
    /// Simultaneous calls at off-peak times
    #[arg(long, value_name = "N")]
    pub max_lines_offpeak: Option<String>,
    /// Spend of one day
    #[arg(long, value_name = "AMOUNT")]
    pub daily_limit: Option<String>,
    /// Spend of one month
    #[arg(long, value_name = "AMOUNT")]
    pub monthly_limit: Option<String>,
    /// By how much the monthly limit grows after a month with calls
    #[arg(long, value_name = "AMOUNT")]
    pub monthly_increment: Option<String>,
    /// How far the monthly limit grows
    #[arg(long, value_name = "AMOUNT")]
    pub monthly_ceiling: Option<String>,
    /// What the dynamic limit takes as the highest usual day
    #[arg(long, value_name = "AMOUNT")]
    pub dynamic_baseline: Option<String>,
    /// Seconds of talk in one day
    #[arg(long, value_name = "SECONDS")]
    pub talk_day: Option<String>,
    /// Seconds of talk in one month
    #[arg(long, value_name = "SECONDS")]
    pub talk_month: Option<String>,
    /// What all live calls together may cost a minute
    #[arg(long, value_name = "AMOUNT")]
    pub burn_rate: Option<String>,
    /// How the user proves who it is
    #[arg(long, value_name = "MODE")]
    pub auth: Option<String>,
}
