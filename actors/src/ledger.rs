//! The one writer of money and call records.
//!
//! Kept by the platform, on a thread of its own. Asks come in by [`Order`], wait as long as their kind allows, and go
//! into one transaction together; the next begins as soon as the last is durable. Wakes on orders and on [`Tick`].
//! It decides nothing: `billing::ledger::apply` does, inside the transaction, on the rows read there.
//!
//! When the database cannot be reached, holds and extensions are refused at once; settlements, records and answer marks
//! wait (at most [`WAITING_MAX`]) and are tried again. Free and emergency calls go on without a row.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use arc_swap::ArcSwap;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tollgate_billing::hold::HoldKey;
use tollgate_billing::ledger::{Ask, AskKey, Held, Outcome, What};
use tollgate_billing::policy::Rules;
use tollgate_store::book::{self, Book};
use tollgate_types::{Map, Money, Mono, Rate, Refusal, Rule, Seed};

use crate::alerter::{Alerter, Raise, Severity};
use crate::call::unavailable;
use crate::caretaker::Post;
use crate::clock::Clock;
use crate::observe::{NextDeadline, Observe};
use crate::sip_shard::Tick;
use crate::supervision::contain;

/// Orders that may wait in the mailbox.
const MAILBOX: usize = 16_384;
/// Asks in one transaction.
const BATCH_MAX: usize = 256;
/// Asks that wait for their transaction, or for the database to come back.
const WAITING_MAX: usize = 50_000;
/// After a failed transaction the next one waits so long.
const RETRY: Duration = Duration::from_millis(500);

/// See the module.
pub struct Ledger {
    clock: Clock,
    book: Engine,
    rules: Arc<ArcSwap<Rules>>,
    waiting: VecDeque<Waiting>,
    /// The earliest time at which what waits must begin.
    begin_at: Mono,
    /// A transaction is under way on another thread, or told to begin.
    busy: bool,
    /// No transaction before this.
    not_before: Mono,
    /// So many asks go one by one: in their batch one met a fault.
    careful: usize,
    /// Calls that went on without a hold row while the database was away.
    unbooked: Map<HoldKey, ()>,
    alerter: Post<Alerter>,
    failing_since: Option<Mono>,
    /// The same for those who only want to know whether.
    failing: Arc<AtomicBool>,
    commits: u64,
    asks: u64,
    #[cfg(feature = "sabotage")]
    stalled: bool,
}

/// Where the books are.
enum Engine {
    /// In a file: committed on this very thread.
    Here(Box<book::sqlite::Book>),
    /// On a server: the transaction runs on the database's runtime and comes back as a message.
    There { book: Option<Box<book::postgres::Book>>, runtime: tokio::runtime::Handle },
}

struct Waiting {
    ask: Ask,
    reply: Option<Recipient<Answer>>,
    begin_by: Mono,
}

/// An ask for the Ledger.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Order {
    /// What.
    pub ask: Ask,
    /// Who wants to know.
    pub reply: Option<Recipient<Answer>>,
}

/// What came of it, durable.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Answer {
    /// Which ask.
    pub key: AskKey,
    /// What came of it.
    pub outcome: Outcome,
}

/// Begin a transaction with what waits.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
struct Commit;

/// A transaction on the server has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Committed {
    book: Box<book::postgres::Book>,
    batch: Vec<Waiting>,
    result: Result<Vec<Outcome>, Failure>,
}

/// Why nothing of a transaction was written.
enum Failure {
    /// The database did not take it.
    Away(String),
    /// A panic of ours.
    Fault,
}

/// What the Ledger is made of.
pub struct LedgerPlans {
    /// Where money is written.
    pub book: Book,
    /// Where a book on a server is written from.
    pub runtime: tokio::runtime::Handle,
    /// What is decided by.
    pub rules: Arc<ArcSwap<Rules>>,
    /// The time.
    pub clock: Clock,
    /// For maps.
    pub seed: Seed,
    /// Who is told when the database is away.
    pub alerter: Post<Alerter>,
    /// True while it is.
    pub failing: Arc<AtomicBool>,
}

/// The way to the Ledger: what it cannot take is refused on the spot.
#[derive(Clone)]
pub struct LedgerDoor {
    /// Where it is.
    pub addr: Addr<Ledger>,
    failing: Arc<AtomicBool>,
}

impl LedgerDoor {
    /// Is the database away?
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Brings an ask. A full mailbox refuses holds and extensions; what settles money is never turned away.
    pub fn order(&self, order: Order) {
        let settles = !matches!(order.ask.what, What::Hold(_) | What::Extend(_) | What::Credit(_));
        if settles {
            return self.addr.do_send(order);
        }
        if let Err(SendError::Full(order) | SendError::Closed(order)) = self.addr.try_send(order) {
            metrics::counter!("tollgate_ledger_refused_total").increment(1);
            if let Some(reply) = order.reply {
                let _ = reply.try_send(unavailable(order.ask.key, "the ledger is at its limit"));
            }
        }
    }
}

impl Ledger {
    /// Starts it on a thread of its own, or on the current one. Books on a server are written on the plans' runtime.
    pub fn open(plans: LedgerPlans, arbiter: Option<&ArbiterHandle>) -> LedgerDoor {
        let failing = plans.failing.clone();
        let born = move |ctx: &mut Context<Ledger>| Ledger::born(plans, ctx);
        let addr = match arbiter {
            Some(arbiter) => Ledger::start_in_arbiter(arbiter, born),
            None => Ledger::create(born),
        };
        LedgerDoor { addr, failing }
    }

    fn born(plans: LedgerPlans, ctx: &mut Context<Ledger>) -> Ledger {
        ctx.set_mailbox_capacity(MAILBOX);
        let LedgerPlans { book, runtime, rules, clock, seed, alerter, failing } = plans;
        let book = match book {
            Book::Postgres(book) => Engine::There { book: Some(book), runtime },
            Book::Sqlite(book) => Engine::Here(book),
        };
        Ledger {
            clock,
            book,
            rules,
            waiting: VecDeque::new(),
            begin_at: Mono::NEVER,
            busy: false,
            not_before: Mono::START,
            careful: 0,
            #[cfg(feature = "sabotage")]
            stalled: false,
            unbooked: seed.map(),
            alerter,
            failing_since: None,
            failing,
            commits: 0,
            asks: 0,
        }
    }

    /// How long an ask may wait for company (DESIGN.md, Money).
    fn patience(what: &What) -> Duration {
        match what {
            What::Hold(_) | What::Credit(_) | What::Recover(_) => Duration::ZERO,
            What::Extend(_) => Duration::from_millis(20),
            _ => Duration::from_millis(200),
        }
    }

    fn take(&mut self, order: Order, ctx: &mut Context<Ledger>) {
        let Order { mut ask, reply } = order;
        self.asks += 1;
        let now = self.clock.mono();
        if self.failing_since.is_some() && self.serve_without_book(&ask, reply.as_ref()) {
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.turn_away(Waiting { ask, reply, begin_by: now }, "too much waits for the database");
            return;
        }
        // A call that was never booked leaves its record all the same.
        if let What::Settle(settle) = &ask.what
            && self.unbooked.remove(&ask.hold_key()).is_some()
        {
            ask.what = What::Record(settle.cdr.clone());
        }
        let begin_by = now + Ledger::patience(&ask.what);
        self.begin_at = self.begin_at.min(begin_by);
        self.waiting.push_back(Waiting { ask, reply, begin_by });
        self.begin_if_due(now, ctx);
    }

    fn begin_if_due(&mut self, now: Mono, ctx: &mut Context<Ledger>) {
        #[cfg(feature = "sabotage")]
        if self.stalled {
            return;
        }
        if !self.busy
            && !self.waiting.is_empty()
            && now >= self.not_before
            && (now >= self.begin_at || self.waiting.len() >= BATCH_MAX)
        {
            self.busy = true;
            // Behind what the mailbox holds already: that rides along.
            ctx.notify(Commit);
        }
    }

    /// The next batch, in order; who gave up meanwhile is told so.
    fn next_batch(&mut self, now: Mono) -> Vec<Waiting> {
        let most = if self.careful > 0 { 1 } else { BATCH_MAX };
        self.careful = self.careful.saturating_sub(1);
        let mut batch = Vec::with_capacity(self.waiting.len().min(most));
        while batch.len() < most
            && let Some(waiting) = self.waiting.pop_front()
        {
            let gives_up = matches!(waiting.ask.what, What::Hold(_) | What::Extend(_) | What::Credit(_));
            if gives_up && waiting.ask.give_up_at <= now {
                self.turn_away(waiting, "the ledger came too late");
            } else {
                batch.push(waiting);
            }
        }
        self.begin_at = self.waiting.iter().map(|waiting| waiting.begin_by).min().unwrap_or(Mono::NEVER);
        batch
    }

    /// A transaction met a fault of ours and was rolled back. Its asks go again one by one, and the one that meets it alone
    /// is turned away: one key is lost, not the Ledger.
    fn set_apart(&mut self, mut batch: Vec<Waiting>) {
        metrics::counter!("tollgate_ledger_failures_total").increment(1);
        if batch.len() > 1 {
            self.careful = batch.len();
        } else if let Some(waiting) = batch.pop() {
            let call = waiting.ask.key.call;
            tracing::error!(%call, sequence = waiting.ask.key.sequence, "an ask met a fault of ours and is turned away");
            let text = format!("an ask of call {call} met a fault of ours; what it holds is settled at the next start");
            self.raise("ledger_fault", Severity::Critical, text);
            self.turn_away(waiting, "a fault of ours");
        }
        for waiting in batch.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        self.begin_at = if self.waiting.is_empty() { Mono::NEVER } else { Mono::START };
    }

    fn finish(&mut self, batch: Vec<Waiting>, result: Result<Vec<Outcome>, Failure>, ctx: &mut Context<Ledger>) {
        self.busy = false;
        let now = self.clock.mono();
        match result {
            Ok(outcomes) => {
                self.commits += 1;
                metrics::counter!("tollgate_ledger_commits_total").increment(1);
                metrics::counter!("tollgate_ledger_asks_total").increment(batch.len() as u64);
                if let Some(since) = self.failing_since.take() {
                    self.failing.store(false, Ordering::Relaxed);
                    let text = format!("the database answers again after {} s", now.since(since).as_secs());
                    self.raise("ledger_up", Severity::Notice, text);
                }
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    self.answer(waiting, outcome);
                }
            }
            Err(Failure::Fault) => self.set_apart(batch),
            Err(Failure::Away(error)) => {
                metrics::counter!("tollgate_ledger_failures_total").increment(1);
                if self.failing_since.is_none() {
                    self.failing_since = Some(now);
                    self.failing.store(true, Ordering::Relaxed);
                    self.raise(
                        "ledger_down",
                        Severity::Critical,
                        format!("no paid calls until the database answers: {error}"),
                    );
                }
                self.not_before = now + RETRY;
                for waiting in batch.into_iter().rev() {
                    if self.serve_without_book(&waiting.ask, waiting.reply.as_ref()) {
                        continue;
                    }
                    self.waiting.push_front(waiting);
                }
                self.begin_at = if self.waiting.is_empty() { Mono::NEVER } else { self.not_before };
            }
        }
        self.begin_if_due(now, ctx);
    }

    /// While the database is away: paid holds and extensions are refused, free calls go on without a row.
    fn serve_without_book(&mut self, ask: &Ask, reply: Option<&Recipient<Answer>>) -> bool {
        let outcome = match &ask.what {
            What::Hold(hold) if hold.emergency || hold.levels.iter().all(|level| level.plan.is_free()) => {
                self.unbooked.insert(ask.hold_key(), ());
                Outcome::Held(Held { paid_ms: None, held: Money::ZERO, price_per_minute: Rate::ZERO })
            }
            What::Hold(_) | What::Extend(_) | What::Credit(_) => {
                let refusal = Refusal::new(Rule::LedgerUnavailable, None, "the database does not answer", "");
                Outcome::Refused(refusal)
            }
            What::Answered(_) if self.unbooked.contains_key(&ask.hold_key()) => Outcome::Answered { paid_ms: None },
            _ => return false,
        };
        if let Some(reply) = reply {
            let _ = reply.try_send(Answer { key: ask.key, outcome });
        }
        true
    }

    fn answer(&mut self, waiting: Waiting, outcome: Outcome) {
        let key = waiting.ask.key;
        if let Outcome::Impossible(fault) = &outcome {
            tracing::error!(call = %key.call, leg = key.paid_leg, sequence = key.sequence, %fault, "an ask contradicts the books");
        }
        let held = matches!(outcome, Outcome::Held(_));
        let heard = waiting
            .reply
            .is_none_or(|reply| !matches!(reply.try_send(Answer { key, outcome }), Err(SendError::Closed(_))));
        if held && !heard {
            // Nobody is left to use the grant: it is released, and its record says that the call did not happen.
            let release = Ask {
                key: AskKey { sequence: key.sequence + 1, ..key },
                give_up_at: Mono::NEVER,
                what: What::Recover(tollgate_billing::ledger::Recover { proven_until: self.clock.wall() }),
            };
            self.waiting.push_back(Waiting { ask: release, reply: None, begin_by: self.clock.mono() });
            self.begin_at = Mono::START;
        }
    }

    fn turn_away(&mut self, waiting: Waiting, why: &'static str) {
        metrics::counter!("tollgate_ledger_refused_total").increment(1);
        if let Some(reply) = waiting.reply {
            let _ = reply.try_send(unavailable(waiting.ask.key, why));
        }
    }

    fn raise(&self, kind: &'static str, severity: Severity, text: String) {
        let _ = self.alerter.try_send(Raise { kind, severity, subject: "ledger".into(), text });
    }
}

impl Actor for Ledger {
    type Context = Context<Self>;
}

impl Handler<Order> for Ledger {
    type Result = ();
    fn handle(&mut self, order: Order, ctx: &mut Context<Self>) {
        let mut order = Some(order);
        contain("ledger.order", || order.take().map(|order| self.take(order, ctx)));
        // What a fault left untouched waits like the rest: no settlement is lost with an event.
        if let Some(Order { ask, reply }) = order {
            let begin_by = self.clock.mono();
            self.begin_at = self.begin_at.min(begin_by);
            self.waiting.push_back(Waiting { ask, reply, begin_by });
        }
    }
}

impl Handler<Tick> for Ledger {
    type Result = ();
    fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) {
        self.begin_if_due(tick.0, ctx);
    }
}

impl Handler<Commit> for Ledger {
    type Result = ();
    fn handle(&mut self, _: Commit, ctx: &mut Context<Self>) {
        let (now, wall) = (self.clock.mono(), self.clock.wall());
        let batch = self.next_batch(now);
        if batch.is_empty() {
            self.busy = false;
            return;
        }
        let rules = self.rules.load_full();
        let asks: Vec<Ask> = batch.iter().map(|waiting| waiting.ask.clone()).collect();
        match &mut self.book {
            Engine::Here(book) => {
                let result = match contain("ledger.commit", || book.commit(&rules, &asks, wall)) {
                    Some(result) => result.map_err(|error| Failure::Away(error.to_string())),
                    None => Err(Failure::Fault),
                };
                self.finish(batch, result, ctx);
            }
            Engine::There { book, runtime } => {
                let Some(mut book) = book.take() else { return };
                let own = ctx.address();
                runtime.spawn(async move {
                    let result = match AssertUnwindSafe(book.commit(&rules, &asks, wall)).catch_unwind().await {
                        Ok(result) => result.map_err(|error| Failure::Away(error.to_string())),
                        Err(_) => Err(Failure::Fault),
                    };
                    own.do_send(Committed { book, batch, result });
                });
            }
        }
    }
}

impl Handler<Committed> for Ledger {
    type Result = ();
    fn handle(&mut self, committed: Committed, ctx: &mut Context<Self>) {
        if let Engine::There { book, .. } = &mut self.book {
            *book = Some(committed.book);
        }
        self.finish(committed.batch, committed.result, ctx);
    }
}

/// Answers once nothing waits any more: the platform closes only then.
#[derive(Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct IsDrained;

impl Handler<IsDrained> for Ledger {
    type Result = bool;
    fn handle(&mut self, _: IsDrained, ctx: &mut Context<Self>) -> bool {
        self.begin_at = Mono::START;
        let now = self.clock.mono();
        self.begin_if_due(now, ctx);
        self.waiting.is_empty() && !self.busy
    }
}

impl Handler<NextDeadline> for Ledger {
    type Result = Option<Mono>;
    fn handle(&mut self, _: NextDeadline, _: &mut Context<Self>) -> Option<Mono> {
        #[cfg(feature = "sabotage")]
        if self.stalled {
            return None;
        }
        (!self.busy && !self.waiting.is_empty()).then(|| self.begin_at.max(self.not_before))
    }
}

impl Handler<Observe> for Ledger {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({
            "waiting": self.waiting.len(),
            "commits": self.commits,
            "asks": self.asks,
            "failing": self.failing_since.is_some(),
            "unbooked": self.unbooked.len(),
        }) as Value)
    }
}

#[cfg(feature = "sabotage")]
impl Handler<crate::sabotage::Stall> for Ledger {
    type Result = ();
    fn handle(&mut self, stall: crate::sabotage::Stall, ctx: &mut Context<Self>) {
        self.stalled = stall.0;
        self.begin_if_due(self.clock.mono(), ctx);
    }
}
