//! What an operator hears: progress while it runs, then a value, or one line that says why not.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Why nothing was done: one line for a person. Exit status 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Refused(pub String);

impl Refused {
    /// From anything that can say it in a line.
    pub fn because(reason: impl fmt::Display) -> Refused {
        Refused(reason.to_string())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<tollgate_store::Error> for Refused {
    fn from(error: tollgate_store::Error) -> Refused {
        Refused::because(error)
    }
}

/// How far a long operation has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub what: String,
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// Where progress goes; a slow listener misses steps, never delays the work.
#[derive(Clone, Default)]
pub struct ProgressSink(Option<mpsc::Sender<Progress>>);

impl ProgressSink {
    /// To a listener.
    pub fn to(listener: mpsc::Sender<Progress>) -> ProgressSink {
        ProgressSink(Some(listener))
    }

    /// To nobody.
    pub fn none() -> ProgressSink {
        ProgressSink(None)
    }

    /// Tells how far it is.
    pub fn tell(&self, what: &str, done: u64, total: u64) {
        if let Some(listener) = &self.0 {
            let _ = listener.try_send(Progress { what: what.to_owned(), done, total });
        }
    }
}
