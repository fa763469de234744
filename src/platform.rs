//! The platform: opens the rooms in the order a call flows through them, and closes them in the other.
//!
//! `main` and the tests open the same one. Everything that can fail on an operator's account fails here, before the first
//! packet is read, with one line that says what and where.

mod first_start;
mod follow;
mod lock;
mod recovery;
mod workers;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Addr, Arbiter};
use arc_swap::ArcSwap;
use serde_json::Value;
use tollgate_actors::alerter::Alerter;
use tollgate_actors::carrier::Changed;
use tollgate_actors::clock::Clock;
use tollgate_actors::edge::{Sockets, Wires};
use tollgate_actors::gate::Gate;
use tollgate_actors::gatekeeper::Gatekeeper;
use tollgate_actors::journal::{IsWritten, Journal, JournalDoor};
use tollgate_actors::ledger::{IsDrained, Ledger, LedgerDoor, LedgerPlans};
use tollgate_actors::ops::outcome::{Progress, ProgressSink, Refused};
use tollgate_actors::ops::{Ops, Request};
use tollgate_actors::placement::{Front, Shards};
use tollgate_actors::premises::{Plans, Premises};
use tollgate_actors::price_book::PriceBook;
use tollgate_actors::rater::Rater;
use tollgate_actors::relay::{PortRange, Relay, RelayConfig};
use tollgate_actors::resolver::Resolver;
use tollgate_actors::sip_shard::SipShard;
use tollgate_actors::snapshots::Snapshots;
use tollgate_actors::tuning::{Tuned, registry};
use tollgate_actors::watcher::{MoveIn, Watcher};
use tollgate_billing::hold::NodeLife;
use tollgate_call::Host;
use tollgate_guard::Policy as GatePolicy;
use tollgate_routing::Directory;
use tollgate_settings::Values;
use tollgate_store::book::Book;
use tollgate_store::nodes::{self, Life};
use tollgate_store::seal::KeySource;
use tollgate_store::spool::Spool;
use tollgate_store::versions::{self, Versions};
use tollgate_store::{Options, Store};
use tollgate_types::{Seed, Transport};

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

/// File descriptors that are not media's: database, TCP peers, listeners.
const DESCRIPTORS_KEPT: u64 = 25_000;
/// Sockets that one call with one media line may need: two legs, RTP and RTCP.
const SOCKETS_A_CALL: u64 = 4;

/// A running platform.
pub struct Platform {
    /// What lives in it.
    pub house: Arc<Premises>,
    /// What operators ask.
    pub ops: Arc<Ops>,
    /// Its listeners, really bound.
    pub bound: Vec<(Transport, std::net::SocketAddr)>,
    /// What the operator should read before anything else.
    pub news: Vec<String>,
    snapshots: Arc<Snapshots>,
    ledger: LedgerDoor,
    journal: Addr<Journal>,
    store: Store,
    life: Life,
    relay: Relay,
    runtime: Arc<tokio::runtime::Runtime>,
    arbiters: Vec<Arbiter>,
    stop: Arc<AtomicBool>,
    drain: Duration,
    _lock: lock::Lock,
}

/// What both a server and a single command need: the lock, the store, and how to read it.
struct Ground {
    lock: lock::Lock,
    runtime: Arc<tokio::runtime::Runtime>,
    store: Store,
    snapshots: Snapshots,
    seed: Seed,
    clock: Clock,
    first: bool,
}

impl Ground {
    /// Takes the lock and opens the database.
    fn open(config: &Config, migrate: bool) -> Result<Ground, NoStart> {
        let data_dir = &config.server.data_dir;
        std::fs::create_dir_all(data_dir)
            .map_err(|error| NoStart(format!("server.data_dir {}: {error}", data_dir.display())))?;
        let lock = lock::Lock::take(data_dir)?;
        let runtime = Arc::new(
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("io").enable_all().build()?,
        );
        let registry = Arc::new(registry());
        let pins = config.pins(&registry).map_err(|mistakes| NoStart(mistakes.0.join("\n")))?;
        let options = options_of(config, migrate);
        let store = runtime.block_on(Store::open(options))?;
        let first = runtime.block_on(first_start::settle_realm(&store, &config.sip.domain))?;
        let seed = Seed(rand::random());
        let clock = Clock::real();
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
    Ground::open(config, true).map(|ground| drop_ground(&ground))
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
    let ground = Ground::open(config, true).map_err(Refused::because)?;
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

/// Everything that is read and bound before anybody lives: made outside of any runtime, where waiting is allowed.
pub struct Prepared {
    ground: Ground,
    life: Life,
    sockets: Arc<Sockets>,
    values: Values,
    directory: Directory,
    prices: PriceBook,
    book: Book,
    spool: Spool,
    relay: Relay,
    most_sockets: usize,
}

impl Prepared {
    /// Takes the lock, opens the database, reads the snapshots, binds the listeners.
    pub fn new(config: &Config) -> Result<Prepared, NoStart> {
        let descriptors = rlimit::increase_nofile_limit(1_048_576).unwrap_or(1024);
        let mut ground = Ground::open(config, true)?;
        let advertise = config.sip.advertise.as_ref().and_then(|host| host.parse::<IpAddr>().ok());
        let sockets =
            Sockets::bind(&config.sip.udp, &config.sip.tcp, advertise).map_err(|error| NoStart(error.to_string()))?;
        let runtime = ground.runtime.clone();
        let life = runtime.block_on(workers::begin_life(&ground.store, &config.server.data_dir))?;
        let snapshots = &mut ground.snapshots;
        snapshots.host.node = NodeLife { node: life.node, life: life.id };
        snapshots.domains.extend(sockets.bound().iter().map(|(_, at)| at.ip().to_string()));
        let (values, directory, prices, book) = runtime.block_on(async {
            let seen = versions::read(&snapshots.store).await?;
            let values = snapshots.settings().await?;
            let (directory, version) = snapshots.directory(&values).await?;
            *snapshots.seen.get_mut() = Versions { directory: version, ..seen };
            let prices = snapshots.prices(None).await?;
            let book = Book::open(&snapshots.store).await?;
            Ok::<_, tollgate_store::Error>((values, directory, prices, book))
        })?;
        snapshots.rules.store(Arc::new(snapshots.rules(&values, &prices)));
        let spool = workers::open_spool(&config.server.data_dir, &values, ground.clock.wall())?;
        let kept = DESCRIPTORS_KEPT.min(descriptors / 2);
        let most_sockets = usize::try_from(descriptors - kept).unwrap_or(usize::MAX);
        let relay = open_relay(config, most_sockets, &ground.clock, ground.seed)?;
        let sockets = Arc::new(sockets);
        Ok(Prepared { ground, life, sockets, values, directory, prices, book, spool, relay, most_sockets })
    }
}

impl Platform {
    /// Everybody moves in; what an earlier life left is settled; then the network is read. Within an actix system.
    pub async fn open(config: &Config, prepared: Prepared) -> Result<Platform, NoStart> {
        let Prepared { ground, life, sockets, values, directory, prices, book, spool, relay, most_sockets } = prepared;
        let Ground { lock, runtime, store, snapshots, seed, clock, first } = ground;
        let bound = sockets.bound();
        let mut news = Vec::new();
        if directory.routes().emergency().is_empty() {
            news.push(
                "no route carries emergency calls yet: tollgate route add --emergency --prefix 112 --trunk NAME".into(),
            );
        }
        let alerter = Alerter::open(clock.clone(), seed.child(11));
        let ledger_thread = Arbiter::new();
        let plans = LedgerPlans {
            book,
            runtime: runtime.handle().clone(),
            rules: snapshots.rules.clone(),
            clock: clock.clone(),
            seed: seed.child(12),
            spool,
            alerter: alerter.clone(),
            failing: Arc::default(),
        };
        let ledger = Ledger::open(plans, Some(&ledger_thread.handle()));
        let journal = Journal::open(store.clone(), runtime.handle().clone(), clock.clone(), seed.child(13));
        let watched = store.clone();
        let suspected = on(&runtime, async move {
            let now = watched.now().await?;
            Ok((tollgate_store::fraud::profiles(&watched).await?, tollgate_store::fraud::bans(&watched, now).await?))
        });
        let watcher =
            Watcher::open(store.clone(), runtime.handle().clone(), clock.clone(), seed.child(18), suspected.await?);
        let transports: Vec<Transport> = [Transport::Udp, Transport::Tcp]
            .into_iter()
            .filter(|transport| bound.iter().any(|(kind, _)| kind == transport))
            .collect();
        let has = |v4: bool| bound.iter().any(|(_, at)| at.is_ipv4() == v4);
        let resolver = Resolver::new(runtime.handle().clone(), transports, has(true), has(false), seed.child(14));
        let gate = Arc::new(Gate::new(GatePolicy::of(&values), clock.clone(), seed.child(15)));
        let memory = Some((store.clone(), runtime.handle().clone()));
        let kernel = workers::kernel_set(&values, &bound);
        let keeper = Gatekeeper::open(gate.clone(), memory, kernel, alerter.clone(), clock.clone(), seed.child(16));
        let house = Arc::new(Premises::new(Plans {
            clock: clock.clone(),
            seed,
            node: i64::from(life.node),
            directory,
            prices,
            tuned: Tuned::read(&values, &snapshots.host),
            settings: values,
            gate: gate.clone(),
            wires: Wires::new(sockets.clone()),
            relay: relay.handle(),
            ledger: ledger.clone(),
            journal: JournalDoor(journal.clone()),
            watcher: watcher.clone(),
            alerter,
            resolver,
            edge_counts: Arc::default(),
            calls_max: most_sockets as u64 / SOCKETS_A_CALL,
        }));
        watcher.addr.do_send(MoveIn(house.clone()));
        let mut arbiters = vec![ledger_thread];
        let (shards, raters) = open_shards(config, &house, seed, &mut arbiters);
        house.move_in(shards.clone(), raters);
        let snapshots = Arc::new(snapshots);
        let ops = Arc::new(Ops::new(
            store.clone(),
            snapshots.clone(),
            Some(house.clone()),
            snapshots.registry.clone(),
            clock,
        ));
        let stop = Arc::new(AtomicBool::new(false));
        house.gate.learn(&house.directory.load_full());
        workers::tick(&runtime, &house, &ledger.addr, &journal, &keeper, &stop);

        let (there, snaps, living, this_life, asked) =
            (store.clone(), snapshots.clone(), house.clone(), life.clone(), ops.clone());
        let more = on(&runtime, async move {
            snaps.refresh_destinations(&living).await?;
            recovery::remember_numbers(&there, &living).await?;
            snaps.log_in_to_trunks(&living).await?;
            recovery::bring_what_was_spooled(&living).await?;
            recovery::settle_earlier_lives(&there, &this_life, &living).await?;
            recovery::remember_registrations(&there, &living).await?;
            tollgate_actors::recall::last_hour(&there, &living, living.clock.wall()).await?;
            recovery::remember_bans(&there, &snaps, &living).await?;
            if first { first_start::furnish(&there, &asked, snaps.currency).await } else { Ok(Vec::new()) }
        });
        news.extend(more.await?);

        workers::heartbeat(&runtime, &store, &life, &house, &stop);
        workers::lay_out_time(&runtime, snapshots.clone(), &house, &stop);
        workers::watch_profile(&runtime, ops.clone(), &stop);
        follow::follow(&runtime, &store, snapshots.clone(), ops.clone(), &stop);
        workers::keep_house(&runtime, &store, snapshots.clone(), &stop);
        workers::carry_talk(&runtime, &store, &house, &stop);
        workers::write_numbers(&runtime, &store, &house, &stop);
        workers::watch_the_gate(&runtime, &store, &snapshots, &house, &stop);
        for trunk in house.directory.load_full().egresses() {
            let changed = Changed { trunk: trunk.id, now: Some(trunk.clone()) };
            shards.of_trunk(trunk.id).do_send(changed);
        }
        let front = Front::new(shards, &house);
        sockets.read_into(&front);
        let drain = config.server.drain;
        Ok(Platform {
            house,
            ops,
            bound,
            news,
            snapshots,
            ledger,
            journal,
            store,
            life,
            relay,
            runtime,
            arbiters,
            stop,
            drain,
            _lock: lock,
        })
    }

    /// The runtime of database, DNS and the control socket.
    pub fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    /// Settings, users, routes and prices are read anew (SIGHUP). `config` is the file as it is now: what it pins holds.
    pub async fn reload(&self, config: Option<&Config>) {
        let (snapshots, house) = (self.snapshots.clone(), self.house.clone());
        match config.map(|config| config.pins(&snapshots.registry)) {
            Some(Ok(pins)) => snapshots.pins.store(Arc::new(pins)),
            Some(Err(mistakes)) => {
                return mistakes.0.iter().for_each(|mistake| tracing::error!(%mistake, "nothing was read anew"));
            }
            None => {}
        }
        let read = on(&self.runtime, async move {
            snapshots.refresh_settings(&house).await?;
            snapshots.refresh_directory(&house).await?;
            snapshots.refresh_destinations(&house).await?;
            snapshots.refresh_prices(&house).await?;
            Ok(())
        });
        match read.await {
            Ok(()) => tracing::info!("settings, directory and prices were read anew"),
            Err(error) => tracing::error!(%error, "nothing was read anew; what held goes on holding"),
        }
    }

    /// No new calls; running ones get the drain time, then BYE; the books are flushed. Consumes the platform.
    pub async fn close(self) {
        self.house.load.close();
        let clock = self.house.clock.clone();
        let deadline = clock.mono() + self.drain;
        while self.house.load.calls() > 0 && clock.mono() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if self.house.load.calls() > 0 {
            workers::hang_up_all(&self.house).await;
            let deadline = clock.mono() + Duration::from_secs(5);
            while self.house.load.calls() > 0 && clock.mono() < deadline {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let deadline = clock.mono() + Duration::from_secs(10);
        while clock.mono() < deadline {
            let drained = self.ledger.addr.send(IsDrained).await.unwrap_or(true)
                && self.journal.send(IsWritten).await.unwrap_or(true)
                && self.house.watcher.addr.send(IsWritten).await.unwrap_or(true);
            if drained {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.stop.store(true, Ordering::Relaxed);
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        let (store, life, runtime) = (self.store, self.life, self.runtime);
        let learned = self.house.reputations.take_fresh();
        let ended = runtime.spawn(async move {
            tollgate_store::reputations::write(&store, &learned).await?;
            tollgate_store::recovery::close_earlier_lives(&store, &life).await?;
            nodes::end(&store, life.id).await?;
            store.close().await
        });
        if let Ok(Err(error)) = ended.await {
            tracing::warn!(%error, "the database was not closed in order");
        }
        drop(self.relay);
        // A runtime may not be dropped where something is awaited.
        if let Ok(runtime) = Arc::try_unwrap(runtime) {
            runtime.shutdown_background();
        }
    }
}

/// Runs on the database's runtime: what it opens there belongs there.
async fn on<T: Send + 'static>(
    runtime: &tokio::runtime::Runtime,
    work: impl Future<Output = Result<T, NoStart>> + Send + 'static,
) -> Result<T, NoStart> {
    runtime.spawn(work).await.unwrap_or_else(|error| Err(NoStart(format!("a fault of ours at the start: {error}"))))
}

fn open_relay(config: &Config, most_sockets: usize, clock: &Clock, seed: Seed) -> Result<Relay, NoStart> {
    let of_family = |all: &[IpAddr], v4: bool| all.iter().find(|address| address.is_ipv4() == v4).copied();
    let threads = match config.server.media_threads {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(8)),
        given => given,
    };
    let (first, last) = config.media.ports;
    let ports: PortRange = format!("{first}-{last}").parse()?;
    let relay_config = RelayConfig {
        threads,
        bind_v4: of_family(&config.media.bind, true),
        bind_v6: of_family(&config.media.bind, false),
        advertise_v4: of_family(&config.media.advertise, true),
        advertise_v6: of_family(&config.media.advertise, false),
        ports,
        most_sockets,
    };
    let clock = clock.clone();
    Relay::start(&relay_config, Arc::new(move || clock.mono()), seed.child(16))
        .map_err(|error| NoStart(format!("media: {error}")))
}

fn open_shards(
    config: &Config,
    house: &Arc<Premises>,
    seed: Seed,
    arbiters: &mut Vec<Arbiter>,
) -> (Shards, Vec<Addr<Rater>>) {
    let count = match config.server.sip_shards {
        0 => std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
        given => given,
    };
    let mut doors = Vec::new();
    let mut raters = Vec::new();
    for index in 0..count {
        let arbiter = Arbiter::new();
        doors.push((SipShard::open_in(&arbiter.handle(), index as u16, house.clone()), arbiter.handle()));
        raters.push(Rater::open_in(&arbiter.handle(), house.clone()));
        arbiters.push(arbiter);
    }
    (Shards::new(doors, seed.child(17)), raters)
}

/// Which database that is, for people.
pub fn database_name(config: &Config) -> &'static str {
    match config.database {
        Database::Embedded | Database::Sqlite(_) => "SQLite",
        Database::Postgres(_) => "PostgreSQL",
    }
}
