//! One world: settings, and what they make of the attempts that it is told of. The same rules and the same ledger as live
//! calls have, on rows in memory.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tollgate_billing::cdr::{Cause, Cdr, Status};
use tollgate_billing::currency::Rounding;
use tollgate_billing::hold::NodeLife;
use tollgate_billing::ledger::{Answered, Extend, Hold, Settle, What};
use tollgate_billing::{AccountRow, Ask, AskKey, Books, HoldKey, Outcome, Policy, Rules, apply};
use tollgate_guard::caller::{self, CallerBan, Mode, Roll, Subject};
use tollgate_guard::fraud::{self, Land, Profile};
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::lcr::Health;
use tollgate_routing::list::{Memory, Schooling};
use tollgate_settings::Values;
use tollgate_types::{AccountId, Currency, E164, Map, Money, Mono, Refusal, Seed, Wall};

use super::{Today, told};
use crate::admission::{self, Facts, Load, PlanAsk};
use crate::aftermath::Aftermath;
use crate::heard::heard;

/// A call asks for more so long before its paid time ends.
const EARLY: Duration = Duration::from_secs(2);
/// Callers counted at most; the idlest are forgotten.
const CALLERS_MAX: usize = 20_000;
/// Numbers learned of at most; what was not heard of for longest is forgotten.
const NUMBERS_MAX: usize = 100_000;
/// After so many attempts, what is over is forgotten.
const SWEEP_EVERY: u64 = 10_000;
/// Nobody chooses what is hashed here.
const SEED: Seed = Seed([0x7265, 0x706c, 0x6179, 0x21]);

/// See the module.
pub(super) struct World {
    today: Arc<Today>,
    values: Values,
    rules: Rules,
    emergencies: Emergencies,
    fraud: fraud::Policy,
    callers: caller::Policy,
    books: Books,
    sources: BTreeSet<IpAddr>,
    profiles: RefCell<Map<AccountId, Profile>>,
    roll: Roll,
    bans: Map<Subject, Arc<CallerBan>>,
    numbers: Memory,
    schooling: Schooling,
    queue: BinaryHeap<Reverse<(Wall, u64, Turn)>>,
    turns: u64,
    attempts: u64,
    live: BTreeMap<HoldKey, Live>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Answer(HoldKey),
    Extend(HoldKey),
    End(HoldKey),
}

/// A running call, as its record tells of it.
struct Live {
    cdr: Box<Cdr>,
    sequence: u32,
    cut: Option<(Wall, Refusal)>,
}

/// A call that is over in this world.
pub(super) struct Ended {
    pub call: HoldKey,
    pub account: AccountId,
    pub callee: String,
    pub currency: Currency,
    /// When paid time ended, and why it was not extended.
    pub cut: Option<(Wall, Refusal)>,
    /// Here.
    pub charged: Money,
    /// By its record.
    pub recorded: Money,
}

impl World {
    pub fn new(today: Arc<Today>, values: Values) -> World {
        let policy = Policy::read(&values, today.currency);
        World {
            rules: Rules { policy, calendar: today.calendar.clone(), exchange: today.rates.clone() },
            emergencies: Emergencies::from_values(&values),
            fraud: fraud::Policy::of(&values),
            callers: caller::Policy::of(&values),
            books: Books::default(),
            sources: BTreeSet::new(),
            profiles: RefCell::new(SEED.map()),
            roll: Roll::new(CALLERS_MAX, SEED),
            bans: SEED.map(),
            numbers: Memory::new(NUMBERS_MAX, SEED),
            schooling: admission::rows::schooling(&values),
            queue: BinaryHeap::new(),
            turns: 0,
            attempts: 0,
            live: BTreeMap::new(),
            today,
            values,
        }
    }

    pub fn dynamic_window(&self) -> u32 {
        self.rules.policy.dynamic_window
    }

    pub fn knows(&self, account: AccountId) -> bool {
        self.books.account(account).is_some()
    }

    pub fn put(&mut self, row: AccountRow) {
        self.books.put_account(row);
    }

    pub fn runs(&self, call: HoldKey) -> bool {
        self.live.contains_key(&call)
    }

    /// The payer and its resellers as they are today.
    pub fn chain(&self, payer: AccountId) -> Vec<AccountId> {
        self.today.directory.chain(payer).map(|account| account.id).collect()
    }

    /// Countries and prices of calls that people had with each other.
    pub fn remember(&mut self, cdr: &Cdr) {
        let (Some(account), Ok(callee)) = (cdr.account, cdr.callee.parse::<E164>()) else { return };
        let talked = cdr.status == Status::Answered && Duration::from_millis(cdr.talk_ms) >= self.callers.short;
        if talked && cdr.trunk_out.is_some() {
            let exchange = self.rules.to_platform(cdr.currency, cdr.started_at);
            let price = exchange.convert_rate(told::per_minute(cdr), Rounding::Up);
            let mut profiles = self.profiles.borrow_mut();
            let history = &mut profiles.entry(account).or_default().history;
            history.learn(Land::of(&callee), price, cdr.ended_at);
            history.settle(cdr.ended_at);
        }
    }

    /// Lets all happen that happens until `until`.
    pub fn advance(&mut self, until: Wall, tell: &mut dyn FnMut(Ended)) {
        while let Some(Reverse((at, _, turn))) = self.queue.peek().copied().filter(|Reverse((at, ..))| *at <= until) {
            self.queue.pop();
            match turn {
                Turn::Answer(call) => self.answer(call, at),
                Turn::Extend(call) => self.extend(call, at),
                Turn::End(call) => self.end(call, at, tell),
            }
        }
    }

    /// An attempt begins; why not, if not.
    pub fn attempt(&mut self, cdr: &Cdr) -> Option<Refusal> {
        self.attempts += 1;
        if self.attempts.is_multiple_of(SWEEP_EVERY) {
            self.sweep(cdr.started_at);
        }
        let ask = told::ask(cdr, &self.today.directory)?;
        let plan = match self.judge(cdr, &ask) {
            Ok(plan) => plan,
            Err(refusal) => return Some(refusal),
        };
        if cdr.status == Status::Refused {
            self.watch(cdr, cdr.started_at);
            return None;
        }
        let call = HoldKey { call: cdr.call_id, paid_leg: cdr.paid_leg };
        let mut draft = Box::new(cdr.clone());
        (draft.answered_at, draft.talk_ms) = (None, 0);
        let hold = Hold {
            node: NodeLife::default(),
            emergency: false,
            levels: told::levels(cdr).unwrap_or(plan.levels),
            lines: plan.lines,
            source: cdr.source_ip.filter(|_| plan.counts_source),
            draft,
            dialogs: Vec::new(),
        };
        match self.ask(call, 0, What::Hold(Box::new(hold)), cdr.started_at) {
            Outcome::Held(_) => {
                let next = cdr.answered_at.map_or(Turn::End(call), |_| Turn::Answer(call));
                self.plan(cdr.answered_at.unwrap_or(cdr.ended_at), next);
                self.live.insert(call, Live { cdr: Box::new(brief(cdr)), sequence: 1, cut: None });
                None
            }
            Outcome::Refused(refusal) => {
                let mut refused = brief(cdr);
                refused.refuse(refusal.clone());
                self.watch(&refused, cdr.started_at);
                Some(refusal)
            }
            // A record that these books cannot be asked about, such as one in another currency than its account has today.
            _ => None,
        }
    }

    fn judge(&self, cdr: &Cdr, ask: &PlanAsk) -> Result<Box<admission::Plan>, Refusal> {
        let (today, now) = (&self.today, cdr.started_at);
        let facts = Facts {
            directory: &today.directory,
            destinations: &today.destinations,
            lists: &today.lists,
            reputation: &|number| self.numbers.of(number),
            values: &self.values,
            emergencies: &self.emergencies,
            deck: &*today.deck,
            rates: &today.rates,
            currency: today.currency,
            peak: today.is_peak(now),
            offpeak: &|zone| today.calendar.is_offpeak(zone, now),
            load: Load::default(),
            health: &|_| Health::FINE,
            devices: &|_| None,
            caller_ban: &|subject| self.bans.get(subject).filter(|ban| now < ban.until).cloned(),
            fraud: &|account, attempt| {
                let mut profiles = self.profiles.borrow_mut();
                let profile = profiles.entry(account).or_default();
                let standing = profile.standing(attempt, &self.fraud, now);
                profile.begin(cdr.call_id, attempt, &self.fraud, now);
                standing
            },
            draw: 0,
            now: Mono::START,
            wall: now,
        };
        admission::judge(ask, &facts).verdict
    }

    fn ask(&mut self, call: HoldKey, sequence: u32, what: What, now: Wall) -> Outcome {
        let key = AskKey { call: call.call, paid_leg: call.paid_leg, sequence };
        let asks = [Ask { key, give_up_at: Mono::NEVER, what }];
        if self.rules.policy.ip.is_on() {
            for ip in self.books.sources_of(&asks) {
                if self.sources.insert(ip) {
                    self.books.put_source(ip, Default::default());
                }
            }
        }
        let outcome = apply(&mut self.books, &self.rules, &asks, now).remove(0);
        self.books.take_changes();
        outcome
    }

    fn plan(&mut self, at: Wall, turn: Turn) {
        self.turns += 1;
        self.queue.push(Reverse((at, self.turns, turn)));
    }

    fn answer(&mut self, call: HoldKey, now: Wall) {
        let answered = Answered { at: now, buy: None, trunk_out: None, dialogs: Vec::new() };
        self.ask(call, 1, What::Answered(Box::new(answered)), now);
        self.go_on(call, now);
    }

    /// The end by its record, or the next question, whichever comes first.
    fn go_on(&mut self, call: HoldKey, now: Wall) {
        let Some(live) = self.live.get(&call) else { return };
        let ends_at = live.cdr.ended_at.max(now);
        match self.books.hold(call).and_then(|row| row.paid_until()) {
            Some(paid_until) if paid_until < ends_at => self.plan((paid_until - EARLY).max(now), Turn::Extend(call)),
            _ => self.plan(ends_at, Turn::End(call)),
        }
    }

    fn extend(&mut self, call: HoldKey, now: Wall) {
        let Some(live) = self.live.get_mut(&call) else { return };
        live.sequence += 1;
        let (sequence, answered_at) = (live.sequence, live.cdr.answered_at.unwrap_or(now));
        match self.ask(call, sequence, What::Extend(Extend { answered_at }), now) {
            Outcome::Refused(refusal) => {
                let paid_until = self.books.hold(call).and_then(|row| row.paid_until()).unwrap_or(now).max(now);
                if let Some(live) = self.live.get_mut(&call) {
                    live.cut = Some((paid_until, refusal));
                }
                self.plan(paid_until, Turn::End(call));
            }
            _ => self.go_on(call, now),
        }
    }

    fn end(&mut self, call: HoldKey, now: Wall, tell: &mut dyn FnMut(Ended)) {
        let Some(Live { mut cdr, sequence, cut }) = self.live.remove(&call) else { return };
        let recorded = cdr.sell_cost;
        if let Some((at, refusal)) = &cut {
            cdr.talk_ms = cdr.answered_at.map_or(0, |answered| at.since(answered).as_millis() as u64);
            (cdr.ended_at, cdr.cause) = (*at, Cause::Rule(refusal.rule));
        }
        let settle = Settle { cdr, buy: None };
        let outcome = self.ask(call, sequence + 1, What::Settle(Box::new(settle)), now);
        self.books.forget(call);
        let Outcome::Settled(cdr) = outcome else { return };
        self.watch(&cdr, now);
        let Some(account) = cdr.account else { return };
        let (charged, currency) = (cdr.sell_cost, cdr.currency);
        tell(Ended { call, account, callee: cdr.callee, currency, cut, charged, recorded });
    }

    /// What the Watcher does with a record.
    fn watch(&mut self, cdr: &Cdr, now: Wall) {
        if let Some((number, heard)) = heard(cdr) {
            self.numbers.hear(number, heard, now, &self.schooling);
        }
        let ingresses = self.today.directory.ingresses();
        let trunk = |name: &str| ingresses.iter().find(|trunk| *trunk.name == *name).map(|trunk| trunk.id);
        let Some(after) = Aftermath::of(cdr, trunk, self.callers.short) else { return };
        if let (Some(account), Some(callee)) = (after.account, &after.callee) {
            let mut profiles = self.profiles.borrow_mut();
            if let Some(profile) = profiles.get_mut(&account) {
                profile.end(after.call, callee, after.ending, now);
            }
        }
        let Some(caller) = after.caller.filter(|_| self.callers.mode != Mode::Off) else { return };
        let address = after.address.filter(|_| self.callers.mode == Mode::NumberAndIp).map(Subject::Address);
        for subject in std::iter::once(caller).chain(address) {
            if let Some(trip) = self.roll.count(&subject, &after.finished, &self.callers, now) {
                self.bans.insert(subject, Arc::new(trip.ban(&self.callers, now)));
            }
        }
    }

    /// Forgets bans, attempts and addresses that say nothing any more.
    fn sweep(&mut self, now: Wall) {
        self.bans.retain(|_, ban| now < ban.until);
        self.profiles.borrow_mut().retain(|_, profile| {
            profile.sweep(now);
            !profile.is_empty()
        });
        self.books.forget_idle_sources(now, self.rules.policy.ip.period);
        let books = &self.books;
        self.sources.retain(|ip| books.has_source(*ip));
    }
}

/// A record without what no rule reads.
fn brief(cdr: &Cdr) -> Cdr {
    Cdr { trace: Vec::new(), ladder: Vec::new(), media: Vec::new(), ..cdr.clone() }
}
