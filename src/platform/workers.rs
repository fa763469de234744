//! What runs beside the actors: a life of this node, the clock's tick, the end of all calls.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::Addr;
use tollgate_actors::call::Tell;
use tollgate_actors::caretaker::Post;
use tollgate_actors::gatekeeper::Gatekeeper;
use tollgate_actors::journal::Journal;
use tollgate_actors::kernel_set::KernelSet;
use tollgate_actors::ledger::Ledger;
use tollgate_actors::observe::NextDeadline;
use tollgate_actors::premises::Premises;
use tollgate_actors::sip_shard::{LiveCalls, TICK, Tick};
use tollgate_billing::Cause;
use tollgate_call::Event;
use tollgate_settings::Values;
use tollgate_settings::rows::books::SPOOL_MIB;
use tollgate_store::nodes::{self, Life};
use tollgate_store::spool::{SPOOL_FILE, Spool};
use tollgate_store::{Engine, Store};
use tollgate_types::{Mono, Transport, Wall};

use super::NoStart;

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

/// Drives everybody who lives by ticks.
#[derive(Clone)]
pub struct Metronome {
    /// Whose time it is, and where the shards are.
    pub house: Arc<Premises>,
    /// The Ledger.
    pub ledger: Addr<Ledger>,
    /// The Journal.
    pub journal: Post<Journal>,
    /// The Gatekeeper.
    pub keeper: Addr<Gatekeeper>,
}

impl Metronome {
    /// It is now. Who has no room for a tick gets the next one.
    pub fn tick(&self) {
        let now = Tick(self.house.clock.mono());
        for shard in self.house.shards().all() {
            let _ = shard.try_send(now);
        }
        let _ = self.ledger.try_send(now);
        let _ = self.journal.try_send(now);
        let _ = self.house.watcher.addr.try_send(now);
        let _ = self.house.caretaker.try_send(now);
        let _ = self.keeper.try_send(now);
    }

    /// Until when nobody needs a tick.
    pub async fn next_deadline(&self) -> Option<Mono> {
        let mut deadlines = Vec::new();
        for shard in self.house.shards().all() {
            deadlines.push(shard.send(NextDeadline).await);
        }
        deadlines.push(self.ledger.send(NextDeadline).await);
        if let Some(journal) = self.journal.addr() {
            deadlines.push(journal.send(NextDeadline).await);
        }
        deadlines.push(self.house.watcher.addr.send(NextDeadline).await);
        deadlines.push(self.house.caretaker.send(NextDeadline).await);
        deadlines.push(self.keeper.send(NextDeadline).await);
        deadlines.into_iter().filter_map(|deadline| deadline.ok().flatten()).min()
    }

    /// Ticks by the machine's clock until the platform closes.
    pub fn run(self, runtime: &tokio::runtime::Runtime, stop: &Arc<AtomicBool>) {
        let stop = stop.clone();
        runtime.spawn(async move {
            let mut every = tokio::time::interval(TICK);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            while !stop.load(Ordering::Relaxed) {
                every.tick().await;
                self.tick();
            }
        });
    }
}

/// Ends every call; each side gets its BYE.
pub async fn hang_up_all(house: &Premises, ordinary: bool) {
    for shard in house.shards().all() {
        for call in shard.send(LiveCalls { only: None, ordinary }).await.unwrap_or_default() {
            call.do_send(Tell(Event::HangUp { cause: Cause::Shutdown }));
        }
    }
}
