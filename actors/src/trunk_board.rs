//! How each egress trunk is, in atomics: its Carrier writes health, calls write lines in use, the routers read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tollgate_billing::calendar::Day;
use tollgate_billing::charge::talk_by_utc_day;
use tollgate_call::Login;
use tollgate_routing::failover::Rest;
use tollgate_routing::lcr::Health;
use tollgate_store::trunk_days::Talked;
use tollgate_types::{Map, Mono, Seed, TrunkId, Wall};

/// One egress trunk's record.
#[derive(Debug)]
pub struct TrunkRecord {
    well: AtomicBool,
    rest_demanded: AtomicU64,
    rest_inferred: AtomicU64,
    in_use: AtomicU32,
    attempts: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    registered: AtomicBool,
    talk: Mutex<Talk>,
    /// How we log in there.
    pub login: ArcSwap<Option<Arc<Login>>>,
}

/// How long it talked on a day of UTC and in its month, of ended calls.
#[derive(Clone, Copy, Debug, Default)]
struct Talk {
    day: Day,
    today_ms: u64,
    month_ms: u64,
}

impl Talk {
    /// A later day begins with nothing; an earlier one is over.
    fn turn(&mut self, day: Day) {
        if day <= self.day {
            return;
        }
        if day.month() != self.day.month() {
            self.month_ms = 0;
        }
        (self.day, self.today_ms) = (day, 0);
    }
}

/// One line of a trunk, given back when dropped.
#[derive(Debug)]
pub struct TrunkLine(Arc<TrunkRecord>);

/// All records. A trunk's record is made once and kept, whatever is changed of the trunk.
pub struct TrunkBoard {
    records: ArcSwap<Map<TrunkId, Arc<TrunkRecord>>>,
}

impl TrunkBoard {
    /// No trunk yet.
    pub fn new(seed: Seed) -> TrunkBoard {
        TrunkBoard { records: ArcSwap::from_pointee(seed.map()) }
    }

    /// The trunk's record, made if it is not there.
    pub fn record(&self, trunk: TrunkId) -> Arc<TrunkRecord> {
        if let Some(record) = self.records.load().get(&trunk) {
            return record.clone();
        }
        self.records.rcu(|records| {
            let mut records = Map::clone(records);
            records.entry(trunk).or_insert_with(|| Arc::new(TrunkRecord::new()));
            records
        });
        self.records.load().get(&trunk).cloned().unwrap_or_else(|| Arc::new(TrunkRecord::new()))
    }

    /// How the trunk is.
    pub fn health(&self, trunk: TrunkId) -> Health {
        self.records.load().get(&trunk).map_or(Health::FINE, |record| record.health())
    }

    /// A call by `trunk` has ended: counted at once here, by the books a moment later.
    pub fn talked(&self, trunk: TrunkId, answered_at: Wall, talk_ms: u64) {
        let record = self.record(trunk);
        let mut talk = record.talk.lock();
        for (day, ms) in talk_by_utc_day(answered_at, talk_ms) {
            talk.turn(day);
            talk.today_ms += if day == talk.day { ms } else { 0 };
            talk.month_ms += if day.month() == talk.day.month() { ms } else { 0 };
        }
    }

    /// What the books say of `today`, calls of other nodes included. What was counted here already is never taken back.
    pub fn carry_talk(&self, today: Day, talked: &[(TrunkId, Talked)]) {
        for (trunk, _) in talked {
            self.record(*trunk);
        }
        for (trunk, record) in self.records.load().iter() {
            let mut talk = record.talk.lock();
            talk.turn(today);
            let Some((_, books)) = talked.iter().find(|(known, _)| known == trunk) else { continue };
            talk.today_ms = talk.today_ms.max(books.today_ms);
            talk.month_ms = talk.month_ms.max(books.month_ms);
        }
    }
}

impl TrunkRecord {
    fn new() -> TrunkRecord {
        TrunkRecord {
            well: AtomicBool::new(true),
            rest_demanded: AtomicU64::new(0),
            rest_inferred: AtomicU64::new(0),
            in_use: AtomicU32::new(0),
            attempts: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            registered: AtomicBool::new(false),
            talk: Mutex::default(),
            login: ArcSwap::from_pointee(None),
        }
    }

    /// As the ranking wants it.
    pub fn health(&self) -> Health {
        let talk = *self.talk.lock();
        let until = |micros: u64| (micros > 0).then(|| Mono::from_micros(micros));
        Health {
            well: self.well.load(Relaxed),
            rest_demanded: until(self.rest_demanded.load(Relaxed)),
            rest_inferred: until(self.rest_inferred.load(Relaxed)),
            in_use: self.in_use.load(Relaxed),
            talked_today_ms: talk.today_ms,
            talked_month_ms: talk.month_ms,
        }
    }

    /// Takes a line, unless all `most` are in use.
    pub fn take_line(self: &Arc<Self>, most: Option<u32>) -> Option<TrunkLine> {
        let most = most.unwrap_or(u32::MAX);
        self.in_use.fetch_update(Relaxed, Relaxed, |in_use| (in_use < most).then_some(in_use + 1)).ok()?;
        self.attempts.fetch_add(1, Relaxed);
        Some(TrunkLine(self.clone()))
    }

    /// It answers OPTIONS, or not.
    pub fn set_well(&self, well: bool) {
        self.well.store(well, Relaxed);
    }

    /// Does it answer?
    pub fn is_well(&self) -> bool {
        self.well.load(Relaxed)
    }

    /// We are registered there, or not.
    pub fn set_registered(&self, registered: bool) {
        self.registered.store(registered, Relaxed);
    }

    /// Are we registered there?
    pub fn is_registered(&self) -> bool {
        self.registered.load(Relaxed)
    }

    /// It failed a call, and is left alone for a while: demanded by Retry-After, or because it was not reached.
    pub fn rest(&self, rest: Rest, now: Mono) {
        self.failed.fetch_add(1, Relaxed);
        let until = if rest.demanded { &self.rest_demanded } else { &self.rest_inferred };
        until.fetch_max((now + rest.span).micros(), Relaxed);
    }

    /// A call by it was answered: it rests no more.
    pub fn answered(&self) {
        self.answered.fetch_add(1, Relaxed);
        self.rest_inferred.store(0, Relaxed);
    }

    /// Attempts, answers and failures since the start.
    pub fn totals(&self) -> (u64, u64, u64) {
        (self.attempts.load(Relaxed), self.answered.load(Relaxed), self.failed.load(Relaxed))
    }
}

impl TrunkLine {
    /// The call by this line was answered.
    pub fn answered(&self) {
        self.0.answered();
    }
}

impl Drop for TrunkLine {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demanded_rest_and_one_of_our_own_are_told_apart() {
        let record = TrunkBoard::new(Seed([1; 4])).record(TrunkId(7));
        let now = Mono::from_millis(1000);
        let rest = |secs, demanded| Rest { span: std::time::Duration::from_secs(secs), demanded };
        record.rest(rest(30, false), now);
        record.rest(rest(5, true), now);
        record.rest(rest(1, true), now);
        let until = |health: Health| (health.rest_demanded, health.rest_inferred);
        assert_eq!(until(record.health()), (Some(Mono::from_millis(6000)), Some(Mono::from_millis(31_000))));
        record.answered();
        assert_eq!(until(record.health()), (Some(Mono::from_millis(6000)), None), "an answer ends our own doubt only");
    }

    #[test]
    fn lines_are_counted_and_given_back() {
        let board = TrunkBoard::new(Seed([1; 4]));
        let record = board.record(TrunkId(7));
        let first = record.take_line(Some(2)).unwrap();
        let _second = record.take_line(Some(2)).unwrap();
        assert!(record.take_line(Some(2)).is_none());
        assert_eq!(board.health(TrunkId(7)).in_use, 2);
        drop(first);
        assert_eq!(board.health(TrunkId(7)).in_use, 1);
    }

    #[test]
    fn talk_is_counted_here_and_carried_from_the_books_without_counting_twice() {
        let (board, trunk) = (TrunkBoard::new(Seed([1; 4])), TrunkId(7));
        let seen = |board: &TrunkBoard| (board.health(trunk).talked_today_ms, board.health(trunk).talked_month_ms);
        let books = |today_ms, month_ms| [(trunk, Talked { today_ms, month_ms })];
        let day = Day(20_000); // the fourth of a month
        let noon = Wall::from_secs(20_000 * 86_400 + 43_200);
        board.carry_talk(day, &books(10, 100));
        board.talked(trunk, noon, 5);
        assert_eq!(seen(&board), (15, 105));
        board.carry_talk(day, &books(15, 105));
        assert_eq!(seen(&board), (15, 105), "the books have it now");
        board.carry_talk(day, &books(18, 108));
        assert_eq!(seen(&board), (18, 108), "another node's call");
        // Half a second before midnight, and as much after it.
        board.talked(trunk, Wall::from_micros(20_001 * 86_400_000_000 - 500_000), 1000);
        assert_eq!(seen(&board), (500, 1108));
        board.carry_talk(Day(20_002), &[]);
        assert_eq!(seen(&board), (0, 1108));
    }
}
