//! What every actor may read: the clock, today's snapshots, and the doors of those it may knock at.
//!
//! Snapshots are replaced whole; a reader keeps what it took. Nothing here decides anything.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use actix::Addr;
use arc_swap::ArcSwap;
use tollgate_call::Policy as CallPolicy;
use tollgate_routing::destination::Destinations;
use tollgate_routing::directory::Directory;
use tollgate_routing::ha1::Algorithms;
use tollgate_routing::list::Lists;
use tollgate_settings::Values;
use tollgate_sip::digest::NonceKey;
use tollgate_sip::{binding, digest};
use tollgate_types::{Mono, Seed};

use crate::alerter::Alerter;
use crate::caretaker::{Caretaker, Post};
use crate::clock::Clock;
use crate::edge::{EdgeCounts, Wires};
use crate::gate::Gate;
use crate::journal::JournalDoor;
use crate::ledger::LedgerDoor;
use crate::pace::Pace;
use crate::pending::PendingCalls;
use crate::placement::{CallIds, Shards};
use crate::presence::Presence;
use crate::price_book::PriceBook;
use crate::rater::Rater;
use crate::relay::RelayHandle;
use crate::reputations::Reputations;
use crate::resolver::Resolver;
use crate::trunk_board::TrunkBoard;
use crate::trunk_hosts::TrunkHosts;
use crate::tuning::Tuned;
use crate::watcher::WatcherDoor;

/// See the module.
pub struct Premises {
    /// Both times.
    pub clock: Clock,
    /// Where all randomness comes from.
    pub seed: Seed,
    /// This node's number in the database.
    pub node: i64,
    /// Users, accounts, trunks, numbers, routes.
    pub directory: ArcSwap<Directory>,
    /// Decks, calendar, currencies.
    pub prices: ArcSwap<PriceBook>,
    /// What numbers are, and who may call them.
    pub destinations: ArcSwap<Destinations>,
    /// Black and white lists.
    pub lists: ArcSwap<Lists>,
    /// What calls taught of numbers.
    pub reputations: Reputations,
    /// All settings.
    pub settings: ArcSwap<Values>,
    /// What the settings mean to the SIP rooms, read once per change.
    pub tuned: Arc<ArcSwap<Tuned>>,
    /// Who is heard, and what is counted of each source.
    pub gate: Arc<Gate>,
    /// Ways out.
    pub wires: Wires,
    /// The media threads.
    pub relay: RelayHandle,
    /// The one writer of money.
    pub ledger: LedgerDoor,
    /// What is written behind.
    pub journal: JournalDoor,
    /// Who watches how calls go.
    pub watcher: WatcherDoor,
    /// Who tells people.
    pub alerter: Post<Alerter>,
    /// Who keeps those behind a [`Post`].
    pub caretaker: Addr<Caretaker>,
    /// Names to addresses.
    pub resolver: Resolver,
    /// What challenges are signed with.
    pub nonces: NonceKey,
    /// Call ids of this node.
    pub call_ids: CallIds,
    /// What the edges count.
    pub edge_counts: Arc<EdgeCounts>,
    /// Calls of each address that wait for an answer.
    pub pending: Arc<PendingCalls>,
    /// Live calls, and how many there may be.
    pub load: Load,
    /// How fast calls begin.
    pub pace: Pace,
    /// How each egress trunk is.
    pub trunks: TrunkBoard,
    /// What ingress trunks' host names were found to be.
    pub trunk_hosts: TrunkHosts,
    /// Who is online.
    pub presence: Presence,
    shards: OnceLock<Shards>,
    raters: OnceLock<Vec<Post<Rater>>>,
}

/// How much the node carries.
#[derive(Debug)]
pub struct Load {
    calls: AtomicU64,
    calls_max: u64,
    open: AtomicBool,
    shut: AtomicBool,
    /// When the last emergency call began, in microseconds of [`Mono`].
    last_emergency: AtomicU64,
}

/// Of the calls that a node can carry, one in so many is kept for emergencies.
const EMERGENCY_SHARE: u64 = 50;

impl Load {
    /// Nothing yet; at most `calls_max` calls, a few of them for emergencies alone.
    pub fn new(calls_max: u64) -> Load {
        Load {
            calls: AtomicU64::new(0),
            calls_max,
            open: AtomicBool::new(true),
            shut: AtomicBool::new(false),
            last_emergency: AtomicU64::new(0),
        }
    }

    /// Calls now.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn begin(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn end(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// Calls now, in per cent of how many there may be.
    pub fn percent(&self) -> u64 {
        self.calls().saturating_mul(100) / self.calls_max.max(1)
    }

    /// An emergency call begins.
    pub fn begin_emergency(&self, now: Mono) {
        self.last_emergency.fetch_max(now.micros(), Ordering::Relaxed);
    }

    /// When the last emergency call began.
    pub fn last_emergency(&self) -> Mono {
        Mono::from_micros(self.last_emergency.load(Ordering::Relaxed))
    }

    /// No new calls from here on, but for emergencies.
    pub fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// No new calls at all: the end is near.
    pub fn shut(&self) {
        self.shut.store(true, Ordering::Relaxed);
    }

    /// Are new calls taken?
    pub fn is_open(&self) -> bool {
        let kept = (self.calls_max / EMERGENCY_SHARE).max(1);
        self.open.load(Ordering::Relaxed) && self.calls() < self.calls_max.saturating_sub(kept)
    }

    /// Are emergency calls taken? While there is room for one, and until the node ends.
    pub fn takes_emergencies(&self) -> bool {
        !self.shut.load(Ordering::Relaxed) && self.calls() < self.calls_max
    }
}

/// All that a house is built of; see [`Premises`] for the fields.
#[allow(missing_docs, reason = "each is the field of Premises with its name")]
pub struct Plans {
    pub clock: Clock,
    pub seed: Seed,
    pub node: i64,
    pub directory: Directory,
    pub prices: PriceBook,
    pub settings: Values,
    pub tuned: Tuned,
    pub gate: Arc<Gate>,
    pub wires: Wires,
    pub relay: RelayHandle,
    pub ledger: LedgerDoor,
    pub journal: JournalDoor,
    pub watcher: WatcherDoor,
    pub alerter: Post<Alerter>,
    pub caretaker: Addr<Caretaker>,
    pub resolver: Resolver,
    pub edge_counts: Arc<EdgeCounts>,
    pub calls_max: u64,
}

impl Premises {
    /// Builds the house; nobody lives in it until [`Premises::move_in`].
    pub fn new(plans: Plans) -> Premises {
        plans.relay.tune(&plans.tuned.relay);
        let node = u16::try_from(plans.node & 0x3ff).unwrap_or(0);
        Premises {
            nonces: NonceKey::new(plans.seed.child(0x6e6f)),
            call_ids: CallIds::new(node),
            clock: plans.clock,
            seed: plans.seed,
            node: plans.node,
            directory: ArcSwap::from_pointee(plans.directory),
            prices: ArcSwap::from_pointee(plans.prices),
            settings: ArcSwap::from_pointee(plans.settings),
            tuned: Arc::new(ArcSwap::from_pointee(plans.tuned)),
            destinations: ArcSwap::from_pointee(Destinations::published(plans.seed.child(0x6465))),
            lists: ArcSwap::default(),
            reputations: Reputations::new(plans.seed.child(0x7265)),
            gate: plans.gate,
            wires: plans.wires,
            relay: plans.relay,
            ledger: plans.ledger,
            journal: plans.journal,
            watcher: plans.watcher,
            alerter: plans.alerter,
            caretaker: plans.caretaker,
            resolver: plans.resolver,
            edge_counts: plans.edge_counts,
            trunks: TrunkBoard::new(plans.seed.child(0x7472)),
            trunk_hosts: TrunkHosts::default(),
            presence: Presence::new(plans.seed.child(0x7072)),
            pending: Arc::new(PendingCalls::new(plans.seed.child(0x7065))),
            load: Load::new(plans.calls_max),
            pace: Pace::new(plans.seed.child(0x7061)),
            shards: OnceLock::new(),
            raters: OnceLock::new(),
        }
    }

    /// The shards and their raters move in, once.
    pub fn move_in(&self, shards: Shards, raters: Vec<Post<Rater>>) {
        let first = self.shards.set(shards).is_ok() && self.raters.set(raters).is_ok();
        assert!(first, "a house is moved into once");
    }

    /// The shards.
    pub fn shards(&self) -> &Shards {
        self.shards.get().expect("nobody asks before the shards have moved in")
    }

    /// The rater of a shard.
    pub fn rater(&self, shard: u16) -> &Post<Rater> {
        let raters = self.raters.get().expect("nobody asks before the raters have moved in");
        &raters[usize::from(shard) % raters.len()]
    }

    /// What digest asks for now.
    pub fn digest_policy(&self) -> digest::Policy {
        self.tuned.load().digest
    }

    /// Algorithms offered to everybody.
    pub fn algorithms(&self) -> Algorithms {
        self.tuned.load().algorithms
    }

    /// What registrations may be now.
    pub fn registrar_policy(&self) -> binding::Policy {
        self.tuned.load().registrar
    }

    /// What calls born now keep for life.
    pub fn call_policy(&self) -> Arc<CallPolicy> {
        self.tuned.load().call.clone()
    }

    /// Retry-After of a 503.
    pub fn retry_after_secs(&self) -> u64 {
        self.tuned.load().retry_after
    }

    /// Are new calls taken?
    pub fn accepts_calls(&self) -> bool {
        self.load.is_open()
    }

    /// Does that host name or address mean this platform?
    pub fn is_own_host(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok_and(|address| self.wires.is_own_address(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_places_are_for_emergencies() {
        let load = Load::new(100);
        let verdicts = |load: &Load| (load.is_open(), load.takes_emergencies());
        for (calls, verdict) in [(97, (true, true)), (1, (false, true)), (1, (false, true)), (1, (false, false))] {
            (0..calls).for_each(|_| load.begin());
            assert_eq!(verdicts(&load), verdict, "{} calls", load.calls());
        }
        let load = Load::new(100);
        load.close();
        assert_eq!(verdicts(&load), (false, true), "draining");
        load.shut();
        assert_eq!(verdicts(&load), (false, false), "about to end");
        assert_eq!(verdicts(&Load::new(1)), (false, true), "of a single place the emergency has it");
    }
}
