//! What the Watcher is told, and the way to it.

use std::sync::Arc;

use actix::prelude::*;
use tollgate_billing::Cdr;
use tollgate_call::Aftermath;
use tollgate_guard::caller::Subject;
use tollgate_guard::fraud::{Attempt, Step};
use tollgate_store::fraud::ProfileRow;
use tollgate_types::{AccountId, CallId, Wall};

use super::Watcher;
use crate::premises::Premises;
use crate::suspicions::Suspicions;

/// An attempt was judged, and somebody should hear of it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Suspected {
    /// Who pays.
    pub account: AccountId,
    /// What it changed.
    pub step: Step,
}

/// A call that wanted to leave by a carrier.
pub struct Attempted {
    /// The call.
    pub call: CallId,
    /// Who pays.
    pub account: AccountId,
    /// What it wanted.
    pub attempt: Attempt,
    /// When.
    pub at: Wall,
}

/// A call has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ended {
    /// What that says.
    pub aftermath: Aftermath,
    /// When.
    pub at: Wall,
}

/// The same of a call before the start: what it says is counted, and nobody is refused for it again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Recall {
    /// Its beginning, where it was somebody's by a carrier.
    pub attempted: Option<Attempted>,
    /// Its end.
    pub ended: Ended,
}

/// An admin has looked. Answers what is to be stored of the account.
#[derive(Message)]
#[rtype(result = "Option<ProfileRow>")]
pub struct Release {
    /// Whose block is taken away.
    pub account: Option<AccountId>,
    /// Whose bans are.
    pub subjects: Vec<Subject>,
}

/// The house is built: whom to tell, and by which settings to judge.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MoveIn(pub Arc<Premises>);

/// The way to the Watcher.
#[derive(Clone)]
pub struct WatcherDoor {
    /// Where it is.
    pub addr: Addr<Watcher>,
    /// What it has found.
    pub board: Arc<Suspicions>,
}

impl WatcherDoor {
    /// An attempt was judged. A full mailbox costs an alert; the block holds.
    pub fn suspected(&self, account: AccountId, step: Step) {
        if (step.tells || step.blocks) && self.addr.try_send(Suspected { account, step }).is_err() {
            dropped();
        }
    }

    /// A call has left its record.
    pub fn ended(&self, cdr: &Cdr, house: &Premises) {
        if let Some(ended) = read(cdr, house)
            && self.addr.try_send(ended).is_err()
        {
            dropped();
        }
    }
}

/// What a record says, by today's settings.
pub fn read(cdr: &Cdr, house: &Premises) -> Option<Ended> {
    let (directory, short) = (house.directory.load(), house.tuned.load().callers.short);
    let trunk = |name: &str| directory.ingresses().iter().find(|trunk| *trunk.name == *name).map(|trunk| trunk.id);
    Some(Ended { aftermath: Aftermath::of(cdr, trunk, short)?, at: cdr.ended_at })
}

fn dropped() {
    metrics::counter!("tollgate_mailbox_full_total", "of" => "watcher").increment(1);
}
