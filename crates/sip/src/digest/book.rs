//! Which nonce counts one user has spent, so that nothing overheard can be sent again.

use std::time::Duration;

use tollgate_types::Wall;

use super::NonceId;

/// Nonces remembered for a user. A phone needs a few; an exchange that answers a fresh challenge for each call needs those of
/// the last seconds, or it would be challenged again and again. Only right passwords get here.
const NONCES_MAX: usize = 1024;

/// The counts seen on one nonce: the highest, and which of the 64 up to it. Requests may overtake each other on UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NcWindow {
    highest: u32,
    /// Bit 0 is the highest, bit n the count n below it.
    seen: u64,
}

impl NcWindow {
    /// Spends a count. Not twice, not zero, and none that has fallen out of the window.
    pub fn spend(&mut self, nc: u32) -> bool {
        if nc > self.highest {
            let step = nc - self.highest;
            self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
            self.highest = nc;
            return true;
        }
        let behind = self.highest - nc;
        if nc == 0 || behind >= 64 || self.seen & (1 << behind) != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

/// One user's spent nonces. Only a request with the right password reaches it, so no stranger can fill it.
///
/// It is bounded: when full, the oldest nonce goes, and with it the right to use any nonce minted no later that the book
/// does not hold. Such a device is challenged once more.
#[derive(Clone, Debug, Default)]
pub struct NonceBook {
    nonces: Vec<(NonceId, NcWindow)>,
    /// Nonces minted at or before this second are good only if they are in the book.
    floor: u32,
}

/// May this nonce and count be used?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceUse {
    /// It is spent now.
    Granted,
    /// It was spent before: somebody sends what he overheard, or a retransmit that no transaction caught.
    Replayed,
    /// The book no longer knows this nonce: challenge again with `stale`.
    Forgotten,
}

impl NonceBook {
    /// Spends a count of a nonce that [`verify`](super::verify()) has accepted. Without a count (a client of RFC 2069) a nonce is
    /// good once.
    pub fn spend(&mut self, nonce: NonceId, nc: Option<u32>) -> NonceUse {
        if let Some((_, window)) = self.nonces.iter_mut().find(|(known, _)| *known == nonce) {
            let fresh = nc.is_some_and(|nc| window.spend(nc));
            return if fresh { NonceUse::Granted } else { NonceUse::Replayed };
        }
        if nonce.issued <= self.floor {
            return NonceUse::Forgotten;
        }
        let mut window = NcWindow::default();
        if !window.spend(nc.unwrap_or(1)) {
            return NonceUse::Replayed;
        }
        if self.nonces.len() >= NONCES_MAX {
            let oldest = (0..self.nonces.len()).min_by_key(|at| self.nonces[*at].0).expect("it is full, not empty");
            self.floor = self.floor.max(self.nonces.swap_remove(oldest).0.issued);
        }
        if nc.is_none() {
            // Whatever count comes later: this nonce is spent.
            window = NcWindow { highest: u32::MAX, seen: u64::MAX };
        }
        self.nonces.push((nonce, window));
        NonceUse::Granted
    }

    /// Forgets nonces that are stale by now anyway. `lifetime` is [`Policy::nonce_lifetime`](super::Policy).
    pub fn expire(&mut self, now: Wall, lifetime: Duration) {
        let limit = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let oldest = now.secs().saturating_sub(limit);
        self.nonces.retain(|(nonce, _)| i64::from(nonce.issued) >= oldest);
        self.floor = self.floor.max(u32::try_from(oldest.saturating_sub(1)).unwrap_or(0));
    }

    /// How many nonces it holds.
    pub fn len(&self) -> usize {
        self.nonces.len()
    }

    /// Does it hold none?
    pub fn is_empty(&self) -> bool {
        self.nonces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;
    use tollgate_types::Seed;

    use super::super::{NonceKey, NonceVerdict};
    use super::*;

    fn nonce(issued: i64, number: u8) -> NonceId {
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let now = Wall::from_secs(issued);
        let text = key.mint(now, IpAddr::V4(Ipv4Addr::LOCALHOST), [number; 6]);
        match key.check(&text, now, Duration::from_secs(1), None) {
            NonceVerdict::Fresh(id) => id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn counts_are_hexadecimal_numbers_spent_once() {
        let mut book = NonceBook::default();
        let (first, second) = (nonce(1000, 1), nonce(1000, 2));
        for (nonce, nc, verdict) in [
            (first, Some(1), NonceUse::Granted),
            (first, Some(1), NonceUse::Replayed),
            (first, Some(0x0a), NonceUse::Granted),
            (first, Some(9), NonceUse::Granted),
            (first, Some(9), NonceUse::Replayed),
            (first, Some(0), NonceUse::Replayed),
            (second, Some(1), NonceUse::Granted),
            (first, Some(200), NonceUse::Granted),
            (first, Some(137), NonceUse::Granted),
            (first, Some(136), NonceUse::Replayed),
            (first, None, NonceUse::Replayed),
        ] {
            assert_eq!(book.spend(nonce, nc), verdict, "{nonce:?} {nc:?}");
        }
    }

    #[test]
    fn without_a_count_a_nonce_is_good_once() {
        let mut book = NonceBook::default();
        assert_eq!(book.spend(nonce(1000, 1), None), NonceUse::Granted);
        assert_eq!(book.spend(nonce(1000, 1), None), NonceUse::Replayed);
        assert_eq!(book.spend(nonce(1000, 1), Some(9)), NonceUse::Replayed);
    }

    #[test]
    fn what_was_forgotten_cannot_be_replayed() {
        let mut book = NonceBook::default();
        for turn in 0..1100 {
            assert_eq!(book.spend(nonce(1000 + turn, (turn % 251) as u8), Some(1)), NonceUse::Granted);
        }
        assert_eq!(book.len(), NONCES_MAX);
        assert_eq!(book.spend(nonce(1000, 0), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(nonce(1000, 99), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(nonce(2099, 95), Some(1)), NonceUse::Replayed);
        book.expire(Wall::from_secs(2500), Duration::from_secs(300));
        assert!(book.is_empty());
        assert_eq!(book.spend(nonce(2099, 95), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(nonce(2300, 1), Some(1)), NonceUse::Granted);
    }

    #[test]
    fn an_exchange_may_answer_a_hundred_challenges_in_a_second() {
        let mut book = NonceBook::default();
        for number in 0..100 {
            assert_eq!(book.spend(nonce(1000, number), Some(1)), NonceUse::Granted, "{number}");
        }
    }

    proptest! {
        #[test]
        fn no_count_is_ever_granted_twice(counts in proptest::collection::vec(0u32..200, 0..300)) {
            let mut window = NcWindow::default();
            let mut granted = std::collections::BTreeSet::new();
            for nc in counts {
                let highest = granted.last().copied().unwrap_or(0);
                let want = nc > 0 && !granted.contains(&nc) && nc + 64 > highest;
                prop_assert_eq!(window.spend(nc), want);
                if want {
                    granted.insert(nc);
                }
            }
        }
    }
}
