//! What is looked after now and then: the proof of life, the calendar laid out anew, what is over forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tollgate_actors::gatekeeper::{Enforce, Lift, ban_of};
use tollgate_actors::ops::Ops;
use tollgate_actors::premises::Premises;
use tollgate_actors::residents::{KNOWN_FOR, KNOWN_MAX};
use tollgate_actors::snapshots::Snapshots;
use tollgate_actors::trunk_hosts::TrunkHosts;
use tollgate_billing::calendar::Zone;
use tollgate_billing::source::IpLimits;
use tollgate_store::nodes::{self, Life};
use tollgate_store::{
    Engine, Store, bans, fraud, known_sources, ledger, registrations, reputations, sources, trunk_days, versions,
};

/// How long a number that nobody calls is remembered.
const NUMBERS_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// A ban is written well within this.
const UNWRITTEN: Duration = Duration::from_secs(10);

/// One thing to look after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Proves that this node lives, by the database's clock.
    Heartbeat,
    /// Settles what dead nodes left.
    Orphans,
    /// Takes over what other nodes and commands wrote.
    Follow,
    /// Carries what other nodes' calls by trunks with a quota talked, and this node's own of before its start.
    Talk,
    /// Looks up the names of ingress trunks whose answers have grown old.
    Names,
    /// Writes what calls taught of numbers.
    Numbers,
    /// Measures the gate's load, and on a shared database takes over what other nodes decided about sources.
    Gate,
    /// Time lines reach a few days ahead: before they end they are laid out anew.
    TimeLines,
    /// A profile that takes protections away ends by itself.
    Profile,
    /// Takes the daily anchor of the books, and forgets what is over.
    Housekeeping,
}

/// Whoever does the chores.
pub struct Steward {
    /// Where things are written.
    pub store: Store,
    /// This node's life.
    pub life: Life,
    /// The house.
    pub house: Arc<Premises>,
    /// Reads prices anew.
    pub snapshots: Arc<Snapshots>,
    /// Ends the profile.
    pub ops: Arc<Ops>,
    /// Which version of the bans is in force here.
    pub bans_known: AtomicI64,
}

impl Chore {
    /// Those of a node on this database.
    pub fn of(engine: Engine) -> impl Iterator<Item = Chore> {
        let all = [
            Chore::Heartbeat,
            Chore::Orphans,
            Chore::Follow,
            Chore::Talk,
            Chore::Names,
            Chore::Numbers,
            Chore::Gate,
            Chore::TimeLines,
            Chore::Profile,
            Chore::Housekeeping,
        ];
        // A file has no other nodes.
        let shared = [Chore::Orphans, Chore::Follow];
        all.into_iter().filter(move |chore| engine == Engine::Postgres || !shared.contains(chore))
    }

    /// How often.
    pub fn every(self) -> Duration {
        match self {
            Chore::Heartbeat => Duration::from_secs(1),
            Chore::Orphans => Duration::from_secs(15),
            Chore::Follow => Duration::from_millis(500),
            Chore::Talk => Duration::from_secs(5),
            Chore::Names => Duration::from_secs(1),
            Chore::Numbers => Duration::from_secs(10),
            Chore::Gate => Duration::from_secs(2),
            Chore::TimeLines => Snapshots::LAY_OUT_EVERY,
            Chore::Profile => Duration::from_secs(60),
            Chore::Housekeeping => Duration::from_secs(3600),
        }
    }

    fn begins_at_once(self) -> bool {
        self != Chore::TimeLines
    }
}

impl Steward {
    /// Does a chore once. What fails is said, and tried again next time.
    pub async fn attend(&self, chore: Chore) {
        let done = match chore {
            Chore::Heartbeat => {
                nodes::heartbeat(&self.store, &self.life).await.map(drop).map_err(|error| error.to_string())
            }
            Chore::Orphans => {
                let settled = super::recovery::settle_dead_nodes(&self.store, &self.life, &self.house).await;
                settled.map_err(|error| error.to_string())
            }
            Chore::Follow => {
                super::follow::take_over(&self.store, &self.snapshots, &self.ops).await;
                Ok(())
            }
            Chore::Talk => self.carry_talk().await.map_err(|error| error.to_string()),
            Chore::Names => {
                TrunkHosts::look_aside(&self.house);
                Ok(())
            }
            Chore::Numbers => {
                let written = reputations::write(&self.store, &self.house.reputations.take_fresh()).await;
                written.map_err(|error| error.to_string())
            }
            Chore::Gate => self.watch_the_gate().await.map_err(|error| error.to_string()),
            Chore::TimeLines => self.snapshots.refresh_prices(&self.house).await.map_err(|error| error.to_string()),
            Chore::Profile => self.ops.watch_loadtest().await.map_err(|error| error.to_string()),
            Chore::Housekeeping => {
                let done = tidy_up(&self.store, &self.snapshots.rules.load().policy.ip).await;
                done.map_err(|error| error.to_string())
            }
        };
        if let Err(error) = done {
            tracing::warn!(?chore, error, "a chore was not done; it is tried again");
        }
    }

    async fn carry_talk(&self) -> Result<(), tollgate_store::Error> {
        let directory = self.house.directory.load_full();
        if directory.egresses().any(|trunk| trunk.talk_day.is_some() || trunk.talk_month.is_some()) {
            let today = Zone::UTC.day_of(self.house.clock.wall());
            self.house.trunks.carry_talk(today, &trunk_days::talked(&self.store, today).await?);
        }
        Ok(())
    }

    async fn watch_the_gate(&self) -> Result<(), tollgate_store::Error> {
        self.house.gate.set_load(self.house.load.percent());
        if self.store.engine() != Engine::Postgres {
            return Ok(());
        }
        let version = versions::read(&self.store).await?.bans;
        if version != self.bans_known.load(Ordering::Relaxed) {
            self.follow_bans().await?;
            self.bans_known.store(version, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn follow_bans(&self) -> Result<(), tollgate_store::Error> {
        let (store, house) = (&self.store, &self.house);
        let now = store.now().await?;
        let before = house.gate.bans();
        let written: Vec<_> = bans::remembered(store, now).await?.iter().filter_map(ban_of).collect();
        // One made here a moment ago may not be written yet.
        let lifted = before.iter().filter(|ban| now.since(ban.created) > UNWRITTEN);
        let lifted = lifted.filter(|ban| !written.iter().any(|(known, _)| known.scope == ban.scope));
        if let Some(keeper) = house.gate.keeper() {
            let _ = keeper.send(Lift(lifted.map(|ban| ban.scope).collect())).await;
            let _ = keeper.send(Enforce(written)).await;
        }
        house.gate.residents.remember(known_sources::since(store, now - KNOWN_FOR, KNOWN_MAX as u64).await?);
        house.gate.reconsider();
        self.snapshots.refresh_firewall(house).await
    }

    /// Does every chore in its time, each in a task of its own, until the platform closes.
    pub fn attend_all(self: &Arc<Self>, runtime: &tokio::runtime::Runtime, stop: &Arc<AtomicBool>) {
        for chore in Chore::of(self.store.engine()) {
            let (steward, stop) = (self.clone(), stop.clone());
            runtime.spawn(async move {
                let mut every = tokio::time::interval(chore.every());
                every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                if !chore.begins_at_once() {
                    every.tick().await;
                }
                while !stop.load(Ordering::Relaxed) {
                    every.tick().await;
                    steward.attend(chore).await;
                }
            });
        }
    }
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
