//! Refusals that repeat: identical ones within a minute share a record, and nobody gets more than 60 records of refusals a
//! minute. A dialler that hammers at a closed door must not fill the disk.

use std::net::IpAddr;
use std::time::Duration;

use tollgate_types::{AccountId, Map, Mono, Rule, Seed, UserId};

use super::{Cause, Cdr, Status};
use crate::hold::HoldKey;
use crate::ledger::AskKey;

/// Identical refusals share a record for so long.
const MINUTE: Duration = Duration::from_secs(60);
/// Records of refusals for one account or trunk in that time; one more stands for all the rest.
const RECORDS: u32 = 60;
/// Records whose repetitions are counted at a time; beyond it each refusal has its own.
const ROWS_MAX: usize = 65_536;

/// Counts refusals of one node.
#[derive(Debug)]
pub struct Folds {
    rows: Map<HoldKey, Row>,
    alike: Map<Likeness, HoldKey>,
    payers: Map<Payer, Minute>,
    /// Rows whose count has grown since it was told.
    grown: Vec<HoldKey>,
    swept_at: Mono,
}

#[derive(Debug)]
struct Row {
    key: AskKey,
    since: Mono,
    count: u32,
    told: u32,
}

/// The records one payer had since `since`.
#[derive(Debug)]
struct Minute {
    since: Mono,
    records: u32,
    rest: Option<HoldKey>,
}

/// An account, or else the trunk that the attempt came in by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Payer {
    Account(AccountId),
    Trunk(String),
}

/// What makes two refusals identical.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Likeness {
    payer: Payer,
    user: Option<UserId>,
    caller: String,
    callee: String,
    source: Option<IpAddr>,
    rule: Option<Rule>,
    cause: &'static str,
    status: Option<u16>,
}

impl Folds {
    /// None yet.
    pub fn new(seed: Seed) -> Folds {
        Folds { rows: seed.map(), alike: seed.map(), payers: seed.map(), grown: Vec::new(), swept_at: Mono::START }
    }

    /// Is `cdr` to be written? False when another record stands for it, whose count has grown.
    pub fn take(&mut self, key: AskKey, cdr: &Cdr, now: Mono) -> bool {
        let payer = match (cdr.account, &cdr.trunk_in) {
            (Some(account), _) => Payer::Account(account),
            (None, Some(trunk)) => Payer::Trunk(trunk.clone()),
            (None, None) => return true,
        };
        if cdr.status != Status::Refused || cdr.repeats != 1 {
            return true;
        }
        self.sweep(now);
        let likeness = Likeness::of(payer.clone(), cdr);
        if let Some(first) = self.alike.get(&likeness).copied()
            && self.count(first, now)
        {
            return false;
        }
        let minute = self.payers.entry(payer).or_insert(Minute { since: now, records: 0, rest: None });
        if now.since(minute.since) >= MINUTE {
            *minute = Minute { since: now, records: 0, rest: None };
        }
        let own = HoldKey { call: key.call, paid_leg: key.paid_leg };
        if minute.records >= RECORDS {
            if let Some(rest) = minute.rest {
                if self.count(rest, now) {
                    return false;
                }
            } else {
                minute.rest = Some(own);
            }
        } else {
            minute.records += 1;
            if self.rows.len() < ROWS_MAX {
                self.alike.insert(likeness, own);
            }
        }
        if self.rows.len() < ROWS_MAX {
            self.rows.insert(own, Row { key, since: now, count: 1, told: 1 });
        }
        true
    }

    /// Counts that have grown since they were last told: to whose record they belong, and how many it stands for now.
    pub fn grown(&mut self) -> Vec<(AskKey, u32)> {
        let mut told = Vec::with_capacity(self.grown.len());
        for first in std::mem::take(&mut self.grown) {
            let Some(row) = self.rows.get_mut(&first) else { continue };
            row.told = row.count;
            told.push((AskKey { sequence: row.key.sequence.saturating_add(row.count), ..row.key }, row.count));
        }
        told
    }

    /// Has any count grown?
    pub fn has_grown(&self) -> bool {
        !self.grown.is_empty()
    }

    fn count(&mut self, first: HoldKey, now: Mono) -> bool {
        let Some(row) = self.rows.get_mut(&first).filter(|row| now.since(row.since) < MINUTE) else { return false };
        if row.count == row.told {
            self.grown.push(first);
        }
        row.count = row.count.saturating_add(1);
        true
    }

    /// Forgets what is over, a few times a minute; what is not told yet stays.
    fn sweep(&mut self, now: Mono) {
        if now.since(self.swept_at) < MINUTE / 6 {
            return;
        }
        self.swept_at = now;
        self.rows.retain(|_, row| now.since(row.since) < MINUTE || row.count > row.told);
        let rows = &self.rows;
        self.alike.retain(|_, first| rows.contains_key(first));
        self.payers.retain(|_, minute| now.since(minute.since) < MINUTE);
    }
}

impl Likeness {
    fn of(payer: Payer, cdr: &Cdr) -> Likeness {
        let cause: Cause = cdr.cause;
        Likeness {
            payer,
            user: cdr.user_id,
            caller: cdr.caller.clone(),
            callee: cdr.callee.clone(),
            source: cdr.source_ip,
            rule: cdr.refusal.as_ref().map(|refusal| refusal.rule),
            cause: cause.id(),
            status: cdr.sip_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::{CallId, Refusal, Wall};

    use super::*;
    use crate::cdr::CallKind;

    fn refused(n: i64, account: i64, callee: &str) -> (AskKey, Cdr) {
        let call = CallId::from_i64(n);
        let mut cdr = Cdr::begin(call, 0, CallKind::Outbound, Wall::from_secs(1_800_000_000));
        cdr.account = Some(AccountId(account));
        cdr.callee = callee.to_owned();
        cdr.refuse(Refusal::new(Rule::Credit, None, "0.60", "0.10"));
        (AskKey { call, paid_leg: 0, sequence: 1 }, cdr)
    }

    fn at(seconds: u64) -> Mono {
        Mono::START + Duration::from_secs(seconds)
    }

    #[test]
    fn identical_refusals_within_a_minute_share_the_first_ones_record() {
        let mut folds = Folds::new(Seed([1; 4]));
        //  call, account, callee, second -> written
        for (n, account, callee, second, written) in [
            (1, 1, "12025550123", 1, true),
            (2, 1, "12025550123", 2, false),
            (3, 1, "12025550123", 60, false),
            (4, 1, "12025550124", 60, true),
            (5, 2, "12025550123", 60, true),
            (6, 1, "12025550123", 61, true),
            (7, 1, "12025550123", 62, false),
        ] {
            let (key, cdr) = refused(n, account, callee);
            assert_eq!(folds.take(key, &cdr, at(second)), written, "call {n}");
        }
        let told: Vec<(i64, u32)> = folds.grown().iter().map(|(key, count)| (key.call.to_i64(), *count)).collect();
        assert_eq!(told, [(1, 3), (6, 2)]);
        assert!(folds.grown().is_empty() && !folds.has_grown());
    }

    #[test]
    fn nobody_has_more_than_60_records_a_minute_and_one_for_the_rest() {
        let mut folds = Folds::new(Seed([1; 4]));
        let written = (0..1000).filter(|n| {
            let (key, cdr) = refused(*n, 1, &format!("1202555{n:04}"));
            folds.take(key, &cdr, at(1))
        });
        assert_eq!(written.count(), 61);
        assert_eq!(folds.grown().iter().map(|(_, count)| *count).collect::<Vec<_>>(), [940]);
        let (key, cdr) = refused(2000, 1, "441632960001");
        assert!(folds.take(key, &cdr, at(61)), "a new minute");
    }

    #[test]
    fn an_answered_call_is_never_folded() {
        let mut folds = Folds::new(Seed([1; 4]));
        for n in 0..3 {
            let (key, mut cdr) = refused(n, 1, "12025550123");
            cdr.status = Status::Answered;
            assert!(folds.take(key, &cdr, at(1)));
        }
    }
}
