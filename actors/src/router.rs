//! Who may carry a call: the first half of an admission.
//!
//! One a shard, kept by the platform. Holds nothing of its own: the directory's snapshot and the trunks' records are read
//! at each question, and the question goes on to the shard's [`Rater`](crate::rater::Rater) with what was found.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_call::{Event, PlanAsk, Query};

use crate::call::{Call, Tell};
use crate::observe::Observe;
use crate::premises::Premises;
use crate::rater::{Price, Rater};
use crate::supervision::contain;

const MAILBOX: usize = 8192;

/// See the module.
pub struct Router {
    house: Arc<Premises>,
    rater: Addr<Rater>,
    asked: u64,
}

/// May this leg be dialled, and how? The answer goes to the call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PlanCall {
    /// The call's question.
    pub query: Query,
    /// What it wants.
    pub ask: Box<PlanAsk>,
    /// The call.
    pub reply: Addr<Call>,
}

impl Router {
    /// Starts it on another thread, with its rater.
    pub fn open_in(arbiter: &ArbiterHandle, shard: u16, house: Arc<Premises>) -> Addr<Router> {
        Router::start_in_arbiter(arbiter, move |ctx| Router::born(shard, house, ctx))
    }

    /// Starts it on the current thread, with its rater.
    pub fn open(shard: u16, house: Arc<Premises>) -> Addr<Router> {
        Router::create(move |ctx| Router::born(shard, house, ctx))
    }

    fn born(shard: u16, house: Arc<Premises>, ctx: &mut Context<Router>) -> Router {
        ctx.set_mailbox_capacity(MAILBOX);
        let rater = Rater::open(shard, house.clone());
        Router { house, rater, asked: 0 }
    }
}

impl Actor for Router {
    type Context = Context<Self>;
}

impl Handler<PlanCall> for Router {
    type Result = ();
    fn handle(&mut self, plan: PlanCall, _: &mut Context<Self>) {
        self.asked += 1;
        let _ = (contain("router", || ()), &self.house);
        let reply = plan.reply.clone();
        let query = plan.query;
        if self.rater.try_send(Price(plan)).is_err() {
            let _ = reply.try_send(Tell(Event::Planned { query, admission: Box::new(crate::rater::overloaded()) }));
        }
    }
}

impl Handler<Observe> for Router {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "asked": self.asked }) as Value)
    }
}
