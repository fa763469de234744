//! One transaction of the Ledger: what goes in, where it runs, and what becomes of it.

use std::panic::AssertUnwindSafe;

use actix::prelude::*;
use futures_util::FutureExt;
use tollgate_billing::ledger::{Ask, AskKey, Outcome};
use tollgate_store::book;
use tollgate_store::spool::Part;
use tollgate_types::Mono;

use super::door::is_fact;
use super::{BATCH_MAX, Engine, Ledger, Waiting};
use crate::alerter::Severity;
use crate::supervision::contain;

/// Begin a transaction with what waits.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Commit;

/// A transaction on the server has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Committed {
    book: Box<book::postgres::Book>,
    batch: Batch,
    result: Result<Vec<Outcome>, Failure>,
}

/// Why nothing of a transaction was written.
enum Failure {
    /// The database did not take it.
    Away(String),
    /// A panic of ours.
    Fault,
}

/// What goes into one transaction: asks that came by the door, then some from the spool.
#[derive(Default)]
struct Batch {
    waiting: Vec<Waiting>,
    spooled: Option<(Part, Vec<Ask>)>,
    /// Nothing but the question whether the database is back.
    is_probe: bool,
}

impl Batch {
    fn asks(&self) -> impl Iterator<Item = &Ask> {
        let spooled = self.spooled.iter().flat_map(|(_, asks)| asks);
        self.waiting.iter().map(|waiting| &waiting.ask).chain(spooled)
    }
}

impl Failure {
    /// Of a transaction that ended so; `None` is a panic.
    fn of<T>(ended: Option<tollgate_store::Result<T>>) -> Result<T, Failure> {
        ended.ok_or(Failure::Fault)?.map_err(|error| Failure::Away(error.to_string()))
    }
}

impl Ledger {
    /// The next batch, in order; who gave up meanwhile is told so.
    fn next_batch(&mut self, now: Mono) -> Batch {
        if self.failing_since.is_some() {
            return Batch { is_probe: true, ..Batch::default() };
        }
        let most = if self.careful > 0 { 1 } else { BATCH_MAX };
        self.careful = self.careful.saturating_sub(1);
        let mut batch = Vec::with_capacity(self.waiting.len().min(most));
        while batch.len() < most
            && let Some(waiting) = self.waiting.pop_front()
        {
            if !is_fact(&waiting.ask.what) && waiting.ask.give_up_at <= now {
                self.turn_away(waiting, "the ledger came too late");
            } else {
                batch.push(waiting);
            }
        }
        self.begin_at = self.waiting.iter().map(|waiting| waiting.begin_by).min().unwrap_or(Mono::NEVER);
        let room = most - batch.len();
        let spooled = if room > 0 { self.spooler.oldest(room) } else { None };
        Batch { waiting: batch, spooled, is_probe: false }
    }

    fn begin(&mut self, ctx: &mut Context<Ledger>) {
        let (now, wall) = (self.clock.mono(), self.clock.wall());
        let batch = self.next_batch(now);
        let asks: Vec<Ask> = batch.asks().cloned().collect();
        if asks.is_empty() && !batch.is_probe && batch.spooled.is_none() {
            self.busy = false;
            return;
        }
        #[cfg(feature = "sabotage")]
        if self.cut {
            return self.finish(batch, Err(Failure::Away("sabotage".into())), ctx);
        }
        let rules = self.rules.load_full();
        match &mut self.book {
            Engine::Here(book) => {
                let ended = match batch.is_probe {
                    true => contain("ledger.probe", || book.probe().map(|()| Vec::new())),
                    false => contain("ledger.commit", || book.commit(&rules, &asks, wall)),
                };
                self.finish(batch, Failure::of(ended), ctx);
            }
            Engine::There { book, aside } => {
                let Some(mut book) = book.take() else { return };
                let own = ctx.address();
                aside.spawn(async move {
                    let work = async {
                        match batch.is_probe {
                            true => book.probe().await.map(|()| Vec::new()),
                            false => book.commit(&rules, &asks, wall).await,
                        }
                    };
                    let ended = AssertUnwindSafe(work).catch_unwind().await.ok();
                    own.do_send(Committed { book, batch, result: Failure::of(ended) });
                });
            }
        }
    }

    fn finish(&mut self, batch: Batch, result: Result<Vec<Outcome>, Failure>, ctx: &mut Context<Ledger>) {
        self.busy = false;
        let now = self.clock.mono();
        match result {
            Ok(outcomes) => self.is_written(batch, outcomes, now),
            Err(failure) => {
                metrics::counter!("tollgate_ledger_failures_total").increment(1);
                match failure {
                    Failure::Away(error) => self.is_not_written(batch, &error, now),
                    // Nothing can be set apart in a probe: it is tried again.
                    Failure::Fault if batch.asks().next().is_none() => {
                        self.is_not_written(batch, "a fault of ours", now)
                    }
                    Failure::Fault => self.set_apart(batch),
                }
            }
        }
        self.begin_if_due(now, ctx);
    }

    fn is_written(&mut self, batch: Batch, outcomes: Vec<Outcome>, now: Mono) {
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

    /// The database is away: what came by the door is refused, goes on, or goes into the spool.
    fn is_not_written(&mut self, batch: Batch, error: &str, now: Mono) {
        self.is_away(now, error);
        let waiting = std::mem::take(&mut self.waiting);
        self.begin_at = Mono::NEVER;
        for waiting in batch.waiting.into_iter().chain(waiting) {
            self.do_without(waiting);
        }
        self.spooler.sync();
    }

    /// A transaction met a fault of ours and was rolled back. Its asks go again one by one, and the one that meets it alone
    /// is turned away: one key is lost, not the Ledger.
    fn set_apart(&mut self, mut batch: Batch) {
        let count = batch.asks().count();
        let first = batch.asks().next().map(|ask| ask.key);
        if count > 1 {
            self.careful = count;
        } else if let Some(AskKey { call, sequence, .. }) = first {
            tracing::error!(%call, sequence, "an ask met a fault of ours and is turned away");
            let text = format!("an ask of call {call} met a fault of ours; what it holds is settled at the next start");
            self.raise("ledger_fault", Severity::Critical, text);
            if let Some(waiting) = batch.waiting.pop() {
                self.turn_away(waiting, "a fault of ours");
            }
            if let Some((part, _)) = &batch.spooled {
                self.spooler.forget(part, self.clock.wall());
            }
        }
        // What was spooled is still in the file.
        for waiting in batch.waiting.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        self.begin_at = if self.waiting.is_empty() { Mono::NEVER } else { Mono::START };
    }
}

impl Handler<Commit> for Ledger {
    type Result = ();
    fn handle(&mut self, _: Commit, ctx: &mut Context<Self>) {
        if contain("ledger.begin", || self.begin(ctx)).is_none() {
            self.busy = false;
        }
    }
}

impl Handler<Committed> for Ledger {
    type Result = ();
    fn handle(&mut self, committed: Committed, ctx: &mut Context<Self>) {
        let Committed { book: its_book, batch, result } = committed;
        if let Engine::There { book, .. } = &mut self.book {
            *book = Some(its_book);
        }
        contain("ledger.finish", || self.finish(batch, result, ctx));
    }
}
