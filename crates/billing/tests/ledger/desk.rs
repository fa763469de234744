//! A ledger on a desk: rows kept in plain maps, read and written as a store would, checked after every transaction.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tollgate_billing::account::DayRow;
use tollgate_billing::calendar::Day;
use tollgate_billing::cdr::Status;
use tollgate_billing::hold::NodeLife;
use tollgate_billing::ledger::chain::{Audit, Head};
use tollgate_billing::ledger::{
    Answered, Credit, EntryKind, EntryRow, Extend, Hold, LevelQuote, Needs, Recover, Settle, What, recount,
    recount_spend,
};
use tollgate_billing::price::{Price, PricePlan};
use tollgate_billing::source::{Past, Usage, recount as recount_sources};
use tollgate_billing::{
    AccountRow, AccountTerms, Ask, AskKey, Books, CallKind, Cause, Cdr, HoldKey, HoldRow, Outcome, Rules, apply,
};
use tollgate_types::{AccountId, CallId, Money, Mono, TrunkId, Wall};

use crate::mutant::Mutant;

pub const NODE: NodeLife = NodeLife { node: 1, life: 1 };

/// Everything a database would hold, and a clock.
pub struct Desk {
    pub rules: Rules,
    pub now: Wall,
    pub accounts: BTreeMap<AccountId, AccountRow>,
    pub holds: BTreeMap<HoldKey, HoldRow>,
    pub entries: Vec<EntryRow>,
    pub records: Vec<Cdr>,
    pub days: BTreeMap<(AccountId, Day), DayRow>,
    /// Where calls come from.
    pub source: Option<IpAddr>,
    pub sources: BTreeMap<IpAddr, Usage>,
    /// Milliseconds by egress trunk and day of UTC.
    pub trunk_talk: BTreeMap<(TrunkId, Day), u64>,
    /// What the ledger gets wrong.
    pub mutant: Option<Mutant>,
    payments: i64,
}

pub fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub fn wall(text: &str) -> Wall {
    serde_json::from_str(&format!("\"{text}\"")).unwrap()
}

/// `0.60 1/1` or `0.60 60/6 +0.10` (setup fee).
pub fn price(text: &str) -> Price {
    let mut words = text.split(' ');
    let rate = words.next().unwrap().parse().unwrap();
    let (first, next) = words.next().unwrap_or("1/1").split_once('/').unwrap();
    let setup_fee = words.next().map_or(Money::ZERO, |fee| money(&fee[1..]));
    Price { rate, setup_fee, first: first.parse().unwrap(), next: next.parse().unwrap(), grace: 0 }
}

pub fn plan(text: &str) -> PricePlan {
    PricePlan::flat(price(text))
}

impl Desk {
    pub fn new() -> Desk {
        let mut rules = Rules::default();
        rules.policy.dynamic = tollgate_billing::policy::DynamicFor::Off;
        Desk {
            rules,
            now: wall("2026-03-02T10:00:00Z"),
            accounts: BTreeMap::new(),
            holds: BTreeMap::new(),
            entries: Vec::new(),
            records: Vec::new(),
            days: BTreeMap::new(),
            source: None,
            sources: BTreeMap::new(),
            trunk_talk: BTreeMap::new(),
            mutant: None,
            payments: 0,
        }
    }

    /// Opens an account with a balance.
    pub fn account(&mut self, id: i64, balance: &str, terms: AccountTerms) -> AccountId {
        let id = AccountId(id);
        self.accounts.insert(id, AccountRow::new(id, terms));
        if money(balance) != Money::ZERO {
            self.pay(id, balance, EntryKind::Opening, true);
        }
        id
    }

    pub fn prepaid(&mut self, id: i64, balance: &str) -> AccountId {
        self.account(id, balance, AccountTerms::default())
    }

    pub fn pay(&mut self, account: AccountId, amount: &str, kind: EntryKind, force: bool) -> Outcome {
        self.payments += 1;
        let credit = Credit { account, amount: money(amount), kind, note: String::new(), force };
        self.ask(1_000_000_000 + self.payments, 0, What::Credit(credit))
    }

    pub fn wait(&mut self, seconds: u64) {
        self.wait_ms(seconds * 1000);
    }

    pub fn wait_ms(&mut self, ms: u64) {
        self.now = self.now + std::time::Duration::from_millis(ms);
    }

    pub fn row(&self, id: AccountId) -> &AccountRow {
        &self.accounts[&id]
    }

    pub fn balance(&self, id: AccountId) -> String {
        self.row(id).state.balance.to_string()
    }

    pub fn held(&self, id: AccountId) -> String {
        self.row(id).state.held.to_string()
    }

    pub fn hold_of(&self, call: i64) -> &HoldRow {
        &self.holds[&key(call)]
    }

    pub fn ask(&mut self, call: i64, sequence: u32, what: What) -> Outcome {
        let key = AskKey { call: CallId::from_i64(call), paid_leg: 0, sequence };
        self.commit(&[Ask { key, give_up_at: Mono::NEVER, what }]).remove(0)
    }

    pub fn hold(&mut self, call: i64, levels: &[(AccountId, PricePlan)]) -> Outcome {
        let hold = self.hold_ask(call, levels);
        self.ask(call, 0, What::Hold(Box::new(hold)))
    }

    pub fn hold_ask(&self, call: i64, levels: &[(AccountId, PricePlan)]) -> Hold {
        let level = |(account, plan): &(AccountId, PricePlan)| LevelQuote {
            account: *account,
            currency: self.accounts[account].terms.currency,
            plan: plan.clone(),
        };
        let mut draft = Box::new(Cdr::begin(CallId::from_i64(call), 0, CallKind::Outbound, self.now));
        draft.source_ip = self.source;
        draft.callee = "3612345".into();
        let levels = levels.iter().map(level).collect();
        Hold {
            node: NODE,
            emergency: false,
            levels,
            lines: Vec::new(),
            source: self.source,
            draft,
            dialogs: b"dialogs".to_vec(),
        }
    }

    pub fn answer(&mut self, call: i64) -> Outcome {
        let answered = Answered { at: self.now, buy: None, trunk_out: None, dialogs: b"both".to_vec() };
        self.ask(call, 1, What::Answered(Box::new(answered)))
    }

    pub fn extend(&mut self, call: i64, sequence: u32) -> Outcome {
        let answered_at = self.hold_of(call).answered_at.unwrap_or(self.now);
        self.ask(call, sequence, What::Extend(Extend { answered_at }))
    }

    /// Ends a call now; talk is counted from its answer.
    pub fn settle(&mut self, call: i64) -> Outcome {
        let row = self.hold_of(call);
        let mut cdr = row.draft.clone();
        cdr.answered_at = row.answered_at;
        cdr.talk_ms = row.answered_at.map_or(0, |at| self.now.since(at).as_millis() as u64);
        cdr.status = if row.answered_at.is_some() { Status::Answered } else { Status::Failed };
        cdr.cause = Cause::Normal;
        cdr.ended_at = self.now;
        self.ask(call, 9999, What::Settle(Box::new(Settle { cdr, buy: None })))
    }

    pub fn recover(&mut self, call: i64, proven_until: Wall) -> Outcome {
        self.ask(call, 10_000, What::Recover(Recover { proven_until }))
    }

    /// Talks until the money ends: extends until refused, then settles at the end of paid time. The refusal.
    pub fn talk_to_the_end(&mut self, call: i64) -> tollgate_types::Refusal {
        for sequence in 2.. {
            match self.extend(call, sequence) {
                Outcome::Extended { paid_ms: Some(paid_ms), .. } => {
                    let until = self.hold_of(call).answered_at.unwrap() + std::time::Duration::from_millis(paid_ms);
                    self.now = self.now.max(until - std::time::Duration::from_millis(500));
                }
                Outcome::Refused(refusal) => {
                    self.now = self.hold_of(call).paid_until().unwrap();
                    self.wait_ms(3); // the timer's jitter
                    self.settle(call);
                    return refusal;
                }
                other => panic!("{other:?}"),
            }
        }
        unreachable!()
    }

    /// One transaction: reads what the asks need, decides, writes, and checks the books.
    pub fn commit(&mut self, asks: &[Ask]) -> Vec<Outcome> {
        let mut books = self.read(asks);
        let outcomes = match &self.mutant {
            None => apply(&mut books, &self.rules, asks, self.now),
            Some(mutant) => apply(&mut books, &mutant.rules(&self.rules), asks, self.now),
        };
        self.write(books);
        self.check();
        outcomes
    }

    pub fn read(&self, asks: &[Ask]) -> Books {
        let needs = Needs::of(asks);
        let mut books = Books::default();
        let mut accounts = needs.accounts;
        for key in needs.holds {
            match self.holds.get(&key) {
                Some(row) => {
                    accounts.extend(row.levels.iter().map(|level| level.account));
                    // A store reads text back, not memory.
                    let json = serde_json::to_string(row).unwrap();
                    books.put_hold(serde_json::from_str(&json).unwrap());
                }
                None if self.records.iter().any(|cdr| (cdr.call_id, cdr.paid_leg) == (key.call, key.paid_leg)) => {
                    books.put_closed(key);
                }
                None => {}
            }
        }
        for id in accounts {
            if let Some(row) = self.accounts.get(&id) {
                let json = serde_json::to_string(row).unwrap();
                let mut row: AccountRow = serde_json::from_str(&json).unwrap();
                if let Some(mutant) = &self.mutant {
                    mutant.change(&mut row.terms);
                }
                books.put_account(row);
            }
        }
        for holder in needs.lines {
            books.put_lines(holder, self.holds.values().filter(|row| row.holders.contains(&holder)).count() as u32);
        }
        for (account, key) in needs.entries {
            if let Some(entry) = self.entries.iter().find(|entry| (entry.account, entry.key) == (account, key)) {
                books.put_entry(entry.clone());
            }
        }
        for key in needs.days {
            if let Some(row) = self.days.get(&key) {
                books.put_day(row.clone());
            }
        }
        if self.rules.policy.ip.is_on() {
            for ip in books.sources_of(asks) {
                let json = serde_json::to_string(&self.sources.get(&ip).cloned().unwrap_or_default()).unwrap();
                books.put_source(ip, serde_json::from_str(&json).unwrap());
            }
        }
        books
    }

    fn write(&mut self, mut books: Books) {
        let changes = books.take_changes();
        for mut row in changes.accounts {
            let terms = &self.accounts[&row.id].terms;
            match self.mutant {
                None => assert_eq!(row.terms, *terms, "terms are the operator's"),
                Some(_) => row.terms = terms.clone(),
            }
            self.accounts.insert(row.id, row);
        }
        for row in changes.holds {
            self.holds.insert(row.key, row);
        }
        for key in changes.ended {
            self.holds.remove(&key);
        }
        for entry in changes.entries {
            let unique = |other: &EntryRow| (other.account, other.key) == (entry.account, entry.key);
            assert!(!self.entries.iter().any(unique), "an entry twice");
            self.entries.push(entry);
        }
        for cdr in changes.records {
            let unique = |other: &Cdr| (other.call_id, other.paid_leg) == (cdr.call_id, cdr.paid_leg);
            assert!(!self.records.iter().any(unique), "a record twice");
            self.records.push(cdr);
        }
        for row in changes.days {
            self.days.insert((row.account, row.day), row);
        }
        self.sources.extend(changes.sources);
        for (trunk, day, ms) in changes.trunk_talk {
            *self.trunk_talk.entry((trunk, day)).or_default() += ms;
        }
    }

    /// The invariants that hold after every transaction.
    pub fn check(&self) {
        for row in self.accounts.values() {
            let mut again = row.clone();
            assert_eq!(recount(&mut again, self.holds.values()), [], "sums are those of the live holds");
            let charges = self.records.iter().flat_map(|cdr| &cdr.levels);
            assert_eq!(recount_spend(&mut again, charges, Day(0)), [], "counters are those of the records");
            let spent: Money = self
                .records
                .iter()
                .flat_map(|cdr| &cdr.levels)
                .filter(|level| level.account == row.id)
                .map(|level| level.amount)
                .sum();
            let entered: Money = self
                .entries
                .iter()
                .filter(|entry| entry.account == row.id && entry.kind == EntryKind::Call)
                .map(|entry| entry.amount)
                .sum();
            assert_eq!(entered, Money::ZERO.saturating_sub(spent), "records and entries agree");
        }
        if self.rules.policy.ip.is_on() {
            let period = self.rules.policy.ip.period;
            let again = recount_sources(self.past(), self.holds.values(), &self.rules, self.now);
            for ip in self.sources.keys().chain(again.keys()) {
                let (one, other) = (self.sources.get(ip).cloned().unwrap_or_default(), again.get(ip).cloned());
                let other = other.unwrap_or_default();
                assert!(one.agrees_with(&other, self.now, period), "{ip}: {one:?} is not {other:?}");
            }
        }
        let mut sorted: Vec<&EntryRow> = self.entries.iter().collect();
        sorted.sort_by_key(|entry| (entry.account, entry.number));
        let heads = self.accounts.values().map(|row| Head {
            account: row.id,
            entries: row.state.entries,
            hash: row.state.head,
            balance: row.state.balance,
        });
        let mut audit = Audit::begin(heads, []).unwrap();
        sorted.into_iter().for_each(|entry| audit.read(entry).unwrap());
        audit.end().unwrap();
    }

    /// What the records say of addresses.
    fn past(&self) -> impl Iterator<Item = Past> + '_ {
        let granted = self.records.iter().filter(|cdr| !cdr.levels.is_empty());
        granted.filter_map(|cdr| {
            Some(Past {
                ip: cdr.source_ip?,
                paid_leg: cdr.paid_leg,
                started_at: cdr.started_at,
                ended_at: cdr.ended_at,
                talk_ms: cdr.talk_ms,
                cost: cdr.sell_cost,
                currency: cdr.currency,
            })
        })
    }

    /// No account stands below its floor, holds counted as spent.
    pub fn check_floors(&self) {
        for row in self.accounts.values() {
            if let Some(floor) = row.terms.floor() {
                assert!(row.state.balance.saturating_sub(row.state.held) >= floor, "{row:?}");
            }
        }
    }
}

pub fn key(call: i64) -> HoldKey {
    HoldKey { call: CallId::from_i64(call), paid_leg: 0 }
}

/// The rule that refused, and what it said.
pub fn refusal(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(refusal) => refusal.to_string(),
        other => format!("{other:?}"),
    }
}

impl Desk {
    pub fn extend_after_close(&mut self, call: i64) -> Outcome {
        self.ask(call, 3, What::Extend(Extend { answered_at: self.now }))
    }
}
