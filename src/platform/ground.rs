//! The ground that a server and a single command stand on: the lock, the store, and how it is read.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;
use tollgate_actors::clock::Clock;
use tollgate_actors::ops::outcome::{Progress, ProgressSink, Refused};
use tollgate_actors::ops::{Ops, Request};
use tollgate_actors::snapshots::Snapshots;
use tollgate_actors::tuning::registry;
use tollgate_billing::hold::NodeLife;
use tollgate_call::Host;
use tollgate_store::seal::KeySource;
use tollgate_store::{Options, Store};
use tollgate_types::Seed;

use super::{first_start, lock};
use crate::config::{Config, Database};

/// Why the platform does not start: one line for the operator.
#[derive(Debug)]
pub struct NoStart(pub String);

impl fmt::Display for NoStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for NoStart {
    fn from(error: E) -> NoStart {
        NoStart(error.to_string())
    }
}

/// What both a server and a single command need: the lock, the store, and how to read it.
pub(super) struct Ground {
    pub lock: lock::Lock,
    pub runtime: Arc<tokio::runtime::Runtime>,
    pub store: Store,
    pub snapshots: Snapshots,
    pub seed: Seed,
    pub clock: Clock,
    pub first: bool,
}

impl Ground {
    /// Takes the lock and opens the database, for this machine's time and a seed of its own.
    pub fn of_this_machine(config: &Config, migrate: bool) -> Result<Ground, NoStart> {
        Ground::open(config, migrate, Clock::real(), Seed(rand::random()))
    }

    /// The same for a time and a seed that are given. A stepped clock is the database's as well.
    pub fn open(config: &Config, migrate: bool, clock: Clock, seed: Seed) -> Result<Ground, NoStart> {
        let data_dir = &config.server.data_dir;
        std::fs::create_dir_all(data_dir)
            .map_err(|error| NoStart(format!("server.data_dir {}: {error}", data_dir.display())))?;
        let lock = lock::Lock::take(data_dir)?;
        let runtime = Arc::new(
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("io").enable_all().build()?,
        );
        let registry = Arc::new(registry());
        let pins = config.pins(&registry).map_err(|mistakes| NoStart(mistakes.0.join("\n")))?;
        let mut options = options_of(config, migrate);
        if clock.is_stepped() {
            let clock = clock.clone();
            options.clock = Some(Arc::new(move || clock.wall()));
        }
        let store = runtime.block_on(Store::open(options))?;
        let first = runtime.block_on(first_start::settle_realm(&store, &config.sip.domain))?;
        let snapshots = Snapshots {
            store: store.clone(),
            registry,
            pins: ArcSwap::from_pointee(pins),
            host: host_of(config),
            domains: config.sip.domains.iter().cloned().chain(config.sip.advertise.clone()).collect(),
            country: config.billing.country,
            currency: config.billing.currency,
            rules: Arc::new(ArcSwap::from_pointee(Default::default())),
            seed,
            clock: clock.clone(),
            seen: Default::default(),
        };
        Ok(Ground { lock, runtime, store, snapshots, seed, clock, first })
    }
}

/// Who we are, as the configuration says.
fn host_of(config: &Config) -> Host {
    let of_family = |v4: bool| config.media.advertise.iter().find(|address| address.is_ipv4() == v4).copied();
    Host {
        domain: config.sip.domain.as_str().into(),
        advertise: config.sip.advertise.as_deref().map(Into::into),
        media_v4: of_family(true),
        media_v6: of_family(false),
        node: NodeLife::default(),
    }
}

/// Brings the database to this version.
pub fn migrate(config: &Config) -> Result<(), NoStart> {
    Ground::of_this_machine(config, true).map(|ground| drop_ground(&ground))
}

fn drop_ground(ground: &Ground) {
    // A store outlives its connections only on its own runtime.
    let _ = ground.runtime.block_on(ground.store.clone().close());
}

/// Fills an empty database from a backup.
pub fn restore(config: &Config, file: &Path) -> Result<(), NoStart> {
    std::fs::create_dir_all(&config.server.data_dir)?;
    let lock = lock::Lock::take(&config.server.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(tollgate_store::backup::restore(&options_of(config, true), file))?;
    drop(lock);
    Ok(())
}

fn options_of(config: &Config, migrate: bool) -> Options {
    let data_dir = config.server.data_dir.clone();
    Options { url: config.database_url(), data_dir, key: KeySource::DataDir, migrate, clock: None }
}

/// Answers one request with no server running.
pub fn ask_offline(config: &Config, request: Request, show: impl Fn(Progress)) -> Result<Value, Refused> {
    let ground = Ground::of_this_machine(config, true).map_err(Refused::because)?;
    let by = crate::cli::operator();
    let answer = ground.runtime.block_on(async {
        let registry = ground.snapshots.registry.clone();
        let ops = Ops::new(ground.store.clone(), Arc::new(ground.snapshots), None, registry, ground.clock.clone());
        let (sink, mut steps) = tokio::sync::mpsc::channel(16);
        let work = ops.run(request, &by, ProgressSink::to(sink));
        tokio::pin!(work);
        loop {
            tokio::select! {
                answer = &mut work => break answer,
                Some(step) = steps.recv() => show(step),
            }
        }
    });
    let _ = ground.runtime.block_on(ground.store.close());
    drop(ground.lock);
    answer
}

/// Which database that is, for people.
pub fn database_name(config: &Config) -> &'static str {
    match config.database {
        Database::Embedded | Database::Sqlite(_) => "SQLite",
        Database::Postgres(_) => "PostgreSQL",
    }
}
