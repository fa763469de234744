//! Which nonce counts one user has spent, so that nothing overheard can be sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_types::Wall;

use super::NonceId;

/// Nonces remembered for a user: a PBX may answer a challenge for each of its calls, some hundreds within a second, and
/// none may be forgotten before its answer has come. At most some 150 KiB, of those who know the password.
const NONCES_MAX: usize = 4096;

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
/// It is bounded: when full, the oldest nonce goes, and with it the right to use any nonce in order before it that the book
/// does not hold. Such a device is challenged once more.
#[derive(Clone, Debug, Default)]
pub struct NonceBook {
    nonces: BTreeMap<NonceId, NcWindow>,
    /// Nonces up to this one, in their order, are good only if they are in the book.
    floor: NonceId,
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
        if let Some(window) = self.nonces.get_mut(&nonce) {
            let fresh = nc.is_some_and(|nc| window.spend(nc));
            return if fresh { NonceUse::Granted } else { NonceUse::Replayed };
        }
        if nonce <= self.floor {
            return NonceUse::Forgotten;
        }
        let mut window = NcWindow::default();
        if !window.spend(nc.unwrap_or(1)) {
            return NonceUse::Replayed;
        }
        if nc.is_none() {
            // Whatever count comes later: this nonce is spent.
            window = NcWindow { highest: u32::MAX, seen: u64::MAX };
        }
        self.nonces.insert(nonce, window);
        if self.nonces.len() > NONCES_MAX
            && let Some((oldest, _)) = self.nonces.pop_first()
        {
            self.floor = self.floor.max(oldest);
        }
        NonceUse::Granted
    }

    /// Forgets nonces that are stale by now anyway. `lifetime` is [`Policy::nonce_lifetime`](super::Policy).
    pub fn expire(&mut self, now: Wall, lifetime: Duration) {
        let limit = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let over = now.secs().saturating_sub(limit).saturating_sub(1);
        let floor = NonceId::last_of(u32::try_from(over).unwrap_or(0));
        while self.nonces.first_key_value().is_some_and(|(oldest, _)| *oldest <= floor) {
            self.nonces.pop_first();
        }
        self.floor = self.floor.max(floor);
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
        made_of(issued, [number; 6])
    }

    /// Ordered by `number` within its second.
    fn wide_nonce(issued: i64, number: u32) -> NonceId {
        let [a, b, c, d] = number.to_be_bytes();
        made_of(issued, [0, 0, a, b, c, d])
    }

    fn made_of(issued: i64, random: [u8; 6]) -> NonceId {
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let now = Wall::from_secs(issued);
        let text = key.mint(now, IpAddr::V4(Ipv4Addr::LOCALHOST), random);
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
        let numbered = |number: u32| nonce(1000 + i64::from(number), number as u8);
        let most = NONCES_MAX as u32 + 8;
        for number in 0..most {
            assert_eq!(book.spend(numbered(number), Some(1)), NonceUse::Granted);
        }
        assert_eq!(book.len(), NONCES_MAX);
        assert_eq!(book.spend(numbered(0), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(nonce(1000, 99), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(numbered(most - 1), Some(1)), NonceUse::Replayed);
        book.expire(Wall::from_secs(1400 + i64::from(most)), Duration::from_secs(300));
        assert!(book.is_empty());
        assert_eq!(book.spend(numbered(most - 1), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(nonce(1100 + i64::from(most), 1), Some(1)), NonceUse::Granted);
    }

    #[test]
    fn a_thousand_calls_within_a_second_each_have_a_nonce_of_their_own() {
        let mut book = NonceBook::default();
        let now = Wall::from_secs(1000);
        let life = Duration::from_secs(300);
        let all: Vec<NonceId> = (0..1000u32).map(|number| wide_nonce(1000, number)).collect();
        for verdict in [NonceUse::Granted, NonceUse::Replayed] {
            for nonce in &all {
                book.expire(now, life);
                assert_eq!(book.spend(*nonce, Some(1)), verdict);
            }
        }
    }

    #[test]
    fn of_one_second_only_those_in_order_before_the_forgotten_one_are_challenged_again() {
        let mut book = NonceBook::default();
        for number in 0..=NONCES_MAX as u32 {
            assert_eq!(book.spend(wide_nonce(1000, 2 * number + 1), Some(1)), NonceUse::Granted, "{number}");
        }
        assert_eq!(book.spend(wide_nonce(1000, 1), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(wide_nonce(1000, 0), Some(1)), NonceUse::Forgotten);
        assert_eq!(book.spend(wide_nonce(1000, 2), Some(1)), NonceUse::Granted);
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
