//! May this leg be dialled, by whom is it carried, what does it cost and what must be held for it.
//!
//! One a shard, kept by the platform. Holds nothing of its own: directory, decks and trunk records are read from today's
//! snapshots at each question, and the one ordered list of rules ([`tollgate_call::admission`]) judges. Prepaid, postpaid and
//! dynamic credit are enforced by the ask it prices, in the Ledger. A panic costs one question.

use std::cell::RefCell;
use std::sync::Arc;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_call::admission::{self, Facts};
use tollgate_call::{Admission, Event, PlanAsk, Query};
use tollgate_guard::fraud::Attempt;
use tollgate_types::{AccountId, CallId, Mono, Refusal, Rule, UserId, Wall};

use crate::call::{Call, Tell};
use crate::observe::Observe;
use crate::premises::Premises;
use crate::supervision::contain;
use crate::watcher::Attempted;

const MAILBOX: usize = 8192;

/// See the module.
pub struct Rater {
    house: Arc<Premises>,
    asked: u64,
    refused: u64,
}

/// A leg wants to be dialled. The verdict goes to the call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PlanCall {
    /// The call.
    pub call: CallId,
    /// Its question.
    pub query: Query,
    /// What it wants.
    pub ask: Box<PlanAsk>,
    /// Where the answer goes.
    pub reply: Addr<Call>,
}

impl Rater {
    /// Starts it on another thread.
    pub fn open_in(arbiter: &ArbiterHandle, house: Arc<Premises>) -> Addr<Rater> {
        Rater::start_in_arbiter(arbiter, move |ctx| Rater::born(house, ctx))
    }

    /// Starts it on the current thread.
    pub fn open(house: Arc<Premises>) -> Addr<Rater> {
        Rater::create(move |ctx| Rater::born(house, ctx))
    }

    fn born(house: Arc<Premises>, ctx: &mut Context<Rater>) -> Rater {
        ctx.set_mailbox_capacity(MAILBOX);
        Rater { house, asked: 0, refused: 0 }
    }
}

/// The verdict over today's snapshots; without side effects, so `explain` asks it as well. `devices` tells how many devices a
/// user has, where that is known. Also says what the Watcher should hear of, once the call is really made.
pub fn judge(
    house: &Premises,
    ask: &PlanAsk,
    devices: &dyn Fn(UserId) -> Option<usize>,
    at: (Mono, Wall),
    draw: u64,
) -> (Admission, Option<(AccountId, Attempt)>) {
    let (directory, values) = (house.directory.load(), house.settings.load());
    let (prices, tuned) = (house.prices.load(), house.tuned.load());
    let scored = RefCell::new(None);
    let suspicions = &house.watcher.board;
    let facts = Facts {
        directory: &directory,
        values: &values,
        emergencies: &tuned.emergencies,
        deck: &|id| prices.deck(id).cloned(),
        rates: &prices.rates,
        currency: prices.currency,
        peak: prices.is_peak(at.1),
        health: &|trunk| house.trunks.health(trunk),
        devices,
        caller_ban: &|subject| suspicions.ban(subject, at.1),
        fraud: &|account, attempt| {
            *scored.borrow_mut() = Some((account, attempt.clone()));
            suspicions.standing(account, attempt, &tuned.fraud, at.1)
        },
        draw,
        now: at.0,
        wall: at.1,
    };
    let admission = admission::judge(ask, &facts);
    (admission, scored.into_inner())
}

/// The verdict when there is no room to judge.
fn overloaded(ask: &PlanAsk) -> Admission {
    let refusal = Refusal::new(Rule::Overload, None, "too many questions", MAILBOX);
    Admission {
        verdict: Err(refusal),
        trace: Vec::new(),
        callee: ask.dialled.clone(),
        caller: ask.claim.user.clone(),
        payer: None,
    }
}

impl Actor for Rater {
    type Context = Context<Self>;
}

impl Handler<PlanCall> for Rater {
    type Result = ();
    fn handle(&mut self, plan: PlanCall, _: &mut Context<Self>) {
        let PlanCall { call, query, ask, reply } = plan;
        self.asked += 1;
        let at = (self.house.clock.mono(), self.house.clock.wall());
        let draw = self.house.seed.child(self.asked ^ 0x7261_7465).0[0];
        let house = &self.house;
        let judged = contain("rater", || judge(house, &ask, &|user| Some(house.presence.devices(user)), at, draw));
        let (admission, scored) = judged.unwrap_or_else(|| (overloaded(&ask), None));
        if let Some((account, attempt)) = scored {
            house.watcher.attempted(Attempted { call, account, attempt, at: at.1 });
        }
        if let Err(refusal) = &admission.verdict {
            self.refused += 1;
            metrics::counter!("tollgate_refusals_total", "rule" => refusal.rule.id()).increment(1);
        }
        let _ = reply.try_send(Tell(Event::Planned { query, admission: Box::new(admission) }));
    }
}

impl Handler<Observe> for Rater {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "asked": self.asked, "refused": self.refused }) as Value)
    }
}
