//! Money while people talk: the answer, more time, no more time, the end of what is paid.

use std::time::Duration;

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_billing::ledger::{Answered, Ask, AskKey, Extend, What};
use tollgate_types::{Refusal, Rule};

use crate::action::{Action, Note};
use crate::admission::Candidate;
use crate::call::{Call, Ending, Turn};
use crate::paid::State;
use crate::party::Target;
use crate::refusal::Reply;
use crate::timers::Timer;

/// How long before the end of paid time more is asked for, at most: a slow ledger must not shorten what can be paid.
const AHEAD_MAX: Duration = Duration::from_secs(5);
/// How soon an unreachable ledger is asked again.
const AGAIN: Duration = Duration::from_millis(500);

impl Call {
    /// Somebody answered what this paid leg pays for: its clock runs.
    pub(crate) fn on_answered(&mut self, turn: &mut Turn<'_>, place: u8, candidate: &Candidate) {
        let dialogs = crate::recover::write(self.legs.iter().filter(|leg| leg.is_live())).into_bytes();
        let Some(paid) = self.paid.get_mut(usize::from(place)).filter(|paid| paid.is_open()) else { return };
        paid.answered = Some((turn.now, turn.wall));
        paid.plan = None;
        paid.buy.clone_from(&candidate.buy);
        let trunk_out = match &candidate.target {
            Target::Trunk { trunk, name, .. } => Some((*trunk, name.to_string())),
            Target::User { .. } => None,
        };
        if let Some((trunk, name)) = &trunk_out {
            paid.cdr.trunk_out = Some(name.clone());
            paid.cdr.trunk_out_id = Some(*trunk);
        }
        if paid.state == State::Held {
            let answered = Answered { at: turn.wall, buy: paid.buy.clone(), trunk_out, dialogs };
            // The mark is wanted whenever it can be had: the settlement says the same.
            let give_up_at = turn.now + Duration::from_secs(60);
            let ask = Ask { key: paid.next_key(), give_up_at, what: What::Answered(Box::new(answered)) };
            turn.out.push(Action::Ask(Box::new(ask)));
        }
        self.arm_money(turn, place);
    }

    /// So long is paid for, as the ledger says after the answer.
    pub(crate) fn on_paid(&mut self, turn: &mut Turn<'_>, place: u8, paid_ms: Option<u64>) {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        if paid.answered.is_none() || self.ending.is_some() {
            return;
        }
        paid.paid_ms = longer(paid.paid_ms, paid_ms);
        self.arm_money(turn, place);
        self.limit_media(turn);
    }

    pub(crate) fn on_extended(&mut self, turn: &mut Turn<'_>, place: u8, key: AskKey, paid_ms: Option<u64>) {
        if let Some(paid) = self.paid.get_mut(usize::from(place))
            && paid.extending == Some(key)
        {
            paid.extending = None;
            paid.refused = None;
        }
        self.on_paid(turn, place, paid_ms);
    }

    /// No more time. The call runs to the end of what is paid and ends there for this reason.
    pub(crate) fn on_extension_refused(&mut self, turn: &mut Turn<'_>, place: u8, key: AskKey, refusal: Refusal) {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        if paid.extending != Some(key) || self.ending.is_some() {
            return;
        }
        paid.extending = None;
        let end = paid.paid_until();
        let is_away = refusal.rule == Rule::LedgerUnavailable;
        paid.refused = Some(refusal);
        if is_away && turn.now + AGAIN < end {
            self.timers.arm(Timer::Extend(place), turn.now + AGAIN);
        }
    }

    /// Time to ask for more.
    pub(crate) fn on_extend_due(&mut self, turn: &mut Turn<'_>, place: u8) {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        let Some((_, answered_at)) = paid.answered else { return };
        if paid.state != State::Held || paid.extending.is_some() || paid.paid_ms.is_none() {
            return;
        }
        let give_up_at = paid.paid_until();
        let key = paid.next_key();
        paid.extending = Some(key);
        let ask = Ask { key, give_up_at, what: What::Extend(Extend { answered_at }) };
        turn.out.push(Action::Ask(Box::new(ask)));
    }

    /// Money or limits of a payer changed: who was refused asks again.
    pub(crate) fn on_funds(&mut self, turn: &mut Turn<'_>) {
        if self.ending.is_some() {
            return;
        }
        for place in 0..u8::try_from(self.paid.len()).unwrap_or(u8::MAX) {
            let refused = self.paid.get(usize::from(place)).is_some_and(|paid| paid.refused.is_some());
            if refused {
                self.on_extend_due(turn, place);
            }
        }
    }

    /// What is paid has been talked.
    pub(crate) fn on_paid_end(&mut self, turn: &mut Turn<'_>, place: u8) {
        let Some(paid) = self.paid.get_mut(usize::from(place)) else { return };
        if turn.now < paid.paid_until() {
            return;
        }
        if paid.extending.is_some() && paid.refused.is_none() {
            turn.note(Note::LedgerLate);
        }
        let refusal = paid
            .refused
            .clone()
            .unwrap_or_else(|| Refusal::new(Rule::LedgerUnavailable, None, "no answer in time", ""));
        paid.refused = Some(refusal.clone());
        let reply = Reply { status: 402, ..Reply::to(&refusal, &self.policy) };
        let cause = Cause::Rule(refusal.rule);
        self.finish(turn, Ending { cause, side: HangupSide::Platform, refusal: Some(refusal), reply });
    }

    /// Sets the kill timer at the end of what is paid, and the next ask well before.
    pub(crate) fn arm_money(&mut self, turn: &mut Turn<'_>, place: u8) {
        let Some(paid) = self.paid.get(usize::from(place)) else { return };
        if paid.answered.is_none() {
            return;
        }
        if paid.paid_ms.is_none() {
            self.timers.disarm(Timer::PaidEnd(place));
            self.timers.disarm(Timer::Extend(place));
            return;
        }
        let end = paid.paid_until();
        let left = end.since(turn.now);
        self.timers.arm(Timer::PaidEnd(place), end);
        self.timers.arm(Timer::Extend(place), end - AHEAD_MAX.min(left / 2));
    }
}

/// Paid time only grows; `None` is for ever.
fn longer(before: Option<u64>, now: Option<u64>) -> Option<u64> {
    match (before, now) {
        (Some(before), Some(now)) => Some(before.max(now)),
        _ => None,
    }
}
