//! The command line: arguments become one [`Request`], which the running server answers, or, with none running, the
//! database opened for the one request. Same service, same validation, same audit row.

mod client;
mod files;
mod render;

pub use client::operator;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tollgate_actors::ops::Request;

/// An open softswitch for hosted VoIP providers.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about, max_term_width = 120)]
pub struct Arguments {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "config/tollgate.toml")]
    pub config: PathBuf,
    /// Print JSON, a stable interface for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, once")]
pub enum Command {
    /// Run the platform
    Serve,
    /// Run a platform in a temporary folder, with users, decks, a carrier and live calls of its own
    Demo,
    /// Bring the database to this version
    Migrate,
    /// Which version this is
    Version,
    /// Validate the configuration and say what would listen
    Check,
    /// Fill an empty database from a backup
    Restore {
        /// A file written by backup
        file: PathBuf,
    },
    /// Anything that a running server can be asked
    #[command(flatten)]
    Ask(Request),
}

/// Where the program was asked for what it does itself.
pub enum Own {
    /// Run the platform.
    Serve,
    /// Run a demonstration.
    Demo,
    /// Migrate the database.
    Migrate,
    /// Validate the configuration.
    Check,
    /// Restore a backup.
    Restore(PathBuf),
}

impl Arguments {
    /// Splits what the program does itself from what it asks a server for.
    pub fn split(self) -> (Common, Result<Own, Request>) {
        let common = Common { config: self.config, json: self.json };
        let asked = match self.command {
            Command::Serve => Ok(Own::Serve),
            Command::Demo => Ok(Own::Demo),
            Command::Migrate => Ok(Own::Migrate),
            Command::Check => Ok(Own::Check),
            Command::Restore { file } => Ok(Own::Restore(file)),
            Command::Version => unreachable!("answered before the split"),
            Command::Ask(request) => Err(request),
        };
        (common, asked)
    }
}

/// What goes with every command.
pub struct Common {
    /// The configuration file.
    pub config: PathBuf,
    /// JSON wanted?
    pub json: bool,
}

/// Asks, prints, and tells the shell how it went: 0 done, 1 refused or not found.
pub fn ask(config: &crate::config::Config, request: Request, json: bool) -> ExitCode {
    let answer = files::read_into(request)
        .and_then(|request| client::ask(config, &request).and_then(|value| files::write_out(&request, value)));
    match answer {
        Ok(value) => {
            render::print(&value, json);
            ExitCode::SUCCESS
        }
        Err(refused) => {
            eprintln!("{refused}");
            ExitCode::from(1)
        }
    }
}

/// Prints one text.
pub fn say(text: &str) -> ExitCode {
    render::text(text.trim_end());
    ExitCode::SUCCESS
}

/// Tells the shell how it went; says why not.
pub fn done(result: Result<(), crate::platform::NoStart>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => crate::serve::refuse(&reason),
    }
}

/// What is wrong with the configuration, a line each.
pub fn mistaken(mistakes: &crate::config::Mistakes) -> ExitCode {
    for line in &mistakes.0 {
        eprintln!("{line}");
    }
    ExitCode::from(1)
}
