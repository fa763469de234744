//! The rows of one transaction: what asks need, what was read, what is to be written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use tollgate_types::{AccountId, TrunkId, Wall};

use super::{Ask, AskKey, EntryRow, What};
use crate::account::{AccountRow, DayRow};
use crate::calendar::Day;
use crate::cdr::Cdr;
use crate::hold::{HoldKey, HoldRow, Holder};
use crate::source::Usage;

/// What a batch of asks must find in the books. Read `holds` first: their levels name further accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Live holds, or else whether a record (CDR) with this call and leg exists.
    pub holds: BTreeSet<HoldKey>,
    /// Accounts, beside those that the holds name.
    pub accounts: BTreeSet<AccountId>,
    /// How many live holds name them.
    pub lines: BTreeSet<Holder>,
    /// Entries by account and key: is there one already, and what was the balance after it?
    pub entries: BTreeSet<(AccountId, AskKey)>,
    /// Rows of the history of days.
    pub days: BTreeSet<(AccountId, Day)>,
}

/// The rows a transaction has read, and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub(super) accounts: BTreeMap<AccountId, AccountRow>,
    pub(super) holds: BTreeMap<HoldKey, HoldRow>,
    pub(super) closed: BTreeSet<HoldKey>,
    pub(super) lines: BTreeMap<Holder, u32>,
    pub(super) entered: BTreeMap<(AccountId, AskKey), EntryRow>,
    pub(super) days: BTreeMap<(AccountId, Day), DayRow>,
    pub(super) sources: BTreeMap<IpAddr, Usage>,
    pub(super) changes: Touched,
}

/// Keys of what has been changed; the rows themselves stay in the books until the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub accounts: BTreeSet<AccountId>,
    pub holds: BTreeSet<HoldKey>,
    pub days: BTreeSet<(AccountId, Day)>,
    pub sources: BTreeSet<IpAddr>,
    pub talk: BTreeMap<(TrunkId, Day), u64>,
    pub entries: Vec<EntryRow>,
    pub records: Vec<Cdr>,
    pub repeats: Vec<(HoldKey, u32)>,
}

/// What the transaction must write, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Only `state` differs from what was read.
    pub accounts: Vec<AccountRow>,
    /// Insert or replace.
    pub holds: Vec<HoldRow>,
    /// Delete.
    pub ended: Vec<HoldKey>,
    /// Insert; (account, number) and (account, key) are unique.
    pub entries: Vec<EntryRow>,
    /// Insert; (call, paid leg) is unique.
    pub records: Vec<Cdr>,
    /// Raise the count of these records, after those above are there; never lower it.
    pub repeats: Vec<(HoldKey, u32)>,
    /// Insert or replace by (account, day).
    pub days: Vec<DayRow>,
    /// Insert or replace.
    pub sources: Vec<(IpAddr, Usage)>,
    /// Milliseconds talked by an egress trunk on a day of UTC: to be added to what is there.
    pub trunk_talk: Vec<(TrunkId, Day, u64)>,
}

impl Needs {
    /// What `asks` need.
    pub fn of<'a>(asks: impl IntoIterator<Item = &'a Ask>) -> Needs {
        let mut needs = Needs::default();
        for ask in asks {
            match &ask.what {
                What::Hold(hold) => {
                    needs.holds.insert(ask.hold_key());
                    for level in &hold.levels {
                        needs.accounts.insert(level.account);
                        needs.lines.insert(Holder::Account(level.account));
                    }
                    needs.lines.extend(hold.lines.iter().map(|line| line.holder));
                }
                What::Credit(credit) => {
                    needs.accounts.insert(credit.account);
                    needs.entries.insert((credit.account, ask.key));
                }
                What::AcceptDay { account, day } => {
                    needs.accounts.insert(*account);
                    needs.days.insert((*account, *day));
                }
                What::Extend(_)
                | What::Answered(_)
                | What::Silent(_)
                | What::Settle(_)
                | What::Recover(_)
                | What::Record(_)
                | What::Repeats(_) => {
                    needs.holds.insert(ask.hold_key());
                }
            }
        }
        needs
    }
}

impl Books {
    /// An account as read.
    pub fn put_account(&mut self, row: AccountRow) {
        self.accounts.insert(row.id, row);
    }

    /// A live hold as read.
    pub fn put_hold(&mut self, row: HoldRow) {
        self.holds.insert(row.key, row);
    }

    /// There is no live hold, but a record of this leg.
    pub fn put_closed(&mut self, key: HoldKey) {
        self.closed.insert(key);
    }

    /// So many live holds name `holder`.
    pub fn put_lines(&mut self, holder: Holder, in_use: u32) {
        self.lines.insert(holder, in_use);
    }

    /// An entry that exists already under the key of an ask.
    pub fn put_entry(&mut self, row: EntryRow) {
        self.entered.insert((row.account, row.key), row);
    }

    /// A row of the history of days.
    pub fn put_day(&mut self, row: DayRow) {
        self.days.insert((row.account, row.day), row);
    }

    /// What an address used; a new one is empty.
    pub fn put_source(&mut self, ip: IpAddr, usage: Usage) {
        self.sources.insert(ip, usage);
    }

    /// The addresses whose usage `asks` need, once the holds are read. Only looked at while something is limited.
    pub fn sources_of(&self, asks: &[Ask]) -> BTreeSet<IpAddr> {
        let asked = asks.iter().filter_map(|ask| match &ask.what {
            What::Hold(hold) => hold.source,
            _ => self.holds.get(&ask.hold_key())?.source.as_ref().map(|source| source.ip),
        });
        asked.collect()
    }

    /// Forgets that a leg was settled: for who lives through history, where no leg comes twice.
    pub fn forget(&mut self, key: HoldKey) {
        self.closed.remove(&key);
    }

    /// Forgets addresses that neither hold nor used anything within `period`.
    pub fn forget_idle_sources(&mut self, now: Wall, period: Duration) {
        self.sources.retain(|_, usage| !usage.is_over(now, period));
    }

    /// Is an address among them?
    pub fn has_source(&self, ip: IpAddr) -> bool {
        self.sources.contains_key(&ip)
    }

    /// An account by id.
    pub fn account(&self, id: AccountId) -> Option<&AccountRow> {
        self.accounts.get(&id)
    }

    /// A live hold by key.
    pub fn hold(&self, key: HoldKey) -> Option<&HoldRow> {
        self.holds.get(&key)
    }

    /// What is to be written; the books are then as if just read.
    pub fn take_changes(&mut self) -> Changes {
        let touched = std::mem::take(&mut self.changes);
        let (mut holds, mut ended) = (Vec::new(), Vec::new());
        for key in touched.holds {
            match self.holds.get(&key) {
                Some(row) => holds.push(row.clone()),
                None => ended.push(key),
            }
        }
        Changes {
            accounts: touched.accounts.iter().filter_map(|id| self.accounts.get(id).cloned()).collect(),
            holds,
            ended,
            entries: touched.entries,
            records: touched.records,
            repeats: touched.repeats,
            days: touched.days.iter().filter_map(|(id, day)| self.day_row(*id, *day)).collect(),
            sources: touched.sources.iter().filter_map(|ip| Some((*ip, self.sources.get(ip)?.clone()))).collect(),
            trunk_talk: touched.talk.into_iter().map(|((trunk, day), ms)| (trunk, day, ms)).collect(),
        }
    }

    /// The day as the account carries it, else as history does.
    pub(super) fn day_row(&self, id: AccountId, day: Day) -> Option<DayRow> {
        let carried = self.accounts.get(&id).and_then(|row| row.state.windows.as_ref()?.day(day));
        carried.map(|window| window.row(id)).or_else(|| self.days.get(&(id, day)).cloned())
    }
}
