//! The platform at work: each wish is admitted, held, answered, extended, settled and watched as the actors would have it done.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use tollgate_billing::cdr::{Cdr, Status};
use tollgate_billing::currency::RateTable;
use tollgate_billing::hold::NodeLife;
use tollgate_billing::ledger::{Answered, Credit, EntryKind, Extend, Hold, Settle, What};
use tollgate_billing::{AccountRow, Ask, AskKey, Books, CallKind, Cause, HoldKey, Outcome, Policy, Rules, apply};
use tollgate_call::admission::{self, Admission, Facts, Load};
use tollgate_call::heard::heard;
use tollgate_call::{Aftermath, Claim, Party, PlanAsk};
use tollgate_guard::caller::{self, CallerBan, Mode, Roll, Subject};
use tollgate_guard::fraud::{self, Profile};
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::lcr::Health;
use tollgate_routing::list::Memory;
use tollgate_types::{AccountId, CallId, Currency, Money, Mono, Refusal, Seed, TrunkId, UserId, Wall};

use crate::people::Wish;
use crate::town::{BEGIN, Town};

/// A call asks for more so long before its paid time ends.
const EARLY: Duration = Duration::from_secs(2);

pub struct Exchange<'a> {
    town: &'a Town,
    wishes: Vec<Wish>,
    rules: Rules,
    emergencies: Emergencies,
    books: Books,
    addresses: BTreeSet<std::net::IpAddr>,
    fraud: fraud::Policy,
    profiles: RefCell<BTreeMap<AccountId, Profile>>,
    callers: caller::Policy,
    roll: Roll,
    bans: BTreeMap<Subject, Arc<CallerBan>>,
    numbers: Memory,
    queue: BinaryHeap<Reverse<(Wall, u64, Turn)>>,
    turns: u64,
    live: BTreeMap<usize, Live>,
    done: Done,
}

/// What the month left.
#[derive(Default)]
pub struct Done {
    pub records: Vec<Cdr>,
    pub refused: Vec<Refused>,
}

/// A wish that a rule said no to, before the call or while it ran.
pub struct Refused {
    pub wish: Wish,
    pub at: Wall,
    pub refusal: Refusal,
}

/// What happens next to the call of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Begin(usize),
    Answer(usize),
    Extend(usize),
    End(usize),
}

struct Live {
    answered_at: Option<Wall>,
    ends_at: Wall,
    sequence: u32,
    draft: Box<Cdr>,
    cut: Option<Refusal>,
}

impl Exchange<'_> {
    pub fn open(town: &Town, wishes: Vec<Wish>) -> Exchange<'_> {
        let policy = Policy::read(&town.values, Currency::USD);
        let seed = Seed([7; 4]);
        let mut exchange = Exchange {
            town,
            rules: Rules { policy, ..Rules::default() },
            emergencies: Emergencies::from_values(&town.values),
            books: Books::default(),
            addresses: BTreeSet::new(),
            fraud: fraud::Policy::of(&town.values),
            profiles: RefCell::default(),
            callers: caller::Policy::of(&town.values),
            roll: Roll::new(20_000, seed),
            bans: BTreeMap::new(),
            numbers: Memory::new(100_000, seed),
            queue: BinaryHeap::new(),
            turns: 0,
            live: BTreeMap::new(),
            done: Done::default(),
            wishes,
        };
        for customer in &town.customers {
            let account = AccountId(customer.id);
            exchange.books.put_account(AccountRow::new(account, customer.terms.clone()));
            if customer.balance > Money::ZERO {
                let (amount, kind) = (customer.balance, EntryKind::Opening);
                let credit = Credit { account, amount, kind, note: String::new(), force: false };
                exchange.ask(usize::MAX - customer.id as usize, 0, What::Credit(credit), BEGIN);
            }
        }
        for wish in 0..exchange.wishes.len() {
            exchange.plan(exchange.wishes[wish].at, Turn::Begin(wish));
        }
        exchange
    }

    /// Lives through all that is wished.
    pub fn live(mut self) -> Done {
        while let Some(Reverse((now, _, turn))) = self.queue.pop() {
            match turn {
                Turn::Begin(call) => self.begin(call, now),
                Turn::Answer(call) => self.answer(call, now),
                Turn::Extend(call) => self.extend(call, now),
                Turn::End(call) => self.end(call, now),
            }
        }
        assert!(self.live.is_empty());
        self.done
    }

    fn plan(&mut self, at: Wall, turn: Turn) {
        self.turns += 1;
        self.queue.push(Reverse((at, self.turns, turn)));
    }

    fn ask(&mut self, call: usize, sequence: u32, what: What, now: Wall) -> Outcome {
        let key = AskKey { call: CallId::from_i64(call as i64), paid_leg: 0, sequence };
        let asks = [Ask { key, give_up_at: Mono::NEVER, what }];
        if self.rules.policy.ip.is_on() {
            for ip in self.books.sources_of(&asks) {
                if self.addresses.insert(ip) {
                    self.books.put_source(ip, Default::default());
                }
            }
        }
        let outcome = apply(&mut self.books, &self.rules, &asks, now).remove(0);
        assert!(!matches!(outcome, Outcome::Impossible(_)), "{outcome:?}");
        self.done.records.extend(self.books.take_changes().records);
        outcome
    }

    fn judge(&self, call: usize, wish: &Wish, now: Wall) -> (Admission, Party) {
        let (town, customer) = (self.town, &self.town.customers[wish.who]);
        let account = AccountId(customer.id);
        let party = match customer.kind.is_wholesale() {
            true => Party::Trunk {
                trunk: TrunkId(customer.id),
                account: Some(account),
                name: format!("trunk{}", customer.id).into(),
            },
            false => Party::User { user: UserId(customer.id), account, name: format!("user{}", customer.id).into() },
        };
        let dialled: Box<str> = format!("sip:+{}@voip.test", wish.callee).into();
        let ask = PlanAsk {
            kind: CallKind::Internal,
            payer: party.clone(),
            source: wish.from,
            to: dialled.clone(),
            dialled,
            claim: Claim { user: wish.shown.clone(), ..Claim::default() },
            caller: party.clone(),
            local_only: false,
        };
        let facts = Facts {
            directory: &town.directory,
            destinations: &town.destinations,
            lists: &town.lists,
            reputation: &|number| self.numbers.of(number),
            values: &town.values,
            emergencies: &self.emergencies,
            deck: &|id| town.deck(id),
            rates: &RateTable::default(),
            currency: Currency::USD,
            peak: true,
            offpeak: &|_| false,
            load: Load::default(),
            health: &|_| Health::FINE,
            devices: &|_| Some(1),
            caller_ban: &|subject| self.bans.get(subject).filter(|ban| now < ban.until).cloned(),
            fraud: &|account, attempt| {
                let mut profiles = self.profiles.borrow_mut();
                let profile = profiles.entry(account).or_default();
                let standing = profile.standing(attempt, &self.fraud, now);
                profile.begin(CallId::from_i64(call as i64), attempt, &self.fraud, now);
                standing
            },
            draw: call as u64,
            now: Mono::START,
            wall: now,
        };
        (admission::judge(&ask, &facts), party)
    }

    fn begin(&mut self, call: usize, now: Wall) {
        let wish = self.wishes[call].clone();
        let (admission, party) = self.judge(call, &wish, now);
        let mut draft = Box::new(Cdr::begin(CallId::from_i64(call as i64), 0, CallKind::Outbound, now));
        if let Some((user, name, account)) = admission.payer {
            (draft.user_id, draft.user, draft.account) = (Some(user), Some(name.into()), Some(account));
        }
        (draft.caller, draft.callee) = (admission.caller.into(), admission.callee.into());
        draft.source_ip = Some(wish.from);
        draft.trunk_in = party.is_trunk().then(|| party.name().to_owned());
        let plan = match admission.verdict {
            Ok(plan) => plan,
            Err(refusal) => return self.done.refused.push(Refused { wish, at: now, refusal }),
        };
        draft.kind = plan.kind;
        let hold = Hold {
            node: NodeLife { node: 1, life: 1 },
            emergency: plan.emergency,
            levels: plan.levels,
            lines: plan.lines,
            source: plan.counts_source.then_some(wish.from),
            draft: draft.clone(),
            dialogs: Vec::new(),
        };
        let rings_until = now + Duration::from_secs(wish.rings);
        match self.ask(call, 0, What::Hold(Box::new(hold)), now) {
            Outcome::Held(_) => {
                self.live.insert(call, Live { answered_at: None, ends_at: rings_until, sequence: 1, draft, cut: None });
                self.plan(rings_until, if wish.talks.is_some() { Turn::Answer(call) } else { Turn::End(call) });
            }
            Outcome::Refused(refusal) => {
                // As in the house: a call that the ledger refused has ended, and says nothing of its caller.
                (draft.status, draft.cause, draft.ended_at) = (Status::Refused, Cause::Rule(refusal.rule), now);
                self.watch(&draft, now);
                self.done.refused.push(Refused { wish, at: now, refusal });
            }
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, call: usize, now: Wall) {
        let answered = Answered { at: now, buy: None, trunk_out: None, dialogs: Vec::new() };
        let outcome = self.ask(call, 1, What::Answered(Box::new(answered)), now);
        assert!(matches!(outcome, Outcome::Answered { .. }), "{outcome:?}");
        let talks = Duration::from_secs(self.wishes[call].talks.unwrap_or(0));
        if let Some(live) = self.live.get_mut(&call) {
            (live.answered_at, live.ends_at) = (Some(now), now + talks);
        }
        self.go_on(call);
    }

    /// Its own end, or the next question, whichever comes first.
    fn go_on(&mut self, call: usize) {
        let key = HoldKey { call: CallId::from_i64(call as i64), paid_leg: 0 };
        let paid_until = self.books.hold(key).and_then(|row| row.paid_until()).expect("it is answered");
        let ends_at = self.live[&call].ends_at;
        if paid_until >= ends_at {
            self.plan(ends_at, Turn::End(call));
        } else {
            self.plan(paid_until - EARLY, Turn::Extend(call));
        }
    }

    fn extend(&mut self, call: usize, now: Wall) {
        let live = self.live.get_mut(&call).expect("it runs");
        live.sequence += 1;
        let (sequence, answered_at) = (live.sequence, live.answered_at.expect("it is answered"));
        match self.ask(call, sequence, What::Extend(Extend { answered_at }), now) {
            Outcome::Extended { .. } => self.go_on(call),
            Outcome::Refused(refusal) => {
                let key = HoldKey { call: CallId::from_i64(call as i64), paid_leg: 0 };
                let paid_until = self.books.hold(key).and_then(|row| row.paid_until()).expect("it is paid for");
                let live = self.live.get_mut(&call).expect("it runs");
                live.cut = Some(refusal.clone());
                self.done.refused.push(Refused { wish: self.wishes[call].clone(), at: now, refusal });
                self.plan(paid_until, Turn::End(call));
            }
            other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, call: usize, now: Wall) {
        let Live { answered_at, sequence, mut draft, cut, .. } = self.live.remove(&call).expect("it runs");
        draft.answered_at = answered_at;
        draft.talk_ms = answered_at.map_or(0, |at| now.since(at).as_millis() as u64);
        draft.status = if answered_at.is_some() { Status::Answered } else { Status::Failed };
        draft.cause = match &cut {
            Some(refusal) => Cause::Rule(refusal.rule),
            None if answered_at.is_some() => Cause::Normal,
            // Who waits in vain hangs up.
            None => Cause::Cancelled,
        };
        draft.sip_status = Some(if answered_at.is_some() { 200 } else { 487 });
        draft.trunk_out = Some("carrier".to_owned());
        (draft.refusal, draft.ended_at) = (cut, now);
        let settle = Settle { cdr: draft, buy: None };
        match self.ask(call, sequence + 1, What::Settle(Box::new(settle)), now) {
            Outcome::Settled(cdr) => self.watch(&cdr, now),
            other => panic!("{other:?}"),
        }
    }

    /// What the Watcher does with a record.
    fn watch(&mut self, cdr: &Cdr, now: Wall) {
        if let Some((number, heard)) = heard(cdr) {
            self.numbers.hear(number, heard, now, &admission::rows::schooling(&self.town.values));
        }
        let trunk = |name: &str| name.strip_prefix("trunk").and_then(|id| id.parse().ok()).map(TrunkId);
        let Some(after) = Aftermath::of(cdr, trunk, self.callers.short) else { return };
        if let (Some(account), Some(callee)) = (after.account, &after.callee) {
            let mut profiles = self.profiles.borrow_mut();
            profiles.entry(account).or_default().end(after.call, callee, after.ending, now);
        }
        let Some(caller) = after.caller.filter(|_| self.callers.mode != Mode::Off) else { return };
        let address = after.address.filter(|_| self.callers.mode == Mode::NumberAndIp).map(Subject::Address);
        for subject in std::iter::once(caller).chain(address) {
            if let Some(trip) = self.roll.count(&subject, &after.finished, &self.callers, now) {
                self.bans.insert(subject, Arc::new(trip.ban(&self.callers, now)));
            }
        }
    }
}
