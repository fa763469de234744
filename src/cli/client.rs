//! Reaching the server: by its control socket if one is running, else by opening the database for this one request.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tollgate_actors::ops::Request;
use tollgate_actors::ops::outcome::{Progress, Refused};

use crate::config::Config;
use crate::control::{Said, Wanted};
use crate::platform;

/// Asks whoever can answer.
pub fn ask(config: &Config, request: &Request) -> Result<Value, Refused> {
    let socket = config.control_socket();
    match UnixStream::connect(&socket) {
        Ok(stream) => ask_server(stream, request),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            let bar = Bar::default();
            platform::ask_offline(config, request.clone(), move |progress| bar.show(&progress))
        }
        Err(error) => Err(Refused::because(format_args!("control socket {}: {error}", socket.display()))),
    }
}

fn ask_server(mut stream: UnixStream, request: &Request) -> Result<Value, Refused> {
    let lost = |error: std::io::Error| Refused::because(format_args!("the server went away: {error}"));
    let wanted = Wanted { request: request.clone(), by: operator() };
    let mut line = serde_json::to_vec(&wanted).map_err(Refused::because)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(lost)?;
    let bar = Bar::default();
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str::<Said>(&line.map_err(lost)?).map_err(Refused::because)? {
            Said::Progress(progress) => bar.show(&progress),
            Said::Result(value) => return Ok(value),
            Said::Refused(refused) => return Err(refused),
        }
    }
    Err(Refused::because("the server went away before it answered; whether it was done is told by the audit log"))
}

/// Who is asking, for the audit row.
pub fn operator() -> String {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "operator".into());
    format!("cli:{name}")
}

/// A progress bar that exists only once there is progress, and only on a terminal.
#[derive(Default)]
struct Bar(std::cell::RefCell<Option<ProgressBar>>);

impl Bar {
    fn show(&self, progress: &Progress) {
        let mut bar = self.0.borrow_mut();
        let bar = bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(progress.total).with_style(style)
        });
        bar.set_message(progress.what.clone());
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        if progress.done >= progress.total {
            bar.finish_and_clear();
        }
    }
}
