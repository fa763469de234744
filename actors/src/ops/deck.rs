//! Decks: dated tables of prices, imported whole and rolled back whole.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

/// `deck …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Deck {
    /// Read a deck from a CSV file: all of it or nothing
    Import(Import),
    /// Go back to the version before
    Rollback {
        /// The deck's name
        name: String,
    },
    /// Look for mistakes: holes in the week, prices below cost, vanished prefixes
    Lint {
        /// The deck's name
        name: String,
    },
    /// All decks
    List,
    /// One deck with its versions
    Show {
        /// The deck's name
        name: String,
    },
    /// What a number costs now
    Lookup {
        /// The deck's name
        name: String,
        /// The number
        number: String,
    },
}

/// A CSV file: the command line reads it, the server gets its name and text.
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Text {
    /// A CSV file with a header
    pub file: String,
    /// What is in it
    #[arg(skip)]
    #[serde(default)]
    pub text: String,
}

/// `deck import`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Import {
    /// The deck's name
    pub name: String,
    /// The file
    #[command(flatten)]
    #[serde(flatten)]
    pub csv: Text,
    /// The currency of its prices; the platform's unless said
    #[arg(long, value_name = "CODE")]
    #[serde(default)]
    pub currency: Option<String>,
    /// sell or buy; sell unless said
    #[arg(long)]
    #[serde(default)]
    pub kind: Option<String>,
    /// The time zone of its bands
    #[arg(long, value_name = "ZONE")]
    #[serde(default)]
    pub timezone: Option<String>,
    /// Column names: ours=theirs, separated by commas
    #[arg(long, value_name = "OURS=THEIRS,…")]
    #[serde(default)]
    pub map: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    #[serde(default)]
    pub preview: bool,
}
