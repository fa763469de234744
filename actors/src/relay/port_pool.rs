//! Which ports may be opened: those never used first, then the ones that have rested longest.

use std::collections::VecDeque;
use std::time::Duration;

use tollgate_types::{Mono, Seed};

/// One thread's even ports of one family.
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<u16>,
    /// By the time they were closed.
    resting: VecDeque<(Mono, u16)>,
}

impl PortPool {
    /// In an order that nobody outside can foresee: who sprays media ports shall not know where the next call will be.
    pub fn new(ports: impl Iterator<Item = u16>, seed: Seed) -> PortPool {
        let mut free: Vec<u16> = ports.collect();
        let hasher = seed.hasher();
        free.sort_by_cached_key(|port| hasher.hash_one(port));
        PortPool { free: free.into(), resting: VecDeque::new() }
    }

    /// A port to open; `None` while all are open or were closed within `quarantine`: late packets of the old call would reach the
    /// new one.
    pub fn take(&mut self, now: Mono, quarantine: Duration) -> Option<u16> {
        while let Some((closed, port)) = self.resting.front()
            && now.since(*closed) >= quarantine
        {
            self.free.push_back(*port);
            self.resting.pop_front();
        }
        self.free.pop_front()
    }

    /// It was open, or the system refused it: it rests.
    pub fn rest(&mut self, port: u16, now: Mono) {
        self.resting.push_back((now, port));
    }

    /// It was taken and nobody was told of it.
    pub fn give_back(&mut self, port: u16) {
        self.free.push_back(port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_rests_before_it_is_used_again() {
        let seed = Seed([1, 2, 3, 4]);
        let mut pool = PortPool::new((20000..20006).step_by(2), seed);
        let minute = Duration::from_secs(60);
        let at = Mono::from_millis;
        let first = pool.take(at(0), minute).unwrap();
        pool.rest(first, at(1_000));
        let (second, third) = (pool.take(at(2_000), minute).unwrap(), pool.take(at(2_000), minute).unwrap());
        assert_ne!(second, third);
        assert_eq!(pool.take(at(60_999), minute), None, "better no call than a port that is still warm");
        assert_eq!(pool.take(at(61_000), minute), Some(first));
        pool.give_back(second);
        assert_eq!(pool.take(at(61_000), minute), Some(second));
        pool.rest(first, at(61_000));
        assert_eq!(pool.take(at(62_000), Duration::from_secs(1)), Some(first), "a shorter rest holds at once");
    }

    #[test]
    fn the_order_is_the_seeds() {
        let order = |seed| {
            let mut pool = PortPool::new((20000..21000).step_by(2), Seed([seed, 2, 3, 4]));
            std::iter::from_fn(|| pool.take(Mono::START, Duration::ZERO)).take(500).collect::<Vec<_>>()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
