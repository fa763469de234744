//! The platform: opens the rooms in the order a call flows through them, and closes them in the other.
//!
//! `main` and the tests open the same one, each in its [`Layout`]. Everything that can fail on an operator's account fails
//! here, before the first packet is read, with one line that says what and where.

mod chores;
mod first_start;
mod follow;
mod ground;
mod idle;
mod layout;
mod lock;
mod prepared;
mod recovery;
mod steps;
mod workers;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tollgate_actors::alerter::Alerter;
use tollgate_actors::aside::Aside;
use tollgate_actors::caretaker::{Caretaker, Confide, Post};
use tollgate_actors::carrier::Changed;
use tollgate_actors::clock::Clock;
use tollgate_actors::gate::Gate;
use tollgate_actors::gatekeeper::Gatekeeper;
use tollgate_actors::journal::{IsWritten, Journal};
use tollgate_actors::ledger::{IsDrained, Ledger, LedgerDoor, LedgerPlans};
use tollgate_actors::ops::Ops;
use tollgate_actors::placement::Front;
use tollgate_actors::premises::{Plans, Premises};
use tollgate_actors::resolver::Resolver;
use tollgate_actors::snapshots::Snapshots;
use tollgate_actors::trunk_hosts::TrunkHosts;
use tollgate_actors::tuning::Tuned;
use tollgate_actors::watcher::{MoveIn, Watcher};
use tollgate_guard::Policy as GatePolicy;
use tollgate_store::Store;
use tollgate_store::nodes::{self, Life};
use tollgate_types::{Mono, Transport};

use crate::config::Config;
use chores::Steward;
use ground::Ground;
pub use ground::{NoStart, ask_offline, database_name, migrate, restore};
pub use idle::Idle;
pub use layout::{Layout, Stage};
use layout::{Media, Threads};
pub use prepared::Prepared;
use steps::Steps;
use workers::Metronome;

/// How long calls may take to end once they are hung up.
const HANG_UP_WAIT: Duration = Duration::from_secs(5);
/// How long the start waits for the names of ingress trunks.
const FIRST_LOOK: Duration = Duration::from_secs(2);
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
    journal: Post<Journal>,
    store: Store,
    life: Life,
    media: Media,
    runtime: Arc<tokio::runtime::Runtime>,
    threads: Threads,
    stop: Arc<AtomicBool>,
    drain: Duration,
    /// On one thread: what its time is moved by.
    steps: Option<Steps>,
    _lock: lock::Lock,
}

impl Platform {
    /// Everybody moves in; what an earlier life left is settled; then the network is read. Within an actix system.
    pub async fn open(config: &Config, prepared: Prepared) -> Result<Platform, NoStart> {
        let Prepared { ground, life, network, values, directory, prices, book, spool, media, most_sockets, idle } =
            prepared;
        let Ground { lock, runtime, store, snapshots, seed, clock, first } = ground;
        let bound = network.bound.clone();
        let mut threads = Threads::new(idle.is_some());
        let mut news = Vec::new();
        if directory.routes().emergency().is_empty() {
            news.push(
                "no route carries emergency calls yet: tollgate route add --emergency --prefix 112 --trunk NAME".into(),
            );
        }
        let (first_port, last_port) = config.media.ports;
        let ports = (u64::from(last_port - first_port) + 1) * config.media.bind.len() as u64;
        let calls_max = ports.min(most_sockets as u64) / SOCKETS_A_CALL;
        let aside = Aside::new(runtime.handle().clone());
        let caretaker = Caretaker::open(clock.clone());
        let alerter = Alerter::open(clock.clone(), seed.child(11), caretaker.clone());
        caretaker.do_send(Confide(alerter.clone()));
        let plans = LedgerPlans {
            book,
            aside: aside.clone(),
            rules: snapshots.rules.clone(),
            clock: clock.clone(),
            seed: seed.child(12),
            spool,
            alerter: alerter.clone(),
            failing: Arc::default(),
        };
        let ledger = Ledger::open(plans, threads.for_ledger().as_ref());
        let journal_door =
            Journal::open(store.clone(), aside.clone(), clock.clone(), seed.child(13), caretaker.clone());
        let journal = journal_door.post.clone();
        let watched = store.clone();
        let suspected = on(&runtime, async move {
            let now = watched.now().await?;
            Ok((tollgate_store::fraud::profiles(&watched).await?, tollgate_store::fraud::bans(&watched, now).await?))
        });
        let watcher = Watcher::open(store.clone(), aside.clone(), clock.clone(), seed.child(18), suspected.await?);
        let transports: Vec<Transport> = [Transport::Udp, Transport::Tcp]
            .into_iter()
            .filter(|transport| bound.iter().any(|(kind, _)| kind == transport))
            .collect();
        let has = |v4: bool| bound.iter().any(|(_, at)| at.is_ipv4() == v4);
        let resolver =
            Resolver::new(runtime.handle().clone(), &config.sip.dns, transports, has(true), has(false), seed.child(14));
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
            wires: network.wires.clone(),
            relay: media.handle(),
            ledger: ledger.clone(),
            journal: journal_door,
            watcher: watcher.clone(),
            alerter,
            caretaker: caretaker.clone(),
            resolver,
            edge_counts: Arc::default(),
            calls_max,
        }));
        watcher.addr.do_send(MoveIn(house.clone()));
        let (shards, raters) = threads.open_shards(config, &house, seed);
        house.move_in(shards.clone(), raters);
        let snapshots = Arc::new(snapshots);
        let ops = Arc::new(Ops::new(
            store.clone(),
            snapshots.clone(),
            Some(house.clone()),
            snapshots.registry.clone(),
            clock.clone(),
        ));
        let stop = Arc::new(AtomicBool::new(false));
        house.gate.learn(&house.directory.load_full());
        let metronome =
            Metronome { house: house.clone(), ledger: ledger.addr.clone(), journal: journal.clone(), keeper };
        let steward = Arc::new(Steward {
            store: store.clone(),
            life: life.clone(),
            house: house.clone(),
            snapshots: snapshots.clone(),
            ops: ops.clone(),
            bans_known: Default::default(),
        });
        let steps = idle.map(|idle| Steps::new(idle, metronome.clone(), steward.clone(), aside));
        if steps.is_none() {
            metronome.run(&runtime, &stop);
        }

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
            // The trunks of today's names are known before the network is read, if DNS answers soon.
            let _ = tokio::time::timeout(FIRST_LOOK, TrunkHosts::look(&living)).await;
            if first { first_start::furnish(&there, &asked, snaps.currency).await } else { Ok(Vec::new()) }
        });
        news.extend(more.await?);

        if steps.is_none() {
            steward.attend_all(&runtime, &stop);
        }
        for trunk in house.directory.load_full().egresses() {
            let changed = Changed { trunk: trunk.id, now: Some(trunk.clone()) };
            shards.of_trunk(trunk.id).do_send(changed);
        }
        let front = Front::new(shards, &house);
        network.read_into(&front);
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
            media,
            runtime,
            threads,
            stop,
            drain,
            steps,
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

    /// Lets so much time pass, whoever moves it.
    async fn pause(&self, clock: &Clock, span: Duration) {
        match &self.steps {
            Some(_) => self.step_to(clock.mono() + span).await,
            None => tokio::time::sleep(span).await,
        }
    }

    /// Returns when no call is live, or then.
    async fn await_quiet(&self, clock: &Clock, deadline: Mono) {
        while self.house.load.calls() > 0 && clock.mono() < deadline {
            self.pause(clock, Duration::from_millis(20)).await;
        }
    }

    /// No new calls; running ones get the drain time, then BYE; the books are flushed. Consumes the platform.
    ///
    /// Emergency calls are taken as long as it drains, and have the same time from their own beginning: the end comes after
    /// twice the drain time at the latest.
    pub async fn close(self) {
        self.house.load.close();
        let clock = self.house.clock.clone();
        self.await_quiet(&clock, clock.mono() + self.drain).await;
        self.house.load.shut();
        let last = self.house.load.last_emergency() + self.drain;
        for (ordinary, until) in [(true, last), (false, clock.mono().max(last) + HANG_UP_WAIT)] {
            if self.house.load.calls() > 0 {
                workers::hang_up_all(&self.house, ordinary).await;
                self.await_quiet(&clock, until).await;
            }
        }
        let deadline = clock.mono() + Duration::from_secs(10);
        while clock.mono() < deadline {
            let drained = self.ledger.addr.send(IsDrained).await.unwrap_or(true)
                && match self.journal.addr() {
                    Some(journal) => journal.send(IsWritten).await.unwrap_or(true),
                    None => true,
                }
                && self.house.watcher.addr.send(IsWritten).await.unwrap_or(true);
            if drained {
                break;
            }
            self.pause(&clock, Duration::from_millis(10)).await;
        }
        self.stop.store(true, Ordering::Relaxed);
        self.threads.stop();
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
        drop(self.media);
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
