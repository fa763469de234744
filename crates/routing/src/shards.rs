//! A map that is cheap to copy and cheap to change a little: many small maps, of which a change copies one.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use ahash::RandomState;
use tollgate_types::{Map, Seed};

const SHARDS: usize = 512;

/// A persistent map: a clone shares everything, a change copies one part in 512.
#[derive(Clone, Debug)]
pub struct Shards<K, V> {
    // Not the maps' own: keys of one part must not crowd there.
    placing: RandomState,
    shards: Arc<Vec<Arc<Map<K, V>>>>,
    len: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Shards<K, V> {
    /// An empty one.
    pub fn new(seed: Seed) -> Shards<K, V> {
        let empty = Arc::new(seed.map());
        Shards { placing: seed.child(1).hasher(), shards: Arc::new(vec![empty; SHARDS]), len: 0 }
    }

    /// What `key` stands for.
    pub fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[self.place(key)].get(key)
    }

    /// Puts `value` there and returns what was there before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        let before = self.shard(place).insert(key, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes `key` away.
    pub fn remove<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        let place = self.place(key);
        self.len -= 1;
        self.shard(place).remove(key)
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.len
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn shard(&mut self, place: usize) -> &mut Map<K, V> {
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[place])
    }

    fn place<Q: ?Sized + Hash>(&self, key: &Q) -> usize {
        self.placing.hash_one(key) as usize % SHARDS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_and_copies_stand_still(steps in prop::collection::vec((any::<bool>(), 0u16..40, any::<u8>()), 0..200)) {
            let mut shards = Shards::new(Seed([7; 4]));
            let mut model = std::collections::BTreeMap::new();
            for (put, key, value) in steps {
                let (copy, before) = (shards.clone(), model.clone());
                if put {
                    prop_assert_eq!(shards.insert(key, value), model.insert(key, value));
                } else {
                    prop_assert_eq!(shards.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(shards.len(), model.len());
                prop_assert_eq!(copy.get(&key), before.get(&key));
                prop_assert_eq!(shards.get(&key), model.get(&key));
            }
        }
    }
}
