//! Names nobody can guess: tags, branches, Call-IDs, CSeq starts; and a To-tag that proves itself without being stored.
//!
//! All of it is drawn from a seed given at birth (ChaCha, so what was seen foretells nothing), never from the machine.
//! A Call-ID minted here says which shard owns it: whoever reads it routes by it, and both legs of a call meet on one
//! thread.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tollgate_types::Seed;

/// What every branch of RFC 3261 begins with (§8.1.1.7); a branch without it came from an RFC 2543 element.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// What a Call-ID minted here begins with: `tg`, four hex digits of the shard, a dash, 128 random bits.
const CALL_ID_MARK: &str = "tg";
/// Letters of our tokens: 32, so that five bits make one. Lower case only: some peers fold case.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// One shard's source of tokens.
pub struct Tokens {
    rng: StdRng,
    shard: u16,
}

impl Tokens {
    /// A source for `shard`; the same seed and shard give the same tokens in the same order.
    pub fn new(seed: Seed, shard: u16) -> Tokens {
        Tokens { rng: rng(seed.child(u64::from(shard) | 0x7461_6773_0000_0000)), shard }
    }

    /// A From or To tag: 80 random bits (RFC 3261 §19.3 asks for 32).
    pub fn tag(&mut self) -> String {
        self.letters(String::with_capacity(16), 16)
    }

    /// A Via branch: the magic cookie and 80 random bits.
    pub fn branch(&mut self) -> String {
        let mut text = String::with_capacity(MAGIC_COOKIE.len() + 16);
        text.push_str(MAGIC_COOKIE);
        self.letters(text, 16)
    }

    /// A Call-ID that carries this shard's number and names no host.
    pub fn call_id(&mut self) -> String {
        let mut text = String::with_capacity(CALL_ID_MARK.len() + 5 + 26);
        let _ = write!(text, "{CALL_ID_MARK}{:04x}-", self.shard);
        self.letters(text, 26)
    }

    /// Where a dialog's CSeq begins: far below 2³¹ (RFC 3261 §8.1.1.5), so that it never comes near it.
    pub fn cseq(&mut self) -> u32 {
        1 + (self.rng.next_u32() & 0xffff)
    }

    /// A client nonce for digest: 80 random bits.
    pub fn cnonce(&mut self) -> String {
        self.tag()
    }

    /// Any number below `bound`; 0 where there is no choice.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of a product: a bias below bound / 2⁶⁴.
        ((u128::from(self.rng.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Fills `bytes` with randomness.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }

    fn letters(&mut self, mut text: String, count: usize) -> String {
        let mut bits = 0u64;
        for turn in 0..count {
            if turn % 12 == 0 {
                bits = self.rng.next_u64();
            }
            text.push(LETTERS[(bits & 31) as usize] as char);
            bits >>= 5;
        }
        text
    }
}

/// The generator that `seed` means.
fn rng(seed: Seed) -> StdRng {
    let mut bytes = [0u8; 32];
    for (place, word) in bytes.chunks_exact_mut(8).zip(seed.0) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    StdRng::from_seed(bytes)
}

/// The shard that minted this Call-ID, if one of ours did.
pub fn shard_of(call_id: &str) -> Option<u16> {
    let digits = call_id.strip_prefix(CALL_ID_MARK)?;
    let (digits, rest) = digits.split_at_checked(4)?;
    let random = rest.strip_prefix('-')?;
    let ours = random.len() == 26 && random.bytes().all(|letter| LETTERS.contains(&letter));
    let hex = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if ours && hex { u16::from_str_radix(digits, 16).ok() } else { None }
}

/// Where a message with this Call-ID belongs, of `shards` shards: with the shard that minted it, else where its hash
/// points. The hash is the same in every process of this version, so that any reader finds the same shard.
pub fn shard_for(call_id: &str, shards: u16) -> u16 {
    let shards = shards.max(1);
    if let Some(shard) = shard_of(call_id) {
        return shard % shards;
    }
    // FNV-1a, then a finisher: the low bits of FNV alone are poor.
    let mut hash = call_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^= hash >> 32;
    (hash % u64::from(shards)) as u16
}

/// Makes and knows To-tags that are a keyed hash of the request they answer. A stateless 401 or 407 (RFC 3261 §8.2.7)
/// carries one; the ACK that repeats it is recognised and dropped without anything having been kept.
#[derive(Clone)]
pub struct StatelessTags {
    key: Hmac<Sha256>,
}

impl StatelessTags {
    /// Keyed by `seed`; whoever shares the seed knows each other's tags.
    pub fn new(seed: Seed) -> StatelessTags {
        StatelessTags { key: keyed(seed.child(0x0073_7461_7465_6c73)) }
    }

    /// The To-tag of a stateless answer to the request with this Call-ID and From-tag.
    pub fn tag(&self, call_id: &str, from_tag: Option<&str>) -> String {
        let mut mac = self.key.clone();
        mac.update(&(call_id.len() as u64).to_le_bytes());
        mac.update(call_id.as_bytes());
        mac.update(from_tag.unwrap_or("").as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut tag = String::with_capacity(17);
        tag.push('y');
        tag.extend(digest.iter().take(16).map(|byte| LETTERS[usize::from(byte & 31)] as char));
        tag
    }

    /// Was `to_tag` minted here for this Call-ID and From-tag?
    pub fn knows(&self, to_tag: &str, call_id: &str, from_tag: Option<&str>) -> bool {
        to_tag.len() == 17 && bool::from(self.tag(call_id, from_tag).as_bytes().ct_eq(to_tag.as_bytes()))
    }
}

/// An HMAC keyed by all of `seed`.
pub(crate) fn keyed(seed: Seed) -> Hmac<Sha256> {
    let mut key = [0u8; 32];
    for (place, word) in key.chunks_exact_mut(8).zip(seed.0) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Hmac::new_from_slice(&key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: Seed = Seed([1, 2, 3, 4]);

    #[test]
    fn a_minted_call_id_says_its_shard() {
        for shard in [0, 1, 7, 255, u16::MAX] {
            let minted = Tokens::new(SEED, shard).call_id();
            assert_eq!(shard_of(&minted), Some(shard), "{minted}");
        }
        let strangers = [
            "",
            "tg",
            "tg0001",
            "tg0001-",
            "tg0001-abc",
            "tg00g1-00000000000000000000000000",
            "tg0001-0000000000000000000000000i",
            "TG0001-00000000000000000000000000",
            "843817637684230@998sdasdh09",
            "tg000é-00000000000000000000000000",
        ];
        for text in strangers {
            assert_eq!(shard_of(text), None, "{text}");
        }
    }

    #[test]
    fn every_reader_finds_the_same_shard_and_all_shards_get_work() {
        let mut seen = [0u32; 4];
        for number in 0..4000 {
            let shard = shard_for(&format!("call-{number}@host"), 4);
            seen[usize::from(shard)] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert_eq!(shard_for(&Tokens::new(SEED, 9).call_id(), 4), 1);
        assert_eq!(shard_for("anything", 0), 0);
    }

    #[test]
    fn tokens_repeat_with_their_seed_and_differ_otherwise() {
        let draw = |seed, shard| {
            let mut tokens = Tokens::new(seed, shard);
            (tokens.tag(), tokens.branch(), tokens.call_id(), tokens.cseq())
        };
        assert_eq!(draw(SEED, 0), draw(SEED, 0));
        assert_ne!(draw(SEED, 0).0, draw(SEED, 1).0);
        assert_ne!(draw(SEED, 0).0, draw(Seed([1, 2, 3, 5]), 0).0);
        let mut tokens = Tokens::new(SEED, 0);
        let set: std::collections::BTreeSet<_> = (0..10_000).map(|_| tokens.tag()).collect();
        assert_eq!(set.len(), 10_000);
        assert!(tokens.branch().starts_with(MAGIC_COOKIE));
    }

    proptest! {
        #[test]
        fn numbers_stay_below_their_bound(bound in 0u64..1000) {
            let mut tokens = Tokens::new(SEED, 0);
            for _ in 0..20 {
                prop_assert!(tokens.below(bound) < bound.max(1));
            }
        }

        #[test]
        fn parsing_a_call_id_never_panics(text in ".{0,40}", shards: u16) {
            let _ = shard_of(&text);
            prop_assert!(shard_for(&text, shards) < shards.max(1));
        }

        #[test]
        fn a_stateless_tag_fits_only_its_own_request(call_id in "[a-z@.]{1,20}", other in "[a-z@.]{1,20}", tag in "[a-z]{1,8}") {
            let tags = StatelessTags::new(SEED);
            let minted = tags.tag(&call_id, Some(&tag));
            prop_assert!(tags.knows(&minted, &call_id, Some(&tag)));
            prop_assert!(!tags.knows(&minted, &call_id, None));
            prop_assert!(!StatelessTags::new(Seed([9; 4])).knows(&minted, &call_id, Some(&tag)));
            if other != call_id {
                prop_assert!(!tags.knows(&minted, &other, Some(&tag)));
            }
        }
    }
}
