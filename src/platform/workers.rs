//! What runs beside the actors: the clock's tick, the node's heartbeat, the calendar laid out anew.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::Addr;
use tollgate_actors::call::Tell;
use tollgate_actors::gatekeeper::{Enforce, Gatekeeper, Lift, ban_of};
use tollgate_actors::journal::Journal;
use tollgate_actors::kernel_set::KernelSet;
use tollgate_actors::ledger::Ledger;
use tollgate_actors::ops::Ops;
use tollgate_actors::premises::Premises;
use tollgate_actors::residents::{KNOWN_FOR, KNOWN_MAX};
use tollgate_actors::sip_shard::{LiveCalls, TICK, Tick};
use tollgate_actors::snapshots::Snapshots;
use tollgate_billing::Cause;
use tollgate_billing::calendar::Zone;
use tollgate_billing::source::IpLimits;
use tollgate_call::Event;
use tollgate_settings::Values;
use tollgate_settings::rows::books::SPOOL_MIB;
use tollgate_store::nodes::{self, Life};
use tollgate_store::spool::{SPOOL_FILE, Spool};
use tollgate_store::{
    Engine, Store, bans, fraud, known_sources, ledger, registrations, reputations, sources, trunk_days, versions,
};
use tollgate_types::{Transport, Wall};

use super::NoStart;

/// A proof of life a second.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often talk time of trunks is read from the books.
const TALK: Duration = Duration::from_secs(5);
/// How often it is asked whether a load test is over.
const PROFILE: Duration = Duration::from_secs(60);
/// How often the daily anchor and the prunings are looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);
/// How often what calls taught of numbers is written.
const NUMBERS: Duration = Duration::from_secs(10);
/// How long a number that nobody calls is remembered.
const NUMBERS_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How often the gate's load is measured, and on a shared database what other nodes decided is read.
const GATE: Duration = Duration::from_secs(2);
/// How often other nodes' orphans are looked for.
const ORPHANS: Duration = Duration::from_secs(15);

/// Begins a life of this node. On a shared database a life that ended less than a few seconds ago still counts as running,
/// so after a crash this waits for it.
pub async fn begin_life(store: &Store, data_dir: &Path) -> Result<Life, NoStart> {
    let path = data_dir.join("node");
    let name = match std::fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => name.trim().to_owned(),
        _ => {
            let name = format!("node-{:08x}", rand::random::<u32>());
            std::fs::write(&path, &name).map_err(|error| NoStart(format!("{}: {error}", path.display())))?;
            name
        }
    };
    let mut patience = if store.engine() == Engine::Postgres { 8 } else { 0 };
    loop {
        match nodes::begin(store, &name).await {
            Ok(life) => return Ok(life),
            Err(error) if patience == 0 => return Err(error.into()),
            Err(_) => {
                patience -= 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Opens the file that keeps the Ledger's facts while the database is away.
pub fn open_spool(data_dir: &Path, values: &Values, now: Wall) -> Result<Spool, NoStart> {
    let size = u64::try_from(values.integer(&SPOOL_MIB)).unwrap_or_default() << 20;
    Spool::open(&data_dir.join(SPOOL_FILE), size, now)
        .map_err(|error| NoStart(format!("{error}: books.spool_mib wants {size} bytes there")))
}

/// Drives every wheel.
pub fn tick(
    runtime: &tokio::runtime::Runtime,
    house: &Arc<Premises>,
    ledger: &Addr<Ledger>,
    journal: &Addr<Journal>,
    keeper: &Addr<Gatekeeper>,
    stop: &Arc<AtomicBool>,
) {
    let (house, ledger, journal, stop) = (house.clone(), ledger.clone(), journal.clone(), stop.clone());
    let keeper = keeper.clone();
    runtime.spawn(async move {
        let mut every = tokio::time::interval(TICK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            let now = Tick(house.clock.mono());
            for shard in house.shards().all() {
                let _ = shard.try_send(now);
            }
            let _ = ledger.try_send(now);
            let _ = journal.try_send(now);
            let _ = house.watcher.addr.try_send(now);
            let _ = keeper.try_send(now);
        }
    });
}

/// The kernel's set of bans, where it is wanted and can be had.
pub fn kernel_set(values: &Values, bound: &[(Transport, std::net::SocketAddr)]) -> Option<KernelSet> {
    if !values.bool(&tollgate_guard::rows::NFTABLES) {
        return None;
    }
    let ports = |udp: bool| -> Vec<u16> {
        bound.iter().filter(|(kind, _)| (*kind == Transport::Udp) == udp).map(|(_, at)| at.port()).collect()
    };
    match KernelSet::open(&ports(true), &ports(false)) {
        Ok(set) => Some(set),
        Err(error) => {
            tracing::warn!(%error, "guard.nftables: there is no set in the kernel; the edges drop what is banned");
            None
        }
    }
}

/// Proves that this node lives, each second by the database's clock; and settles what dead nodes left.
pub fn heartbeat(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    life: &Life,
    house: &Arc<Premises>,
    stop: &Arc<AtomicBool>,
) {
    let (beat_store, beat_life, beat_stop) = (store.clone(), life.clone(), stop.clone());
    runtime.spawn(async move {
        let mut every = tokio::time::interval(HEARTBEAT);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !beat_stop.load(Ordering::Relaxed) {
            every.tick().await;
            if let Err(error) = nodes::heartbeat(&beat_store, &beat_life).await {
                tracing::warn!(%error, "the node's proof of life was not written");
            }
        }
    });
    if store.engine() == Engine::Postgres {
        let (store, life, house, stop) = (store.clone(), life.clone(), house.clone(), stop.clone());
        runtime.spawn(async move {
            let mut every = tokio::time::interval(ORPHANS);
            while !stop.load(Ordering::Relaxed) {
                every.tick().await;
                if let Err(error) = super::recovery::settle_dead_nodes(&store, &life, &house).await {
                    tracing::warn!(%error, "dead nodes were not looked for");
                }
            }
        });
    }
}

/// Time lines reach a few days ahead: before they end they are laid out anew.
pub fn lay_out_time(
    runtime: &tokio::runtime::Runtime,
    snapshots: Arc<Snapshots>,
    house: &Arc<Premises>,
    stop: &Arc<AtomicBool>,
) {
    let (house, stop) = (house.clone(), stop.clone());
    runtime.spawn(async move {
        let mut every = tokio::time::interval(Snapshots::LAY_OUT_EVERY);
        every.tick().await;
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            if let Err(error) = snapshots.refresh_prices(&house).await {
                tracing::warn!(%error, "prices were not read anew");
            }
        }
    });
}

/// A profile that takes protections away ends by itself.
pub fn watch_profile(runtime: &tokio::runtime::Runtime, ops: Arc<Ops>, stop: &Arc<AtomicBool>) {
    let stop = stop.clone();
    runtime.spawn(async move {
        let mut every = tokio::time::interval(PROFILE);
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            if let Err(error) = ops.end_loadtest().await {
                tracing::warn!(%error, "the profile was not looked at");
            }
        }
    });
}

/// Carries what other nodes' calls by trunks with a quota talked, and this node's own of before its start.
pub fn carry_talk(runtime: &tokio::runtime::Runtime, store: &Store, house: &Arc<Premises>, stop: &Arc<AtomicBool>) {
    let (store, house, stop) = (store.clone(), house.clone(), stop.clone());
    runtime.spawn(async move {
        let mut every = tokio::time::interval(TALK);
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            let directory = house.directory.load_full();
            if !directory.egresses().any(|trunk| trunk.talk_day.is_some() || trunk.talk_month.is_some()) {
                continue;
            }
            let today = Zone::UTC.day_of(house.clock.wall());
            match trunk_days::talked(&store, today).await {
                Ok(talked) => house.trunks.carry_talk(today, &talked),
                Err(error) => tracing::warn!(%error, "the talk time of trunks was not read"),
            }
        }
    });
}

/// What calls taught of numbers is written behind; a crash forgets the last seconds of it.
pub fn write_numbers(runtime: &tokio::runtime::Runtime, store: &Store, house: &Arc<Premises>, stop: &Arc<AtomicBool>) {
    let (store, house, stop) = (store.clone(), house.clone(), stop.clone());
    runtime.spawn(async move {
        let mut every = tokio::time::interval(NUMBERS);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            if let Err(error) = reputations::write(&store, &house.reputations.take_fresh()).await {
                tracing::warn!(%error, "what calls taught of numbers was not written");
            }
        }
    });
}

/// Takes the daily anchor of the books, and forgets registrations and bans that are over.
pub fn keep_house(runtime: &tokio::runtime::Runtime, store: &Store, snapshots: Arc<Snapshots>, stop: &Arc<AtomicBool>) {
    let (store, stop) = (store.clone(), stop.clone());
    runtime.spawn(async move {
        let mut every = tokio::time::interval(HOUSEKEEPING);
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            if let Err(error) = tidy_up(&store, &snapshots.rules.load().policy.ip).await {
                tracing::warn!(%error, "the hourly housekeeping was not done; it is tried again");
            }
        }
    });
}

/// Tells the gate how loaded the platform is, and brings it the bans and rules of other nodes.
pub fn watch_the_gate(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    snapshots: &Arc<Snapshots>,
    house: &Arc<Premises>,
    stop: &Arc<AtomicBool>,
) {
    let (store, snapshots, house, stop) = (store.clone(), snapshots.clone(), house.clone(), stop.clone());
    runtime.spawn(async move {
        let mut every = tokio::time::interval(GATE);
        let mut known = 0;
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            house.gate.set_load(house.load.percent());
            if store.engine() == Engine::Postgres {
                let read = async {
                    let version = versions::read(&store).await?.bans;
                    if version != known {
                        known = version;
                        follow_bans(&store, &snapshots, &house).await?;
                    }
                    Ok::<_, tollgate_store::Error>(())
                };
                if let Err(error) = read.await {
                    tracing::warn!(%error, "other nodes' bans were not read");
                }
            }
        }
    });
}

/// What stands in the database holds here as well; what was written and stands there no more does not.
async fn follow_bans(store: &Store, snapshots: &Snapshots, house: &Premises) -> Result<(), tollgate_store::Error> {
    let now = store.now().await?;
    let before = house.gate.bans();
    let written: Vec<_> = bans::remembered(store, now).await?.iter().filter_map(ban_of).collect();
    let lifted = before.iter().filter(|ban| now.since(ban.created) > HEARTBEAT * 10);
    let lifted = lifted.filter(|ban| !written.iter().any(|(known, _)| known.scope == ban.scope));
    if let Some(keeper) = house.gate.keeper() {
        let _ = keeper.send(Lift(lifted.map(|ban| ban.scope).collect())).await;
        let _ = keeper.send(Enforce(written)).await;
    }
    house.gate.residents.remember(known_sources::since(store, now - KNOWN_FOR, KNOWN_MAX as u64).await?);
    house.gate.reconsider();
    snapshots.refresh_firewall(house).await
}

async fn tidy_up(store: &Store, addresses: &IpLimits) -> Result<(), tollgate_store::Error> {
    if ledger::anchor(store).await? {
        tracing::info!("the books were anchored for the day");
    }
    let now = store.now().await?;
    registrations::prune(store, now).await?;
    bans::prune(store, now).await?;
    sources::prune(store, now, addresses.is_on().then_some(addresses.period)).await?;
    fraud::prune(store, now).await?;
    reputations::forget(store, now - NUMBERS_KEPT).await?;
    known_sources::prune(store, now - KNOWN_FOR).await?;
    Ok(())
}

/// Ends every call; each side gets its BYE.
pub async fn hang_up_all(house: &Premises) {
    for shard in house.shards().all() {
        for call in shard.send(LiveCalls { only: None }).await.unwrap_or_default() {
            call.do_send(Tell(Event::HangUp { cause: Cause::Shutdown }));
        }
    }
}
