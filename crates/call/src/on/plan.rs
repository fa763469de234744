//! The verdict over an attempt comes, and after it the ledger's: only then is anybody dialled.

use std::time::Duration;

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_billing::ledger::{Ask, AskKey, Held, Hold, Outcome, What};
use tollgate_types::{Mono, Refusal, Rule};

use crate::action::Action;
use crate::admission::{Admission, PlanAsk};
use crate::call::{Call, Ending, Turn};
use crate::event::Query;
use crate::hunt::Stage;
use crate::leg;
use crate::paid::State;
use crate::refusal::Reply;
use crate::timers::Timer;

/// How long the router, the relay or a finder may take: they look into memory.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How long a hold may take. A caller who hears nothing for longer has hung up.
const HOLD_WAIT: Duration = Duration::from_secs(4);

impl Call {
    /// Asks for the verdict; the hunt waits in [`Stage::Planning`].
    pub(crate) fn ask_plan(&mut self, turn: &mut Turn<'_>, query: Query, ask: PlanAsk) {
        self.timers.arm(Timer::AnswerLate, turn.now + ANSWER_WAIT);
        turn.out.push(Action::Plan { query, ask: Box::new(ask) });
    }

    pub(crate) fn on_planned(&mut self, turn: &mut Turn<'_>, query: Query, admission: Admission) {
        let place = match self.hunt.as_ref().map(|hunt| &hunt.stage) {
            Some(Stage::Planning(asked, place)) if *asked == query => *place,
            _ => return,
        };
        self.timers.disarm(Timer::AnswerLate);
        let wall = turn.wall;
        let dialogs = crate::recover::write(self.legs.iter().filter(|leg| leg.state == leg::State::Confirmed));
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        paid.cdr.trace = admission.trace;
        paid.cdr.callee = admission.callee.into();
        paid.cdr.caller = admission.caller.into();
        if let Some((user, name, account)) = admission.payer {
            paid.cdr.user = Some(name.into());
            paid.cdr.user_id = Some(user);
            paid.cdr.account = Some(account);
        }
        let plan = match admission.verdict {
            Ok(plan) => plan,
            Err(refusal) => return self.refuse_attempt(turn, place, refusal),
        };
        paid.cdr.kind = plan.kind;
        paid.price_per_minute = plan.price_per_minute;
        if let Some(level) = plan.levels.first() {
            paid.cdr.account = Some(level.account);
            paid.cdr.currency = level.currency;
        }
        if plan.levels.is_empty() && plan.lines.is_empty() {
            paid.state = State::Unheld;
            paid.plan = Some(plan);
            return self.go(turn, place);
        }
        let hold = Hold {
            node: self.policy.node,
            emergency: plan.emergency,
            levels: plan.levels.clone(),
            lines: plan.lines.clone(),
            source: paid.cdr.source_ip.filter(|_| plan.counts_source),
            draft: paid.cdr.clone(),
            dialogs: dialogs.into_bytes(),
        };
        paid.plan = Some(plan);
        paid.state = State::Holding;
        paid.cdr.ended_at = wall;
        let give_up_at = turn.now + HOLD_WAIT;
        let ask = Ask { key: paid.next_key(), give_up_at, what: What::Hold(Box::new(hold)) };
        turn.out.push(Action::Ask(Box::new(ask)));
        self.timers.arm(Timer::HoldLate(place), give_up_at);
        if let Some(hunt) = &mut self.hunt {
            hunt.stage = Stage::Holding(place);
        }
    }

    pub(crate) fn on_ledger(&mut self, turn: &mut Turn<'_>, key: AskKey, outcome: Outcome) {
        let Some(place) = self.paid.iter().position(|paid| paid.owns(key)) else { return };
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        match unwrapped(outcome) {
            Outcome::Held(held) => self.on_held(turn, place, held),
            Outcome::Answered { paid_ms } => self.on_paid(turn, place, paid_ms),
            Outcome::Extended { paid_ms, .. } => self.on_extended(turn, place, key, paid_ms),
            Outcome::Refused(refusal) => self.on_money_refused(turn, place, key, refusal),
            Outcome::Impossible(_) if self.leave_record(turn, place) => {}
            Outcome::Impossible(_) | Outcome::Closed => {
                let refusal = Refusal::new(Rule::LedgerUnavailable, None, "the books contradict the call", "");
                self.on_money_refused(turn, place, key, refusal);
            }
            Outcome::Settled(_) | Outcome::Deferred => {
                if let Some(paid) = self.paid.get_mut(usize::from(place)) {
                    paid.unsure = None;
                }
            }
            Outcome::Credited { .. } | Outcome::Done | Outcome::Repeated(_) => {}
        }
    }

    /// A hold is durable. One that comes too late goes back with the settlement.
    fn on_held(&mut self, turn: &mut Turn<'_>, place: u8, held: Held) {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        if paid.state != State::Holding {
            return;
        }
        paid.state = State::Held;
        paid.paid_ms = held.paid_ms;
        paid.price_per_minute = held.price_per_minute;
        self.timers.disarm(Timer::HoldLate(place));
        let awaited =
            matches!(self.hunt.as_ref().map(|hunt| &hunt.stage), Some(Stage::Holding(asked)) if *asked == place);
        if awaited {
            self.go(turn, place);
        }
    }

    /// The settlement found no hold, for the ledger had refused or dropped it: the record alone is written.
    fn leave_record(&mut self, turn: &mut Turn<'_>, place: u8) -> bool {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return false };
        let Some(cdr) = paid.unsure.take() else { return false };
        let ask = Ask { key: paid.next_key(), give_up_at: Mono::NEVER, what: What::Record(cdr) };
        turn.out.push(Action::Ask(Box::new(ask)));
        true
    }

    fn on_money_refused(&mut self, turn: &mut Turn<'_>, place: u8, key: AskKey, refusal: Refusal) {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        if paid.state != State::Holding {
            return self.on_extension_refused(turn, place, key, refusal);
        }
        self.timers.disarm(Timer::HoldLate(place));
        let goes_on = paid.plan.as_ref().is_some_and(|plan| plan.emergency || plan.is_free());
        if refusal.rule == Rule::LedgerUnavailable && goes_on {
            // MONEY.md, the books: free and emergency calls go on without the ledger; their records follow later.
            paid.state = State::Unheld;
            return self.go(turn, place);
        }
        paid.state = State::Asked;
        self.refuse_attempt(turn, place, refusal);
    }

    /// The ledger has not said a word about a hold: as good as unreachable. What it may still grant is settled at the end.
    pub(crate) fn on_hold_late(&mut self, turn: &mut Turn<'_>, place: u8) {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        if paid.state != State::Holding {
            return;
        }
        let goes_on = paid.plan.as_ref().is_some_and(|plan| plan.emergency || plan.is_free());
        // Whatever becomes of the hold, its settlement releases it.
        paid.state = State::Doubtful;
        if goes_on {
            return self.go(turn, place);
        }
        self.refuse_attempt(turn, place, Refusal::new(Rule::LedgerUnavailable, None, "no answer in time", ""));
    }

    /// Nobody answered the call's question.
    pub(crate) fn on_answer_late(&mut self, turn: &mut Turn<'_>) {
        let refusal = Refusal::new(Rule::Overload, None, "no answer within the platform", "");
        match self.hunt.as_ref().map(|hunt| &hunt.stage) {
            Some(Stage::Planning(_, place)) => {
                let place = *place;
                self.refuse_attempt(turn, place, refusal);
            }
            Some(Stage::Locating(_)) => self.on_nowhere(turn, 503),
            Some(Stage::Opening(_)) => self.hunt_over(turn, Reply::plain(503), Some(refusal)),
            _ => self.on_find_late(turn),
        }
    }

    /// A rule says no to this attempt: to the call, or only to a redirect or transfer within it.
    fn refuse_attempt(&mut self, turn: &mut Turn<'_>, place: u8, refusal: Refusal) {
        let reply = Reply::to(&refusal, &self.policy);
        if let Some(paid) = self.paid.get_mut(usize::from(place)) {
            paid.cdr.refuse(refusal.clone());
            paid.cdr.sip_status = Some(reply.status);
            paid.cdr.q850 = reply.q850;
        }
        if place == 0 {
            let cause = Cause::Rule(refusal.rule);
            return self.finish(turn, Ending { cause, side: HangupSide::Platform, refusal: Some(refusal), reply });
        }
        self.settle(turn, place);
        // A redirect that its owner may not make is no business of the caller's.
        self.hunt_over(turn, Reply::plain(480), Some(refusal));
    }

    /// The attempt may be made: its candidates are tried.
    fn go(&mut self, turn: &mut Turn<'_>, place: u8) {
        let Some(candidates) = self
            .paid
            .get_mut(usize::from(place))
            .and_then(|paid| paid.plan.as_mut())
            .map(|plan| std::mem::take(&mut plan.candidates))
        else {
            return;
        };
        if let Some(hunt) = &mut self.hunt {
            hunt.candidates = candidates.into();
            hunt.tried = 0;
        }
        self.try_next(turn);
    }
}

/// A replay says what the first one did.
fn unwrapped(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Repeated(first) => unwrapped(*first),
        other => other,
    }
}
