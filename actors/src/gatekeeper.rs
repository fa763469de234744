//! Who is shut out: the ban table that the edges obey.
//!
//! Kept by the platform. Holds the bans in force; each change makes a new table that every edge sees at once.
//! Wakes on [`Ban`], [`Release`] and [`Tick`], which lets bans run out.

use std::sync::Arc;

use actix::prelude::*;
use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tollgate_guard::ban::{Ban, BanTable};

use crate::clock::Clock;
use crate::observe::Observe;
use crate::supervision::contain;

const MAILBOX: usize = 4096;

/// See the module.
pub struct Gatekeeper {
    table: Arc<ArcSwap<BanTable>>,
    clock: Clock,
}

/// Shut somebody out.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ShutOut(pub Ban);

impl Gatekeeper {
    /// Starts it on the current thread.
    pub fn open(table: Arc<ArcSwap<BanTable>>, clock: Clock) -> Addr<Gatekeeper> {
        Gatekeeper::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            Gatekeeper { table, clock }
        })
    }
}

impl Actor for Gatekeeper {
    type Context = Context<Self>;
}

impl Handler<ShutOut> for Gatekeeper {
    type Result = ();
    fn handle(&mut self, shut_out: ShutOut, _: &mut Context<Self>) {
        contain("gatekeeper", || {
            let now = self.clock.wall();
            let mut table = BanTable::clone(&self.table.load());
            if let Err(full) = table.ban(shut_out.0, now) {
                tracing::warn!(%full, "a ban was not taken");
                return;
            }
            self.table.store(Arc::new(table));
        });
    }
}

impl Handler<Observe> for Gatekeeper {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "bans": self.table.load().len() }) as Value)
    }
}
