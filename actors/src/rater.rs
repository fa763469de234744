//! May this leg be dialled, by whom is it carried, what does it cost and what must be held for it.
//!
//! One a shard, kept by the [`Caretaker`]. Holds nothing of its own: directory, decks and trunk records are read from today's
//! snapshots at each question, and the one ordered list of rules ([`tollgate_call::admission`]) judges. Prepaid, postpaid and
//! dynamic credit are enforced by the ask it prices, in the Ledger. A panic costs one question.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_call::admission::rows::UNPRICED_ALERT;
use tollgate_call::admission::{self, Facts, Load};
use tollgate_call::{Admission, Event, PlanAsk, Query};
use tollgate_types::{CallId, Mono, Refusal, Rule, UserId, Wall};

use crate::alerter::{Raise, Severity};
use crate::call::{Call, Tell};
use crate::caretaker::{Bequest, Caretaker, Post};
use crate::observe::Observe;
use crate::premises::Premises;
use crate::supervision::{Estate, contain};

const MAILBOX: usize = 8192;

/// See the module.
pub struct Rater(Estate<Desk>);

/// What it works with, and its successor too.
pub struct Desk {
    house: Arc<Premises>,
    /// Its door, and the thread it is on unless that is the caretaker's.
    post: Post<Rater>,
    thread: Option<ArbiterHandle>,
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
    /// Starts it on a thread, or on the current one, which then is its caretaker's too.
    pub fn open(thread: Option<ArbiterHandle>, house: Arc<Premises>) -> Post<Rater> {
        let (post, caretaker) = (Post::empty(), house.caretaker.clone());
        Desk { house, post: post.clone(), thread, asked: 0, refused: 0 }.succeed(caretaker);
        post
    }
}

impl Bequest for Desk {
    const KIND: &'static str = "rater";

    fn succeed(self, caretaker: Addr<Caretaker>) {
        let (post, thread) = (self.post.clone(), self.thread.clone());
        let born = move |ctx: &mut Context<Rater>| {
            ctx.set_mailbox_capacity(MAILBOX);
            Rater(Estate::new(self, move |died| caretaker.do_send(died)))
        };
        post.fill(match thread {
            Some(thread) => Rater::start_in_arbiter(&thread, born),
            None => Rater::create(born),
        });
    }
}

/// The verdict over today's snapshots. `call` is remembered by the fraud score as it is judged, so that of calls that begin together
/// each sees those before it. `devices` tells how many devices a user has, where that is known.
fn judge(
    house: &Premises,
    call: CallId,
    ask: &PlanAsk,
    devices: &dyn Fn(UserId) -> Option<usize>,
    load: Load,
    at: (Mono, Wall),
    draw: u64,
) -> Admission {
    let (directory, values) = (house.directory.load(), house.settings.load());
    let (prices, tuned) = (house.prices.load(), house.tuned.load());
    let suspicions = &house.watcher.board;
    let (destinations, lists) = (house.destinations.load(), house.lists.load());
    let facts = Facts {
        directory: &directory,
        destinations: &destinations,
        lists: &lists,
        reputation: &|number| house.reputations.of(number),
        values: &values,
        emergencies: &tuned.emergencies,
        deck: &|id| prices.deck(id).cloned(),
        rates: &prices.rates,
        currency: prices.currency,
        peak: prices.is_peak(at.1),
        offpeak: &|zone| prices.calendar.is_offpeak(zone, at.1),
        load,
        health: &|trunk| house.trunks.health(trunk),
        devices,
        caller_ban: &|subject| suspicions.ban(subject, at.1),
        fraud: &|account, attempt| {
            let (standing, step) = suspicions.attempt(account, call, attempt, &tuned.fraud, at.1);
            house.watcher.suspected(account, step);
            standing
        },
        draw,
        now: at.0,
        wall: at.1,
    };
    admission::judge(ask, &facts)
}

impl Rater {
    /// A call by a trunk has no price: somebody's deck has a hole (the guide's `notbilledcallerr`).
    fn tell_unpriced(&self, admission: &Admission) {
        let severity = match self.0.house.settings.load().word(&UNPRICED_ALERT) {
            "critical" => Severity::Critical,
            "warning" => Severity::Warning,
            _ => Severity::Notice,
        };
        // One alert for a payer and a stretch of numbers, not one for each number.
        let payer = admission.payer.as_ref().map_or("nobody", |(_, name, _)| name);
        let stretch: String = admission.callee.chars().take(5).collect();
        let became = if admission.verdict.is_ok() { "goes on for nothing" } else { "was refused" };
        let text = format!("a call of {payer} to {stretch}… has no price and {became}");
        let raise = Raise { kind: "unpriced_call", severity, subject: format!("{payer} {stretch}"), text };
        let _ = self.0.house.alerter.try_send(raise);
    }
}

/// The verdict when there is no room to judge.
pub fn overloaded(ask: &PlanAsk) -> Admission {
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
        self.0.asked += 1;
        let at = (self.0.house.clock.mono(), self.0.house.clock.wall());
        let draw = self.0.house.seed.child(self.0.asked ^ 0x7261_7465).0[0];
        let house = &self.0.house;
        let devices = |user| Some(house.presence.devices(user));
        let judged = || judge(house, call, &ask, &devices, house.pace.begins(house, &ask, at.0), at, draw);
        let admission = contain("rater", judged).unwrap_or_else(|| overloaded(&ask));
        if admission.is_unpriced() {
            self.tell_unpriced(&admission);
        }
        if let Err(refusal) = &admission.verdict {
            self.0.refused += 1;
            metrics::counter!("tollgate_refusals_total", "rule" => refusal.rule.id()).increment(1);
        }
        let _ = reply.try_send(Tell(Event::Planned { query, admission: Box::new(admission) }));
    }
}

impl Handler<Observe> for Rater {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "asked": self.0.asked, "refused": self.0.refused }) as Value)
    }
}
