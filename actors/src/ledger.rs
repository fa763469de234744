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
mod commit;
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
use tollgate_types::Mono;

use crate::alerter::{Alerter, Raise, Severity};
use crate::aside::Aside;
use crate::call::unavailable;
use crate::caretaker::Post;
use crate::clock::Clock;
use crate::observe::{NextDeadline, Observe};
use crate::sip_shard::Tick;
use crate::supervision::contain;
pub use birth::LedgerPlans;
use commit::Commit;
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
    /// So many asks go one by one: in their batch one met a fault.
    careful: usize,
    spooler: Spooler,
    folds: Folds,
    /// When counts of repeated refusals are written next.
    tell_folds_at: Mono,
    way: Way,
    alerter: Post<Alerter>,
    failing_since: Option<Mono>,
    /// The same for those who only want to know whether.
    failing: Arc<AtomicBool>,
    commits: u64,
    asks: u64,
    #[cfg(feature = "sabotage")]
    stalled: bool,
    #[cfg(feature = "sabotage")]
    cut: bool,
}

/// Where the books are.
enum Engine {
    /// In a file: committed on this very thread.
    Here(Box<book::sqlite::Book>),
    /// On a server: the transaction runs aside and comes back as a message.
    There { book: Option<Box<book::postgres::Book>>, aside: Aside },
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
        // A record that cannot be compared is written: nothing is lost by that.
        if let What::Record(cdr) = &ask.what
            && contain("ledger.fold", || self.folds.take(ask.key, cdr, now)) == Some(false)
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
        #[cfg(feature = "sabotage")]
        if self.stalled {
            return;
        }
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
        contain("ledger.order", || self.take(order, ctx));
    }
}

impl Handler<Tick> for Ledger {
    type Result = ();
    fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) {
        contain("ledger.tick", || {
            self.spooler.sync();
            if tick.0 >= self.tell_folds_at && self.folds.has_grown() {
                self.tell_folds(tick.0, ctx);
            }
            self.begin_if_due(tick.0, ctx);
        });
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

impl Handler<NextDeadline> for Ledger {
    type Result = Option<Mono>;
    fn handle(&mut self, _: NextDeadline, _: &mut Context<Self>) -> Option<Mono> {
        let now = self.clock.mono();
        let waits = (!self.waiting.is_empty()).then_some(self.begin_at);
        let looks = (self.failing_since.is_some() || self.spooler.waiting() > 0).then_some(now);
        let begins = waits.into_iter().chain(looks).min().map(|at| at.max(self.not_before));
        #[cfg(feature = "sabotage")]
        let begins = begins.filter(|_| !self.stalled);
        let syncs = self.spooler.is_unsafe().then_some(now);
        let tells = self.folds.has_grown().then_some(self.tell_folds_at);
        begins.filter(|_| !self.busy).into_iter().chain(syncs).chain(tells).min()
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

#[cfg(feature = "sabotage")]
impl Handler<crate::sabotage::Stall> for Ledger {
    type Result = ();
    fn handle(&mut self, stall: crate::sabotage::Stall, ctx: &mut Context<Self>) {
        self.stalled = stall.0;
        self.begin_if_due(self.clock.mono(), ctx);
    }
}

#[cfg(feature = "sabotage")]
impl Handler<crate::sabotage::Cut> for Ledger {
    type Result = ();
    fn handle(&mut self, cut: crate::sabotage::Cut, _: &mut Context<Self>) {
        self.cut = cut.0;
    }
}
