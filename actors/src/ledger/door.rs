//! The way to the Ledger, bounded all along: what it cannot take now is refused on the spot, or goes into the spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use actix::prelude::*;
use tollgate_billing::ledger::{Away, What};

use super::spooler::Spooler;
use super::{Ledger, Order};
use crate::call::unavailable;

/// Facts on their way: sent, and not yet taken out of the mailbox.
const ON_THE_WAY_MAX: usize = 16_384;

/// See the module.
#[derive(Clone)]
pub struct LedgerDoor {
    /// Where it is.
    pub addr: Addr<Ledger>,
    way: Way,
    spooler: Spooler,
    failing: Arc<AtomicBool>,
}

/// How many facts are on their way.
#[derive(Clone, Default)]
pub(super) struct Way(Arc<AtomicUsize>);

impl Way {
    /// One more, if there is room.
    fn set_out(&self) -> bool {
        let one_more = |count| (count < ON_THE_WAY_MAX).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// One has come in.
    pub(super) fn arrive(&self) {
        let one_less = |count: usize| Some(count.saturating_sub(1));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    }
}

impl LedgerDoor {
    pub(super) fn new(addr: Addr<Ledger>, way: Way, spooler: Spooler, failing: Arc<AtomicBool>) -> LedgerDoor {
        LedgerDoor { addr, way, spooler, failing }
    }

    /// Is the database away?
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Facts in the spool that are not in the database yet.
    pub fn spooled(&self) -> u64 {
        self.spooler.waiting()
    }

    /// Brings an ask. A full mailbox refuses holds, extensions and payments; facts go into the spool then.
    pub fn order(&self, order: Order) {
        if !is_fact(&order.ask.what) {
            if let Err(SendError::Full(order) | SendError::Closed(order)) = self.addr.try_send(order) {
                metrics::counter!("tollgate_ledger_refused_total").increment(1);
                if let Some(reply) = order.reply {
                    let _ = reply.try_send(unavailable(order.ask.key, "the ledger is at its limit"));
                }
            }
            return;
        }
        if self.addr.connected() && self.way.set_out() {
            return self.addr.do_send(order);
        }
        let Away::Later(fact) = Away::of(&order.ask) else { return };
        if self.spooler.take(&fact, order.reply.clone()) {
            return;
        }
        if fact.moves_money() {
            // A live call settles each of its legs once, and with a full spool no new call begins: this is bounded.
            self.addr.do_send(order);
        } else {
            self.spooler.lose("the ledger is at its limit and the spool is full");
        }
    }
}

/// What has happened already, and can only be written down.
pub(super) fn is_fact(what: &What) -> bool {
    !matches!(what, What::Hold(_) | What::Extend(_) | What::Credit(_) | What::AcceptDay { .. })
}
