//! Where everybody lives: finding an actor's thread is a function of what it is about, not a hop.

use std::future::Future;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix::{Addr, ArbiterHandle};
use arc_swap::ArcSwap;
use tollgate_sip::token;
use tollgate_types::{AccountId, Flow, Seed, TrunkId, UserId};

use crate::edge::{EdgeCounts, Policy, Raw};
use crate::gate::Gate;
use crate::premises::Premises;
use crate::registration::Lost;
use crate::sip_shard::{FlowGone, Inbound, SipShard};
use crate::tuning::Tuned;

/// The shards and their threads. Cheap to clone.
#[derive(Clone)]
pub struct Shards(Arc<Doors>);

struct Doors {
    doors: Vec<(Addr<SipShard>, ArbiterHandle)>,
    seed: Seed,
}

impl Shards {
    /// All shards, in order. At least one.
    pub fn new(doors: Vec<(Addr<SipShard>, ArbiterHandle)>, seed: Seed) -> Shards {
        assert!(!doors.is_empty(), "a platform has at least one shard");
        Shards(Arc::new(Doors { doors, seed }))
    }

    /// How many.
    pub fn count(&self) -> u16 {
        self.0.doors.len() as u16
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Addr<SipShard>> {
        self.0.doors.iter().map(|(shard, _)| shard)
    }

    /// Shard number `index`, counted round.
    pub fn by_index(&self, index: usize) -> &Addr<SipShard> {
        &self.0.doors[index % self.0.doors.len()].0
    }

    /// The thread of shard number `index`, counted round.
    pub fn thread(&self, index: usize) -> &ArbiterHandle {
        &self.0.doors[index % self.0.doors.len()].1
    }

    /// Which shard keeps the calls with this Call-ID.
    pub fn index_of_call(&self, call_id: &str) -> u16 {
        token::shard_for(call_id, self.count())
    }

    /// Which shard keeps a user with all that is the user's.
    pub fn of_user(&self, user: UserId) -> &Addr<SipShard> {
        self.by_index(self.spread(("user", user)))
    }

    /// Which shard keeps an account.
    pub fn of_account(&self, account: AccountId) -> &Addr<SipShard> {
        self.by_index(self.spread(("account", account)))
    }

    /// Which shard keeps a trunk's Carrier.
    pub fn of_trunk(&self, trunk: TrunkId) -> &Addr<SipShard> {
        self.by_index(self.spread(("trunk", trunk)))
    }

    /// Which shard keeps what concerns a source address.
    pub fn of_source(&self, source: IpAddr) -> &Addr<SipShard> {
        self.by_index(self.spread(("source", source)))
    }

    fn spread(&self, key: impl Hash) -> usize {
        match self.count() {
            1 => 0,
            count => (self.0.seed.hasher().hash_one(key) % u64::from(count)) as usize,
        }
    }
}

/// What an edge knows of the house behind it. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    shards: Shards,
    gate: Arc<Gate>,
    tuned: Arc<ArcSwap<Tuned>>,
    counts: Arc<EdgeCounts>,
}

impl Front {
    /// Over `shards`, obeying what the house's gate and settings say at the time.
    pub fn new(shards: Shards, house: &Premises) -> Front {
        Front { shards, gate: house.gate.clone(), tuned: house.tuned.clone(), counts: house.edge_counts.clone() }
    }

    /// What the settings say now.
    pub fn tuned(&self) -> Policy {
        self.tuned.load().edge
    }

    /// Runs a reader on a shard's thread.
    pub fn spawn_on(&self, index: usize, task: impl Future<Output = ()> + Send + 'static) {
        self.shards.thread(index).spawn(task);
    }

    /// What the edges count.
    pub fn counts(&self) -> &EdgeCounts {
        &self.counts
    }

    /// Is the source shut out?
    pub fn is_banned(&self, source: SocketAddr) -> bool {
        self.gate.is_banned(source)
    }

    /// May somebody there connect?
    pub fn admits(&self, peer: SocketAddr, local: SocketAddr) -> bool {
        self.gate.admits(peer, local)
    }

    /// Is a message heard? Asked once for each, before its parse.
    pub fn hears(&self, flow: &Flow, bytes: &[u8]) -> bool {
        self.gate.hears(flow, bytes)
    }

    /// Hands messages to the shards that their Call-IDs name. A full mailbox is overload: counted, and lost like a datagram.
    pub fn deliver(&self, batch: Vec<Raw>) {
        if self.shards.count() == 1 {
            return self.hand_in(0, batch);
        }
        let mut sorted: Vec<Vec<Raw>> = (0..self.shards.count()).map(|_| Vec::new()).collect();
        for raw in batch {
            let index = scan_call_id(&raw.bytes).map_or(0, |call_id| self.shards.index_of_call(call_id));
            sorted[usize::from(index)].push(raw);
        }
        for (index, batch) in sorted.into_iter().enumerate() {
            if !batch.is_empty() {
                self.hand_in(index, batch);
            }
        }
    }

    fn hand_in(&self, index: usize, batch: Vec<Raw>) {
        let count = batch.len() as u64;
        if self.shards.by_index(index).try_send(Inbound(batch)).is_err() {
            self.counts.overload.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
            metrics::counter!("tollgate_overload_dropped_total").increment(count);
        }
    }

    /// News that a connection has ended or could not be made, for the transactions that wait on it.
    pub fn unreachable(&self, flow: Flow) {
        for shard in self.shards.all() {
            let _ = shard.try_send(FlowGone(flow));
        }
    }

    /// The same news for these users, whose devices were reached by it. No mailbox may lose it, and it cannot flood one: it comes
    /// once for a user and connection, after a REGISTER that proved itself.
    pub fn lost(&self, flow: Flow, users: impl IntoIterator<Item = UserId>) {
        for user in users {
            self.shards.of_user(user).do_send(Lost { user, flow });
        }
    }
}

/// The Call-ID of a message that nobody has parsed yet; what it misses (folding, odd spacing) lands on shard 0, which
/// finds the right one after its parse.
pub fn scan_call_id(bytes: &[u8]) -> Option<&str> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines.next()?;
    for line in lines {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii();
        if name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i") {
            return std::str::from_utf8(line[colon + 1..].trim_ascii()).ok();
        }
    }
    None
}

/// A counter that hands out call ids of this node: unique over restarts as long as the wall clock is not set back by more
/// than the outage lasted.
#[derive(Debug)]
pub struct CallIds {
    node: u16,
    last: AtomicU64,
}

impl CallIds {
    /// For this node.
    pub fn new(node: u16) -> CallIds {
        CallIds { node, last: AtomicU64::new(0) }
    }

    /// The next id. Time and sequence share one counter, so that a burst of over 4096 calls in a millisecond borrows from the next.
    pub fn mint(&self, now: tollgate_types::Wall) -> tollgate_types::CallId {
        use std::sync::atomic::Ordering::{AcqRel, Acquire};
        let floor = (u64::try_from(now.micros() / 1000).unwrap_or(0)) << 12;
        let next = self
            .last
            .fetch_update(AcqRel, Acquire, |last| Some(last.max(floor.saturating_sub(1)) + 1))
            .map_or(floor, |last| last.max(floor.saturating_sub(1)) + 1);
        tollgate_types::CallId::mint((next >> 12) as i64, self.node, (next & 0xfff) as u16)
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::Wall;

    use super::*;

    #[test]
    fn the_call_id_is_found_without_a_parse() {
        for (message, found) in [
            ("BYE sip:a SIP/2.0\r\nVia: x\r\nCall-ID: 1@a\r\n\r\n", Some("1@a")),
            ("BYE sip:a SIP/2.0\ni : 2@a\n\n", Some("2@a")),
            ("BYE sip:a SIP/2.0\r\nVia: x\r\n\r\nCall-ID: body\r\n", None),
            ("Call-ID: start-line", None),
            ("", None),
        ] {
            assert_eq!(scan_call_id(message.as_bytes()), found, "{message:?}");
        }
    }

    #[test]
    fn call_ids_never_repeat_in_a_burst() {
        let ids = CallIds::new(3);
        let now = Wall::from_secs(1_795_341_600);
        let minted: Vec<_> = (0..10_000).map(|_| ids.mint(now)).collect();
        assert!(minted.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
