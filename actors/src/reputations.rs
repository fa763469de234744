//! What calls taught of numbers on this node. Calls write when they settle, admission reads, a worker writes behind.

use parking_lot::RwLock;
use tollgate_billing::Cdr;
use tollgate_call::admission::rows;
use tollgate_call::heard::heard;
use tollgate_routing::list::{Memory, Reputation};
use tollgate_settings::Values;
use tollgate_types::{E164, Seed, Wall};

/// Numbers kept: some ten megabytes.
pub const MOST: usize = 100_000;

/// See the module.
pub struct Reputations(RwLock<Memory>);

impl Reputations {
    /// Nothing heard yet.
    pub fn new(seed: Seed) -> Reputations {
        Reputations(RwLock::new(Memory::new(MOST, seed)))
    }

    /// What an earlier life knew, the latest last.
    pub fn remember(&self, known: Vec<(E164, Reputation)>) {
        let mut memory = self.0.write();
        for (number, known) in known {
            memory.put(number, known);
        }
    }

    /// A call is over, and this is its record.
    pub fn hear(&self, cdr: &Cdr, now: Wall, values: &Values) {
        if let Some((number, heard)) = heard(cdr) {
            self.0.write().hear(number, heard, now, &rows::schooling(values));
        }
    }

    /// What is known of a number.
    pub fn of(&self, number: &E164) -> Option<Reputation> {
        self.0.read().of(number)
    }

    /// What changed since this was last asked.
    pub fn take_fresh(&self) -> Vec<(E164, Reputation)> {
        self.0.write().take_fresh()
    }
}
