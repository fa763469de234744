//! `tollgate serve`: the platform until a signal ends it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use actix::System;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{SignalKind, signal};
use tollgate_actors::premises::Premises;
use tollgate_web::{Listening, Readiness, Ready, ServerHandle};

use crate::config::Config;
use crate::control::Door;
use crate::platform::{Layout, NoStart, Platform, Prepared};

/// Runs until SIGTERM or SIGINT; `file` is where the configuration came from.
pub fn run(config: &Config, file: &Path) -> ExitCode {
    log_to_stderr(&config.server.log);
    let metrics = match PrometheusBuilder::new().install_recorder() {
        Ok(metrics) => metrics,
        Err(error) => return refuse(&NoStart(error.to_string())),
    };
    let prepared = match Prepared::new(config, Layout::Threads) {
        Ok(prepared) => prepared,
        Err(reason) => return refuse(&reason),
    };
    let system = System::new();
    system.block_on(async {
        let platform = match Platform::open(config, prepared).await {
            Ok(platform) => platform,
            Err(reason) => return refuse(&reason),
        };
        match attend(config, file, platform, metrics).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => refuse(&reason),
        }
    })
}

/// The one line that says why nothing runs.
pub fn refuse(reason: &NoStart) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::from(1)
}

/// Structured lines on stderr; `filter` as `tracing` reads it.
pub fn log_to_stderr(filter: &str) {
    let filter =
        tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let lines = lines.with_filter_reloading();
    let handle = lines.reload_handle();
    if lines.try_init().is_ok() {
        let _ = LOG.set(Box::new(move |filter| match tracing_subscriber::EnvFilter::try_new(filter) {
            Ok(filter) => drop(handle.reload(filter)),
            Err(error) => tracing::error!(%error, filter, "server.log is no filter; the old one holds"),
        }));
    }
}

/// Changes how much is logged, once something is.
static LOG: OnceLock<SetLog> = OnceLock::new();

/// Takes a filter as `tracing` writes it.
type SetLog = Box<dyn Fn(&str) + Send + Sync>;

async fn attend(config: &Config, file: &Path, platform: Platform, metrics: PrometheusHandle) -> Result<(), NoStart> {
    let doors = Doors::open(config, &platform, metrics)?;
    announce(&platform);
    wait_for_the_end(&platform, Some(file)).await;
    doors.close_with(platform).await;
    Ok(())
}

/// What listens beside the SIP sockets: web, metrics, and the control socket.
pub struct Doors {
    web: Vec<ServerHandle>,
    control: Door,
}

impl Doors {
    /// Opens them all, or says which one cannot be. Within an actix system.
    pub fn open(config: &Config, platform: &Platform, metrics: PrometheusHandle) -> Result<Doors, NoStart> {
        let listening = Listening { web: Some(config.web.listen), metrics: config.metrics.listen };
        let gauges = platform.house.clone();
        let readiness = Arc::new(Open(platform.house.clone()));
        let web = tollgate_web::serve(&listening, readiness, metrics, move || show_gauges(&gauges))
            .map_err(|error| NoStart(error.to_string()))?;
        let control = Door::bind(&config.control_socket())
            .map_err(|error| NoStart(format!("control.socket {}: {error}", config.control_socket().display())))?;
        let ops = platform.ops.clone();
        let guard = platform.runtime().enter();
        let served = control.serve(ops);
        drop(guard);
        served.map_err(|error| NoStart(format!("control.socket: {error}")))?;
        Ok(Doors { web, control })
    }

    /// Drains and closes the platform, which can be watched meanwhile; then the doors.
    pub async fn close_with(self, platform: Platform) {
        tracing::info!("no new calls; running ones are drained");
        platform.close().await;
        for server in self.web {
            server.stop(false).await;
        }
        drop(self.control);
    }
}

#[allow(clippy::print_stdout, reason = "the line that scripts wait for, and what an operator reads first")]
fn announce(platform: &Platform) {
    for line in &platform.news {
        println!("{line}");
    }
    for (transport, at) in &platform.bound {
        tracing::info!(%transport, %at, "listening");
    }
    println!("ready");
}

/// Returns at SIGTERM or SIGINT; SIGHUP reads anew what can be.
pub async fn wait_for_the_end(platform: &Platform, file: Option<&Path>) {
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tracing::error!("signals cannot be heard");
        return;
    };
    loop {
        tokio::select! {
            _ = term.recv() => return,
            _ = int.recv() => return,
            _ = hup.recv() => reload(platform, file).await,
        }
    }
}

/// What the file pins and how much is logged hold from now on; its other keys are for the next start. A file with a mistake
/// changes nothing.
async fn reload(platform: &Platform, file: Option<&Path>) {
    let config = match file.map(|file| Config::load(file, std::env::vars())).transpose() {
        Ok(config) => config,
        Err(mistakes) => {
            return mistakes.0.iter().for_each(|mistake| tracing::error!(%mistake, "nothing was read anew"));
        }
    };
    if let (Some(config), Some(log)) = (&config, LOG.get()) {
        log(&config.server.log);
    }
    platform.reload(config.as_ref()).await;
}

/// What `/readyz` asks.
struct Open(Arc<Premises>);

impl Readiness for Open {
    fn readiness(&self) -> Ready {
        Ready { database: !self.0.ledger.is_failing(), listeners: true, accepting: self.0.load.is_open() }
    }
}

fn show_gauges(house: &Premises) {
    metrics::gauge!("tollgate_calls_active").set(house.load.calls() as f64);
    metrics::gauge!("tollgate_calls_waiting").set(f64::from(house.pending.total()));
    let counts = &house.edge_counts;
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    metrics::counter!("tollgate_sip_received_total").absolute(read(&counts.received));
    metrics::counter!("tollgate_sip_banned_total").absolute(read(&counts.banned));
    metrics::counter!("tollgate_sip_overload_total").absolute(read(&counts.overload));
    metrics::counter!("tollgate_sip_oversized_total").absolute(read(&counts.oversized));
    for (index, load) in house.relay.loads().enumerate() {
        let thread = index.to_string();
        metrics::counter!("tollgate_media_forwarded_total", "thread" => thread.clone())
            .absolute(load.forwarded.load(std::sync::atomic::Ordering::Relaxed));
        metrics::gauge!("tollgate_media_sockets", "thread" => thread)
            .set(load.sockets.load(std::sync::atomic::Ordering::Relaxed) as f64);
    }
}
