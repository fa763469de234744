//! The Ledger's spool: facts on their way into the file and out of it, and the alerts when it gets short of room.
//!
//! Shared by the Ledger and its door, each for the time of one write to the page cache.

use std::sync::Arc;

use actix::prelude::*;
use parking_lot::Mutex;
use tollgate_billing::ledger::{Ask, Deferred, Outcome};
use tollgate_store::spool::{NotTaken, Part, Spool, Weight};
use tollgate_types::Wall;

use super::Answer;
use crate::alerter::{Alerter, Raise, Severity};
use crate::caretaker::Post;

/// From here on somebody should look: parts of four.
const NEAR: u64 = 3;

/// See the module.
#[derive(Clone)]
pub struct Spooler(Arc<Mutex<Inside>>);

struct Inside {
    spool: Spool,
    /// Who hears that a fact is safe, once it is.
    unsafe_yet: Vec<(Recipient<Answer>, Answer)>,
    is_near: bool,
    is_full: bool,
    lost: u64,
    alerter: Post<Alerter>,
}

impl Spooler {
    /// Over an open file.
    pub fn new(spool: Spool, alerter: Post<Alerter>) -> Spooler {
        let waiting = spool.waiting();
        if waiting > 0 {
            tracing::warn!(waiting, path = %spool.path().display(), "an earlier process left facts in the spool");
        }
        let inside = Inside { spool, unsafe_yet: Vec::new(), is_near: false, is_full: false, lost: 0, alerter };
        Spooler(Arc::new(Mutex::new(inside)))
    }

    /// Takes a fact; `reply` hears of it once it is on the disk. False when there is no room for it.
    pub fn take(&self, fact: &Deferred, reply: Option<Recipient<Answer>>) -> bool {
        let mut inside = self.0.lock();
        let Ok(record) = serde_json::to_vec(fact) else { return inside.refuse("a fact cannot be written") };
        let weight = if fact.moves_money() { Weight::Heavy } else { Weight::Light };
        match inside.spool.append(&record, weight) {
            Ok(()) => {
                metrics::counter!("tollgate_ledger_spooled_total").increment(1);
                let answer = Answer { key: fact.key, outcome: Outcome::Deferred };
                inside.unsafe_yet.extend(reply.map(|reply| (reply, answer)));
                inside.look_at_room();
                true
            }
            Err(NotTaken::Full) => inside.refuse("it is full"),
            Err(NotTaken::Disk(error)) => inside.refuse(&error.to_string()),
        }
    }

    /// Waits for the disk, then tells who waits for it.
    pub fn sync(&self) {
        let mut inside = self.0.lock();
        match inside.spool.sync() {
            Ok(_) => {
                for (reply, answer) in std::mem::take(&mut inside.unsafe_yet) {
                    let _ = reply.try_send(answer);
                }
            }
            Err(error) => {
                let text = format!("{}: {error}", inside.spool.path().display());
                inside.raise("ledger_spool_disk", Severity::Critical, text);
            }
        }
    }

    /// Does anybody wait for the disk?
    pub fn is_unsafe(&self) -> bool {
        !self.0.lock().unsafe_yet.is_empty()
    }

    /// The oldest facts, as asks, and the part of the file they are.
    pub fn oldest(&self, most: usize) -> Option<(Part, Vec<Ask>)> {
        let mut inside = self.0.lock();
        if inside.spool.waiting() == 0 {
            return None;
        }
        match inside.spool.oldest(most) {
            Ok(part) => {
                let read = |record: &Vec<u8>| serde_json::from_slice::<Deferred>(record);
                let asks: Vec<Ask> =
                    part.records.iter().filter_map(|record| read(record).ok()).map(Deferred::into_ask).collect();
                let unread = part.records.len() - asks.len();
                if unread > 0 {
                    inside.lose(unread as u64, "what was spooled cannot be read by this version");
                }
                Some((part, asks))
            }
            Err(error) => {
                inside.raise("ledger_spool_disk", Severity::Critical, error.to_string());
                None
            }
        }
    }

    /// That part is in the database.
    pub fn forget(&self, part: &Part, now: Wall) {
        let mut inside = self.0.lock();
        if let Err(error) = inside.spool.forget_until(part, now) {
            inside.raise("ledger_spool_disk", Severity::Critical, error.to_string());
        }
        if inside.spool.waiting() == 0 {
            (inside.is_near, inside.is_full) = (false, false);
        }
        inside.show();
    }

    /// A fact found no room anywhere: said, and counted.
    pub fn lose(&self, why: &str) {
        self.0.lock().lose(1, why);
    }

    /// Facts that are not in the database yet.
    pub fn waiting(&self) -> u64 {
        self.0.lock().spool.waiting()
    }

    /// Facts that were lost since the start.
    pub fn lost(&self) -> u64 {
        self.0.lock().lost
    }
}

impl Inside {
    fn refuse(&mut self, why: &str) -> bool {
        if !self.is_full {
            self.is_full = true;
            let text = format!(
                "{}: {why}: no free calls either until the database is back; emergency calls go on",
                self.spool.path().display()
            );
            self.raise("ledger_spool_full", Severity::Critical, text);
        }
        false
    }

    fn look_at_room(&mut self) {
        let (used, size) = self.spool.used();
        if !self.is_near && used >= size / 4 * NEAR {
            self.is_near = true;
            let text = format!("{used} of {size} bytes are used: books.spool_mib says how many there are");
            self.raise("ledger_spool_near", Severity::Warning, text);
        }
        self.show();
    }

    fn lose(&mut self, count: u64, why: &str) {
        self.lost += count;
        metrics::counter!("tollgate_ledger_lost_total").increment(count);
        let text =
            format!("{count} records or answer marks of calls are lost ({why}); no money is: holds stay in the books");
        self.raise("ledger_lost", Severity::Critical, text);
    }

    #[allow(clippy::cast_precision_loss, reason = "a gauge")]
    fn show(&self) {
        metrics::gauge!("tollgate_ledger_spool_bytes").set(self.spool.used().0 as f64);
        metrics::gauge!("tollgate_ledger_spool_waiting").set(self.spool.waiting() as f64);
    }

    fn raise(&self, kind: &'static str, severity: Severity, text: String) {
        let _ = self.alerter.try_send(Raise { kind, severity, subject: "ledger".into(), text });
    }
}
