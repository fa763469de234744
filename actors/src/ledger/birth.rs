//! How a Ledger comes to be.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix::prelude::*;
use arc_swap::ArcSwap;
use tollgate_billing::cdr::fold::Folds;
use tollgate_billing::policy::Rules;
use tollgate_store::book::Book;
use tollgate_store::spool::Spool;
use tollgate_types::{Mono, Seed};

use super::door::{LedgerDoor, Way};
use super::spooler::Spooler;
use super::{Engine, Ledger, MAILBOX};
use crate::alerter::Alerter;
use crate::aside::Aside;
use crate::caretaker::Post;
use crate::clock::Clock;

/// What the Ledger is made of.
pub struct LedgerPlans {
    /// Where money is written.
    pub book: Book,
    /// Where a book on a server is written.
    pub aside: Aside,
    /// What is decided by.
    pub rules: Arc<ArcSwap<Rules>>,
    /// The time.
    pub clock: Clock,
    /// For maps.
    pub seed: Seed,
    /// Where facts wait while the database is away.
    pub spool: Spool,
    /// Who is told when the database is away.
    pub alerter: Post<Alerter>,
    /// True while it is.
    pub failing: Arc<AtomicBool>,
}

impl Ledger {
    /// Starts it on a thread of its own, or on the current one. Books on a server are written aside.
    pub fn open(plans: LedgerPlans, arbiter: Option<&ArbiterHandle>) -> LedgerDoor {
        let LedgerPlans { book, aside, rules, clock, seed, spool, alerter, failing } = plans;
        let (way, spooler, is_failing) = (Way::default(), Spooler::new(spool, alerter.clone()), failing.clone());
        let (its_way, its_spooler) = (way.clone(), spooler.clone());
        let born = move |ctx: &mut Context<Ledger>| {
            ctx.set_mailbox_capacity(MAILBOX);
            let book = match book {
                Book::Postgres(book) => Engine::There { book: Some(book), aside },
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
                spooler: its_spooler,
                folds: Folds::new(seed),
                tell_folds_at: Mono::START,
                way: its_way,
                alerter,
                failing_since: None,
                failing: is_failing,
                commits: 0,
                asks: 0,
                #[cfg(feature = "sabotage")]
                stalled: false,
                #[cfg(feature = "sabotage")]
                cut: false,
            }
        };
        let addr = match arbiter {
            Some(arbiter) => Ledger::start_in_arbiter(arbiter, born),
            None => Ledger::create(born),
        };
        LedgerDoor::new(addr, way, spooler, failing)
    }
}
