//! Values by prefix, found by walking the digits of a number once.

use tollgate_billing::deck::index::Index;
use tollgate_types::{E164, Prefix};

/// See the module. A prefix may have several values.
#[derive(Clone, Debug)]
pub struct PrefixMap<T> {
    index: Index,
    values: Vec<T>,
    lengths: Vec<u8>,
}

impl<T> PrefixMap<T> {
    /// Sorts and indexes `rows`; values of one prefix keep their order.
    pub fn new(mut rows: Vec<(Prefix, T)>) -> PrefixMap<T> {
        rows.sort_by(|a, b| a.0.digits().cmp(b.0.digits()));
        let prefixes: Vec<Prefix> = rows.iter().map(|(prefix, _)| *prefix).collect();
        let lengths = prefixes.iter().map(|prefix| prefix.digits().len() as u8).collect();
        let values = rows.into_iter().map(|(_, value)| value).collect();
        PrefixMap { index: Index::build(&prefixes), values, lengths }
    }

    /// Calls `visit` with the length and value of each prefix that `number` begins with, shortest first.
    pub fn walk<'a>(&'a self, number: &E164, mut visit: impl FnMut(u8, &'a T)) {
        self.index.walk(number, |span| {
            let start = span.start as usize;
            for at in start..start + usize::from(span.len) {
                visit(self.lengths[at], &self.values[at]);
            }
        });
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<T> Default for PrefixMap<T> {
    fn default() -> PrefixMap<T> {
        PrefixMap::new(Vec::new())
    }
}
