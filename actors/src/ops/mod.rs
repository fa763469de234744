//! What operators do, one file a noun: the same service for the command line, and later for API and console.
//!
//! A [`Request`] is what the control socket carries and what the command line's arguments become. Validation, audit row and
//! effect on the living actors are written once, here. A request either happens whole or is refused with one line.

pub mod calendar;
pub mod call;
pub mod cdr;
pub mod config;
pub mod credit;
pub mod currency;
pub mod deck;
pub mod did;
pub mod explain;
pub mod ledger;
pub mod registration;
pub mod route;
pub mod trunk;
pub mod user;

pub mod outcome;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// One thing an operator wants, with the noun first.
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Settings: list, get, set, unset, describe, profiles
    #[command(subcommand)]
    Config(config::Config),
    /// Users and what they may do
    #[command(subcommand)]
    User(user::User),
    /// Money in and out by hand
    #[command(subcommand)]
    Credit(credit::Credit),
    /// Carriers and wholesalers, in either direction
    #[command(subcommand)]
    Trunk(trunk::Trunk),
    /// Rate decks
    #[command(subcommand)]
    Deck(deck::Deck),
    /// Peak, off-peak and holidays
    #[command(subcommand)]
    Calendar(calendar::Calendar),
    /// Rates between currencies
    #[command(subcommand)]
    Currency(currency::Currency),
    /// Which trunk carries which prefix
    #[command(subcommand)]
    Route(route::Route),
    /// Numbers that reach users
    #[command(subcommand)]
    Did(did::Did),
    /// Calls in progress
    #[command(subcommand)]
    Call(call::Call),
    /// Call detail records
    #[command(subcommand)]
    Cdr(cdr::Cdr),
    /// The books
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Registered devices
    #[command(subcommand)]
    Registration(registration::Registration),
    /// What would happen to a call, without making it
    Explain(explain::Explain),
    /// Write all data into one file, while running
    Backup(BackupTo),
}

/// `backup FILE`: the path is the server's.
#[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
pub struct BackupTo {
    /// Where to write; must not exist yet
    pub file: String,
    /// Put the key that opens the sealed secrets into the file as well; without it the file alone opens none
    #[arg(long)]
    #[serde(default)]
    pub with_key: bool,
}
