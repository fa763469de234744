//! Nonces that prove themselves: nothing is stored until somebody has answered one rightly.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tollgate_types::{Seed, Wall};

use crate::token::keyed;

/// Seconds since 1970 (4), random (6), a keyed mark of the source (4), signature over all of it (10): 32 letters.
const BYTES: usize = 24;
const SIGNED: usize = 14;
/// A nonce minted this far in the future is still ours: another node's clock.
const CLOCK_SKEW: i64 = 30;

/// The key that nonces are signed with. Nodes that share it know each other's.
#[derive(Clone)]
pub struct NonceKey(Hmac<Sha256>);

/// What names a nonce in a [`NonceBook`](super::NonceBook): when it was minted, and its random part.
/// Ordered by when they were minted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NonceId {
    /// Seconds since 1970.
    pub issued: u32,
    random: [u8; 6],
}

impl NonceId {
    /// The last, in order, that could be minted in that second.
    pub(super) fn last_of(issued: u32) -> NonceId {
        NonceId { issued, random: [u8::MAX; 6] }
    }
}

/// Whose a nonce is, and whether it is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceVerdict {
    /// Minted here, lately, and for this source where that was asked.
    Fresh(NonceId),
    /// Minted here, but too long ago or for another source: challenge again with `stale`, no offence.
    Stale(NonceId),
    /// Not minted here.
    Forged,
}

impl NonceKey {
    /// Keyed by `seed`.
    pub fn new(seed: Seed) -> NonceKey {
        NonceKey(keyed(seed.child(0x006e_6f6e_6365)))
    }

    /// A nonce for a challenge to `source`. `random` makes it this challenge's own.
    pub fn mint(&self, now: Wall, source: IpAddr, random: [u8; 6]) -> String {
        let mut bytes = [0u8; BYTES];
        bytes[..4].copy_from_slice(&seconds(now).to_be_bytes());
        bytes[4..10].copy_from_slice(&random);
        bytes[10..14].copy_from_slice(&self.mark(source));
        let signature = self.sign(&bytes[..SIGNED]);
        bytes[SIGNED..].copy_from_slice(&signature);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Judges a nonce that somebody answered. `source` is compared where it is given.
    pub fn check(&self, nonce: &str, now: Wall, lifetime: Duration, source: Option<IpAddr>) -> NonceVerdict {
        let mut bytes = [0u8; BYTES];
        if nonce.len() != BYTES / 3 * 4 || URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes) != Ok(BYTES) {
            return NonceVerdict::Forged;
        }
        if !bool::from(self.sign(&bytes[..SIGNED]).ct_eq(&bytes[SIGNED..])) {
            return NonceVerdict::Forged;
        }
        let mut id = NonceId { issued: u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]), random: [0; 6] };
        id.random.copy_from_slice(&bytes[4..10]);
        let age = now.secs() - i64::from(id.issued);
        let near = source.is_none_or(|source| self.mark(source) == bytes[10..14]);
        let limit = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        if (-CLOCK_SKEW..=limit).contains(&age) && near { NonceVerdict::Fresh(id) } else { NonceVerdict::Stale(id) }
    }

    fn sign(&self, bytes: &[u8]) -> [u8; BYTES - SIGNED] {
        let mut mac = self.0.clone();
        mac.update(b"nonce");
        mac.update(bytes);
        cut(&mac.finalize().into_bytes())
    }

    /// Keyed, so that a nonce seen on the wire tells nobody whose it is.
    fn mark(&self, source: IpAddr) -> [u8; 4] {
        let mut mac = self.0.clone();
        mac.update(b"source");
        match source.to_canonical() {
            IpAddr::V4(address) => mac.update(&address.octets()),
            IpAddr::V6(address) => mac.update(&address.octets()),
        }
        cut(&mac.finalize().into_bytes())
    }
}

fn cut<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut short = [0; N];
    short.copy_from_slice(&bytes[..N]);
    short
}

fn seconds(now: Wall) -> u32 {
    u32::try_from(now.secs().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const LIFE: Duration = Duration::from_secs(300);

    #[test]
    fn a_nonce_is_good_for_its_time_and_source() {
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let at = |secs: i64| Wall::from_secs(1_800_000_000 + secs);
        let nonce = key.mint(at(0), HOME, [7; 6]);
        assert_eq!(nonce.len(), 32);
        let id = NonceId { issued: 1_800_000_000, random: [7; 6] };
        //  seconds later, from            verdict
        for (later, source, verdict) in [
            (0, Some(HOME), NonceVerdict::Fresh(id)),
            (300, Some(HOME), NonceVerdict::Fresh(id)),
            (301, Some(HOME), NonceVerdict::Stale(id)),
            (0, Some(AWAY), NonceVerdict::Stale(id)),
            (0, None, NonceVerdict::Fresh(id)),
            (-30, None, NonceVerdict::Fresh(id)),
            (-31, None, NonceVerdict::Stale(id)),
        ] {
            assert_eq!(key.check(&nonce, at(later), LIFE, source), verdict, "{later} {source:?}");
        }
        let other = NonceKey::new(Seed([1, 2, 3, 5]));
        assert_eq!(other.check(&nonce, at(0), LIFE, None), NonceVerdict::Forged);
    }

    #[test]
    fn no_bit_of_a_nonce_can_be_changed() {
        let key = NonceKey::new(Seed([1, 2, 3, 4]));
        let nonce = key.mint(Wall::from_secs(1_800_000_000), HOME, [7; 6]);
        for at in 0..nonce.len() {
            let mut bytes = nonce.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(key.check(&changed, Wall::from_secs(1_800_000_000), LIFE, None), NonceVerdict::Forged, "{at}");
        }
    }

    proptest! {
        #[test]
        fn strangers_nonces_are_forged(text in ".{0,40}") {
            let key = NonceKey::new(Seed([1, 2, 3, 4]));
            prop_assert_eq!(key.check(&text, Wall::from_secs(0), LIFE, None), NonceVerdict::Forged);
        }
    }
}
