//! The operator's door: a UNIX socket that speaks JSON lines. One request a connection; progress, then the result.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tollgate_actors::ops::outcome::{Progress, ProgressSink, Refused};
use tollgate_actors::ops::{Ops, Request};

/// The longest request: an import carries its file.
const LINE_MAX: u64 = 512 << 20;
/// Operators served at once; more wait.
const AT_ONCE: usize = 32;
/// A connection that has not said what it wants by then is closed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client sends.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// What is to be done.
    pub request: Request,
    /// Who asks, for the audit row.
    pub by: String,
}

/// What a client hears, one a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It goes on.
    Progress(Progress),
    /// It is done.
    Result(Value),
    /// It was not done.
    Refused(Refused),
}

/// The bound socket; its file goes with it.
pub struct Door {
    path: PathBuf,
    listener: std::os::unix::net::UnixListener,
}

impl Door {
    /// Binds with mode 0600. A file left by a dead server is replaced: the lock on the data folder is ours already.
    pub fn bind(path: &Path) -> io::Result<Door> {
        if path.exists() {
            std::fs::remove_file(path)?;
        }
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Door { path: path.to_owned(), listener })
    }

    /// Serves until the process ends, on the current tokio runtime.
    pub fn serve(&self, ops: Arc<Ops>) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            loop {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let ops = ops.clone();
                        tokio::spawn(async move {
                            if let Err(error) = serve_one(stream, &ops).await {
                                tracing::debug!(%error, "a control connection broke off");
                            }
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the control socket cannot accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve_one(stream: UnixStream, ops: &Ops) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(LINE_MAX));
    tokio::time::timeout(PATIENCE, reader.read_until(b'\n', &mut line))
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    let wanted: Wanted = match serde_json::from_slice(&line) {
        Ok(wanted) => wanted,
        Err(error) => {
            let refused = Refused::because(format_args!("the request is not understood: {error}"));
            return write_line(&mut writer, &Said::Refused(refused)).await;
        }
    };
    drop(line);
    let (sink, mut steps) = mpsc::channel(16);
    let work = ops.run(wanted.request, &wanted.by, ProgressSink::to(sink));
    tokio::pin!(work);
    let answer = loop {
        tokio::select! {
            answer = &mut work => break answer,
            Some(step) = steps.recv() => write_line(&mut writer, &Said::Progress(step)).await?,
        }
    };
    let said = answer.map_or_else(Said::Refused, Said::Result);
    write_line(&mut writer, &said).await
}

async fn write_line(writer: &mut (impl AsyncWriteExt + Unpin), said: &Said) -> io::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    writer.write_all(&line).await
}
