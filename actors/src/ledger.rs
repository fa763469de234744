//! The one writer of money and call records.
//!
//! Kept by the platform, on a thread of its own. Asks come in by [`Order`], wait as long as their kind allows, and go
//! into one transaction together; the next begins as soon as the last is durable. Wakes on orders and on [`Tick`].
//! It decides nothing: `billing::ledger::apply` does, inside the transaction, on the rows read there.
//!
//! When the database cannot be reached, holds of paid calls, extensions and payments are refused at once; free and emergency
//! calls go on; every fact goes into the spool, and from there into the books when the database is back. After a crash the
//! spool brings them again before anything else is settled.

mod birth;
mod door;
mod outage;
mod spooler;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix::prelude::*;
use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tollgate_billing::cdr::fold::Folds;
use tollgate_billing::ledger::{Ask, AskKey, Away, Fault, Outcome, Recover, What};
use tollgate_billing::policy::Rules;
use tollgate_store::book;
use tollgate_store::spool::Part;
use tollgate_types::Mono;

use crate::alerter::{Alerter, Raise, Severity};
use crate::call::unavailable;
use crate::clock::Clock;
use crate::observe::Observe;
use crate::sip_shard::Tick;
pub use birth::LedgerPlans;
pub use door::LedgerDoor;
use door::{Way, is_fact};
use spooler::Spooler;

/// Orders that may wait in the mailbox, beside facts on their way.
const MAILBOX: usize = 16_384;
/// Asks in one transaction.
const BATCH_MAX: usize = 256;
/// Asks that wait for their transaction; facts beyond it go into the spool.
const WAITING_MAX: usize = 50_000;
/// While the database is away it is looked for so often.
const RETRY: Duration = Duration::from_millis(500);
/// Counts of repeated refusals are written so often; a crash loses what has been counted since.
const FOLDS_EVERY: Duration = Duration::from_secs(1);

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
    spooler: Spooler,
    folds: Folds,
    /// When counts of repeated refusals are written next.
    tell_folds_at: Mono,
    way: Way,
    alerter: Addr<Alerter>,
    failing_since: Option<Mono>,
    /// The same for those who only want to know whether.
    failing: Arc<AtomicBool>,
    commits: u64,
    asks: u64,
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
    batch: Batch,
    result: Result<Vec<Outcome>, String>,
}

/// What goes into one transaction: asks that came by the door, then some from the spool.
#[derive(Default)]
struct Batch {
    waiting: Vec<Waiting>,
    spooled: Option<(Part, Vec<Ask>)>,
    /// Nothing but the question whether the database is back.
    is_probe: bool,
}

impl Ledger {
    /// How long an ask may wait for company (DESIGN.md, Money).
    fn patience(what: &What) -> Duration {
        match what {
            What::Hold(_) | What::Credit(_) | What::Recover(_) => Duration::ZERO,
            What::Extend(_) => Duration::from_millis(20),
            _ => Duration::from_millis(200),
        }
    }

    fn take(&mut self, order: Order, ctx: &mut Context<Ledger>) {
        let Order { ask, reply } = order;
        if is_fact(&ask.what) {
            self.way.arrive();
        }
        self.asks += 1;
        let now = self.clock.mono();
        if let What::Record(cdr) = &ask.what
            && !self.folds.take(ask.key, cdr, now)
        {
            let answer = Answer { key: ask.key, outcome: Outcome::Deferred };
            let _ = reply.map(|reply| reply.try_send(answer));
            return;
        }
        self.bring(Waiting { begin_by: now + Ledger::patience(&ask.what), ask, reply }, now, ctx);
    }

    /// Refusals that repeated are counted in the record of the first.
    fn tell_folds(&mut self, now: Mono, ctx: &mut Context<Ledger>) {
        self.tell_folds_at = now + FOLDS_EVERY;
        for (key, count) in self.folds.grown() {
            let ask = Ask { key, give_up_at: Mono::NEVER, what: What::Repeats(count) };
            self.bring(Waiting { ask, reply: None, begin_by: now }, now, ctx);
        }
    }

    fn bring(&mut self, waiting: Waiting, now: Mono, ctx: &mut Context<Ledger>) {
        if self.failing_since.is_some() {
            return self.do_without(waiting);
        }
        if self.waiting.len() >= WAITING_MAX {
            return match Away::of(&waiting.ask) {
                Away::Later(_) => self.do_without(waiting),
                Away::GoesOn(_) | Away::Refused => self.turn_away(waiting, "too much waits for the database"),
            };
        }
        self.wait(waiting);
        self.begin_if_due(now, ctx);
    }

    fn wait(&mut self, waiting: Waiting) {
        self.begin_at = self.begin_at.min(waiting.begin_by);
        self.waiting.push_back(waiting);
    }

    fn begin_if_due(&mut self, now: Mono, ctx: &mut Context<Ledger>) {
        if self.busy || now < self.not_before {
            return;
        }
        let is_due = !self.waiting.is_empty() && (now >= self.begin_at || self.waiting.len() >= BATCH_MAX);
        if is_due || self.failing_since.is_some() || self.spooler.waiting() > 0 {
            self.busy = true;
            // Behind what the mailbox holds already: that rides along.
            ctx.notify(Commit);
        }
    }

    /// The next batch, in order; who gave up meanwhile is told so.
    fn next_batch(&mut self, now: Mono) -> Batch {
        if self.failing_since.is_some() {
            return Batch { is_probe: true, ..Batch::default() };
        }
        let mut batch = Vec::with_capacity(self.waiting.len().min(BATCH_MAX));
        while batch.len() < BATCH_MAX
            && let Some(waiting) = self.waiting.pop_front()
        {
            if !is_fact(&waiting.ask.what) && waiting.ask.give_up_at <= now {
                self.turn_away(waiting, "the ledger came too late");
            } else {
                batch.push(waiting);
            }
        }
        self.begin_at = self.waiting.iter().map(|waiting| waiting.begin_by).min().unwrap_or(Mono::NEVER);
        let room = BATCH_MAX - batch.len();
        let spooled = if room > 0 { self.spooler.oldest(room) } else { None };
        Batch { waiting: batch, spooled, is_probe: false }
    }

    fn finish(&mut self, batch: Batch, result: Result<Vec<Outcome>, String>, ctx: &mut Context<Ledger>) {
        self.busy = false;
        let now = self.clock.mono();
        match result {
            Ok(outcomes) => {
                self.commits += u64::from(!batch.is_probe);
                metrics::counter!("tollgate_ledger_commits_total").increment(u64::from(!batch.is_probe));
                metrics::counter!("tollgate_ledger_asks_total").increment(outcomes.len() as u64);
                self.is_back(now);
                let mut outcomes = outcomes.into_iter();
                for (waiting, outcome) in batch.waiting.into_iter().zip(outcomes.by_ref()) {
                    self.answer(waiting, outcome);
                }
                if let Some((part, asks)) = batch.spooled {
                    for (ask, outcome) in asks.into_iter().zip(outcomes) {
                        self.answer(Waiting { ask, reply: None, begin_by: now }, outcome);
                    }
                    self.spooler.forget(&part, self.clock.wall());
                }
            }
            Err(error) => {
                metrics::counter!("tollgate_ledger_failures_total").increment(1);
                self.is_away(now, &error);
                let waiting = std::mem::take(&mut self.waiting);
                self.begin_at = Mono::NEVER;
                for waiting in batch.waiting.into_iter().chain(waiting) {
                    self.do_without(waiting);
                }
                self.spooler.sync();
            }
        }
        self.begin_if_due(now, ctx);
    }

    fn answer(&mut self, waiting: Waiting, outcome: Outcome) {
        let Waiting { ask, reply, .. } = waiting;
        let key = ask.key;
        if let Outcome::Impossible(fault) = &outcome {
            if let (Fault::UnknownHold, None, What::Settle(settle)) = (fault, &reply, &ask.what) {
                // Nobody is left to say it, but a call that was never held leaves its record all the same.
                let ask = Ask { what: What::Record(settle.cdr.clone()), ..ask };
                return self.wait(Waiting { ask, reply: None, begin_by: self.clock.mono() });
            }
            tracing::error!(call = %key.call, leg = key.paid_leg, sequence = key.sequence, %fault, "an ask contradicts the books");
        }
        let held = matches!(outcome, Outcome::Held(_)) && reply.is_some();
        let heard =
            reply.is_none_or(|reply| !matches!(reply.try_send(Answer { key, outcome }), Err(SendError::Closed(_))));
        if held && !heard {
            // Nobody is left to use the grant: it is released, and its record says that the call did not happen.
            let what = What::Recover(Recover { proven_until: self.clock.wall() });
            let key = AskKey { sequence: key.sequence + 1, ..key };
            let ask = Ask { key, give_up_at: Mono::NEVER, what };
            self.wait(Waiting { ask, reply: None, begin_by: Mono::START });
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
        self.take(order, ctx);
    }
}

impl Handler<Tick> for Ledger {
    type Result = ();
    fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) {
        self.spooler.sync();
        if tick.0 >= self.tell_folds_at && self.folds.has_grown() {
            self.tell_folds(tick.0, ctx);
        }
        self.begin_if_due(tick.0, ctx);
    }
}

impl Handler<Commit> for Ledger {
    type Result = ();
    fn handle(&mut self, _: Commit, ctx: &mut Context<Self>) {
        let (now, wall) = (self.clock.mono(), self.clock.wall());
        let batch = self.next_batch(now);
        let spooled = batch.spooled.iter().flat_map(|(_, asks)| asks);
        let asks: Vec<Ask> = batch.waiting.iter().map(|waiting| &waiting.ask).chain(spooled).cloned().collect();
        if asks.is_empty() && !batch.is_probe && batch.spooled.is_none() {
            self.busy = false;
            return;
        }
        let rules = self.rules.load_full();
        match &mut self.book {
            Engine::Here(book) => {
                let result =
                    if batch.is_probe { book.probe().map(|()| Vec::new()) } else { book.commit(&rules, &asks, wall) };
                self.finish(batch, result.map_err(|error| error.to_string()), ctx);
            }
            Engine::There { book, runtime } => {
                let Some(mut book) = book.take() else { return };
                let own = ctx.address();
                runtime.spawn(async move {
                    let result = if batch.is_probe {
                        book.probe().await.map(|()| Vec::new())
                    } else {
                        book.commit(&rules, &asks, wall).await
                    };
                    own.do_send(Committed { book, batch, result: result.map_err(|error| error.to_string()) });
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

/// Answers once nothing waits any more, or all that waits is safe in the spool: the platform closes only then.
#[derive(Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct IsDrained;

impl Handler<IsDrained> for Ledger {
    type Result = bool;
    fn handle(&mut self, _: IsDrained, ctx: &mut Context<Self>) -> bool {
        let now = self.clock.mono();
        self.tell_folds(now, ctx);
        self.begin_at = Mono::START;
        self.begin_if_due(now, ctx);
        let is_away = self.failing_since.is_some();
        self.waiting.is_empty() && (is_away || (!self.busy && self.spooler.waiting() == 0))
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
            "spooled": self.spooler.waiting(),
            "lost": self.spooler.lost(),
        }) as Value)
    }
}
