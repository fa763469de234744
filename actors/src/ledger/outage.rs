//! The Ledger without its database: who is told no, who goes on, and where facts go meanwhile.

use std::sync::atomic::Ordering;

use tollgate_billing::ledger::{Away, Held, Outcome, What};
use tollgate_types::{Money, Mono, Rate};

use super::{Answer, Ledger, RETRY, WAITING_MAX, Waiting};
use crate::alerter::Severity;

impl Ledger {
    pub(super) fn is_back(&mut self, now: Mono) {
        let Some(since) = self.failing_since.take() else { return };
        self.failing.store(false, Ordering::Relaxed);
        let (seconds, spooled) = (now.since(since).as_secs(), self.spooler.waiting());
        self.raise(
            "ledger_up",
            Severity::Notice,
            format!("the database answers again after {seconds} s; {spooled} facts follow from the spool"),
        );
    }

    pub(super) fn is_away(&mut self, now: Mono, error: &str) {
        self.not_before = now + RETRY;
        if self.failing_since.is_none() {
            self.failing_since = Some(now);
            self.failing.store(true, Ordering::Relaxed);
            self.raise("ledger_down", Severity::Critical, format!("no paid calls until the database answers: {error}"));
        }
    }

    /// While the database is away: paid holds and extensions are refused, free calls go on, facts are kept in the spool.
    pub(super) fn do_without(&mut self, waiting: Waiting) {
        match Away::of(&waiting.ask) {
            Away::Refused => self.turn_away(waiting, "the database does not answer"),
            Away::GoesOn(fact) => {
                let emergency = matches!(&waiting.ask.what, What::Hold(hold) if hold.emergency);
                if !self.spooler.take(&fact, None) && !emergency {
                    return self.turn_away(waiting, "the database does not answer and the spool is full");
                }
                let held = Held { paid_ms: None, held: Money::ZERO, price_per_minute: Rate::ZERO };
                let answer = Answer { key: waiting.ask.key, outcome: Outcome::Held(held) };
                let _ = waiting.reply.map(|reply| reply.try_send(answer));
            }
            Away::Later(fact) => {
                if self.spooler.take(&fact, waiting.reply.clone()) {
                    return;
                }
                // Money first waits here; beyond that its hold stays in the books until the next start settles it.
                if fact.moves_money() && self.waiting.len() < WAITING_MAX {
                    self.wait(waiting);
                } else {
                    self.spooler.lose("the database is away and the spool is full");
                }
            }
        }
    }
}
