//! Hash maps whose seed is given, so that a simulation repeats and a stranger cannot choose collisions.

use ahash::RandomState;

/// A hash map; make it with [`Seed::map`].
#[allow(clippy::disallowed_types, reason = "the one place that may name it: the hasher is ours")]
pub type Map<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A hash set; make it with [`Seed::set`].
#[allow(clippy::disallowed_types, reason = "the one place that may name it: the hasher is ours")]
pub type Set<K> = std::collections::HashSet<K, RandomState>;

/// Randomness given once, at the platform's birth. Maps, tags, branches and Call-IDs derive from it.
#[derive(Clone, Copy, Debug)]
pub struct Seed(pub [u64; 4]);

impl Seed {
    /// An empty map.
    pub fn map<K, V>(&self) -> Map<K, V> {
        Map::with_hasher(self.hasher())
    }

    /// An empty set.
    pub fn set<K>(&self) -> Set<K> {
        Set::with_hasher(self.hasher())
    }

    /// A keyed hasher: the same seed gives the same hashes.
    pub fn hasher(&self) -> RandomState {
        RandomState::with_seeds(self.0[0], self.0[1], self.0[2], self.0[3])
    }

    /// A seed of its own for the child called `label`: what one child draws tells nothing of another.
    pub fn child(&self, label: u64) -> Seed {
        let mix = |word: u64, turn: u64| {
            let hasher = RandomState::with_seeds(self.0[0] ^ turn, self.0[1], self.0[2], self.0[3]);
            hasher.hash_one((word, label, turn))
        };
        Seed([mix(self.0[0], 1), mix(self.0[1], 2), mix(self.0[2], 3), mix(self.0[3], 4)])
    }
}
