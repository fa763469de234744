//! What a call costs, and what must be held for it: the second half of an admission.
//!
//! One a shard, kept by its [`Router`](crate::router::Router). Holds nothing of its own: decks, calendar and currencies are
//! read from today's snapshot. Prepaid, postpaid and dynamic credit are enforced by the ask it prices, in the Ledger.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_call::Admission;
use tollgate_types::{Refusal, Rule};

use crate::observe::Observe;
use crate::premises::Premises;
use crate::router::PlanCall;

const MAILBOX: usize = 8192;

/// See the module.
pub struct Rater {
    house: Arc<Premises>,
    shard: u16,
    asked: u64,
}

/// Price this plan and tell the call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Price(pub PlanCall);

impl Rater {
    /// Starts it on the current thread.
    pub fn open(shard: u16, house: Arc<Premises>) -> Addr<Rater> {
        Rater::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            Rater { house, shard, asked: 0 }
        })
    }
}

/// The verdict when there is no room to judge.
pub fn overloaded() -> Admission {
    let refusal = Refusal::new(Rule::Overload, None, "questions waiting", MAILBOX);
    Admission { verdict: Err(refusal), trace: Vec::new(), callee: Box::default(), caller: Box::default() }
}

impl Actor for Rater {
    type Context = Context<Self>;
}

impl Handler<Price> for Rater {
    type Result = ();
    fn handle(&mut self, price: Price, _: &mut Context<Self>) {
        self.asked += 1;
        let _ = (&price.0, &self.house, self.shard);
    }
}

impl Handler<Observe> for Rater {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "asked": self.asked }) as Value)
    }
}
