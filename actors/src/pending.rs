//! How many calls of each address wait for an answer, over all shards (`sip.pending_max`, the guide's
//! `blocktoomuchpendingsession`).

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tollgate_types::{Map, Seed};

/// See the module. An address is kept while it has a call that waits.
#[derive(Debug)]
pub struct PendingCalls(Mutex<Map<IpAddr, u32>>);

/// One call that waits; it does no more when this is dropped.
#[derive(Debug)]
pub struct PendingCall {
    all: Arc<PendingCalls>,
    source: IpAddr,
}

impl PendingCalls {
    /// Nobody waits.
    pub fn new(seed: Seed) -> PendingCalls {
        PendingCalls(Mutex::new(seed.map()))
    }

    /// One more from `source`, unless `most` wait already.
    pub fn enter(self: &Arc<Self>, source: IpAddr, most: Option<u32>) -> Option<PendingCall> {
        let source = source.to_canonical();
        let mut waiting = self.0.lock();
        let count = waiting.get(&source).copied().unwrap_or(0);
        if most.is_some_and(|most| count >= most) {
            return None;
        }
        waiting.insert(source, count + 1);
        Some(PendingCall { all: self.clone(), source })
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        let mut waiting = self.all.0.lock();
        match waiting.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(waiting.remove(&self.source)),
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
        let first = all.enter(one, Some(2)).unwrap();
        let _second = all.enter(one, Some(2)).unwrap();
        assert!(all.enter(one, Some(2)).is_none());
        assert!(all.enter("::ffff:192.0.2.1".parse().unwrap(), Some(2)).is_none(), "the same address, written longer");
        assert!(all.enter(other, Some(2)).is_some(), "another address has its own");
        let over = all.enter(one, Some(3)).unwrap();
        drop((first, over));
        assert!(all.enter(one, Some(2)).is_some(), "an answered call waits no more");
        drop(_second);
        assert!(all.0.lock().is_empty());
    }
}
