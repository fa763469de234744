//! Keeping SQLite's log short, off the Ledger's thread.
//!
//! Commits only append to the log; this copies it into the database file. A passive checkpoint blocks nobody. When readers
//! have kept it from starting over for long, the pen is taken for a moment and the log is cut.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use crate::pen::Pen;

const EVERY: Duration = Duration::from_secs(1);
/// A log shorter than this is left alone: copying it would cost more syncs than it saves.
const LOG_BYTES_MIN: u64 = 4 << 20;
const LOG_BYTES_MAX: u64 = 64 << 20;

/// While it lives, so does the thread that checkpoints.
pub(crate) struct Checkpoints {
    _until_dropped: SyncSender<()>,
}

impl Checkpoints {
    /// Starts the thread for the database in `file`.
    pub(crate) fn start(file: &Path, pen: Pen) -> Checkpoints {
        let (sender, ended) = sync_channel(0);
        let file = file.to_owned();
        let started = thread::Builder::new().name("checkpoint".to_owned()).spawn(move || keep(&file, &pen, &ended));
        if let Err(error) = started {
            tracing::warn!(%error, "no checkpoint thread: the database's log will grow until the next start");
        }
        Checkpoints { _until_dropped: sender }
    }
}

fn keep(file: &Path, pen: &Pen, ended: &Receiver<()>) {
    let log = PathBuf::from(format!("{}-wal", file.display()));
    let mut connection = None;
    while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        let length = std::fs::metadata(&log).map_or(0, |data| data.len());
        if length < LOG_BYTES_MIN {
            continue;
        }
        if connection.is_none() {
            connection = Connection::open(file).ok();
        }
        let Some(open) = &connection else { continue };
        if let Err(error) = shorten(open, length > LOG_BYTES_MAX, pen) {
            tracing::debug!(%error, "checkpoint put off");
            connection = None;
        }
    }
}

fn shorten(open: &Connection, cut: bool, pen: &Pen) -> rusqlite::Result<()> {
    open.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    if cut {
        // Nearly all is copied by now, so the pen is held for the rest only.
        let _stroke = pen.take_blocking();
        open.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}
