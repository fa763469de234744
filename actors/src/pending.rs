//! How many calls wait for an answer, over all shards: of each address (`sip.pending_max`, the guide's
//! `blocktoomuchpendingsession`) and of all (`sip.pending_max_total`).

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tollgate_types::{Map, Seed};

/// See the module. An address is kept while it has a call that waits.
#[derive(Debug)]
pub struct PendingCalls(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    by_source: Map<IpAddr, u32>,
    total: u32,
}

/// How many may wait; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// Of one address.
    pub source: Option<u32>,
    /// Of all.
    pub total: Option<u32>,
}

/// One call that waits; it does no more when this is dropped.
#[derive(Debug)]
pub struct PendingCall {
    all: Arc<PendingCalls>,
    source: IpAddr,
}

impl Most {
    /// The limit of all alone: trunks, whose many callers share an address, have their lines.
    pub fn of_all(self) -> Most {
        Most { source: None, ..self }
    }
}

impl PendingCalls {
    /// Nobody waits.
    pub fn new(seed: Seed) -> PendingCalls {
        PendingCalls(Mutex::new(Counts { by_source: seed.map(), total: 0 }))
    }

    /// One more from `source`, unless `most` wait already.
    pub fn enter(self: &Arc<Self>, source: IpAddr, most: Most) -> Option<PendingCall> {
        let source = source.to_canonical();
        let mut waiting = self.0.lock();
        let count = waiting.by_source.get(&source).copied().unwrap_or(0);
        if most.source.is_some_and(|most| count >= most) || most.total.is_some_and(|most| waiting.total >= most) {
            return None;
        }
        waiting.by_source.insert(source, count + 1);
        waiting.total += 1;
        Some(PendingCall { all: self.clone(), source })
    }

    /// How many wait.
    pub fn total(&self) -> u32 {
        self.0.lock().total
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        let mut waiting = self.all.0.lock();
        waiting.total -= 1;
        match waiting.by_source.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(waiting.by_source.remove(&self.source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_with_so_many_calls_and_no_more() {
        let all = Arc::new(PendingCalls::new(Seed([1; 4])));
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let most = |source| Most { source: Some(source), total: None };
        let first = all.enter(one, most(2)).unwrap();
        let _second = all.enter(one, most(2)).unwrap();
        assert!(all.enter(one, most(2)).is_none());
        assert!(all.enter("::ffff:192.0.2.1".parse().unwrap(), most(2)).is_none(), "the same address, written longer");
        assert!(all.enter(other, most(2)).is_some(), "another address has its own");
        let over = all.enter(one, most(3)).unwrap();
        drop((first, over));
        assert!(all.enter(one, most(2)).is_some(), "an answered call waits no more");
        drop(_second);
        assert!(all.0.lock().by_source.is_empty() && all.total() == 0);
    }

    #[test]
    fn all_addresses_together_have_a_limit_of_their_own() {
        let all = Arc::new(PendingCalls::new(Seed([1; 4])));
        let most = Most { source: Some(2), total: Some(3) };
        let from = |last| all.enter(IpAddr::from([192, 0, 2, last]), most);
        let held: Vec<_> = (1..=3).filter_map(from).collect();
        assert_eq!(held.len(), 3);
        assert!(from(4).is_none(), "nobody may, however few its own are");
        assert!(all.enter([192, 0, 2, 4].into(), Most::default()).is_some(), "an emergency may");
        drop(held);
        assert!(from(4).is_some());
    }
}
