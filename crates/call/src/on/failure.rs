//! 3xx to 6xx, or silence, from one branch: the next device or carrier, or the end of the hunt.

use std::time::Duration;

use tollgate_routing::failover::{self, Happened, Next};
use tollgate_sip::header::seconds;
use tollgate_sip::wire::{Message, Name, reason};
use tollgate_types::Refusal;

use crate::action::{Action, Note};
use crate::call::{Call, Ending, Turn};
use crate::errand::Errand;
use crate::event::Client;
use crate::hunt::{Branch, Hunt, Purpose};
use crate::party::Target;
use crate::refusal::{Reply, cause_of, q850_in, q850_of};
use crate::timers::Timer;
use tollgate_billing::cdr::{Cause, HangupSide};

impl Call {
    /// A branch ended without an answer; `message` is missing for silence (408) and a broken transport (503).
    pub(crate) fn on_branch_failed(
        &mut self,
        turn: &mut Turn<'_>,
        client: Client,
        status: u16,
        message: Option<&Message>,
    ) {
        self.timers.disarm(Timer::Silence(client));
        let Some(branch) = self.hunt.as_mut().and_then(|hunt| hunt.take_branch(client)) else { return };
        self.early_requests_of(turn, client, None);
        self.climb(turn, "b", true, format!("{status} {}", reason(status)));
        let Some(message) = message else {
            let happened = if status == 503 { Happened::Unreachable } else { Happened::NoResponse };
            return self.branch_over(
                turn,
                branch,
                Reply::plain(if status == 408 { 480 } else { status }),
                Some(happened),
            );
        };
        let branch = match self.try_again(turn, branch, status, message) {
            None => return,
            Some(branch) => branch,
        };
        if (300..400).contains(&status) && !branch.candidate.target.is_trunk() {
            return self.on_redirected(turn, branch, message);
        }
        let q850 = q850_in(message);
        let retry_after =
            message.header(Name::RetryAfter).and_then(seconds).map(|secs| Duration::from_secs(secs.into()));
        let happened = Happened::Answered { status, retry_after, q850 };
        let status = upstream(status);
        let reply = Reply { q850: q850.or(q850_of(status)), ..Reply::plain(status) };
        self.branch_over(turn, branch, reply, Some(happened));
    }

    /// This carrier has left our INVITE without any response.
    pub(crate) fn on_carrier_silent(&mut self, turn: &mut Turn<'_>, client: Client) {
        let Some(branch) = self.hunt.as_mut().and_then(|hunt| hunt.take_branch(client)) else { return };
        let trunk = branch.candidate.clone();
        self.stray(turn, branch, None);
        self.candidate_over(turn, &trunk.target, Reply::plain(503), Some(Happened::NoResponse), false);
    }

    /// The devices, or this carrier, have rung long enough.
    pub(crate) fn on_rung_out(&mut self, turn: &mut Turn<'_>) {
        let Some(mut hunt) = self.hunt.take() else { return };
        let rang = hunt.branches.iter().any(|branch| branch.ringing);
        self.cancel_branches(turn, &mut hunt, None);
        let trunk = hunt.current.as_ref().map(|candidate| candidate.target.clone());
        self.hunt = Some(hunt);
        let reply = Reply { q850: Some(if rang { 19 } else { 18 }), ..Reply::plain(480) };
        if let Some(target) = trunk {
            self.candidate_over(
                turn,
                &target,
                reply,
                Some(if rang { Happened::RangOut } else { Happened::NoResponse }),
                rang,
            );
        }
    }

    /// One branch is over; when it was the last of its candidate, so is that.
    pub(crate) fn branch_over(
        &mut self,
        turn: &mut Turn<'_>,
        branch: Branch,
        reply: Reply,
        happened: Option<Happened>,
    ) {
        let target = branch.candidate.target;
        if target.is_trunk() {
            return self.candidate_over(turn, &target, reply, happened, false);
        }
        let Some(hunt) = &mut self.hunt else { return };
        let is_global = reply.status >= 600;
        hunt.weigh(reply);
        if hunt.shown == Some(branch.client) {
            hunt.shown = None;
        }
        if is_global && let Some(mut hunt) = self.hunt.take() {
            // RFC 3261 §16.7 step 5: nobody else is asked.
            self.cancel_branches(turn, &mut hunt, None);
            hunt.candidates.clear();
            self.hunt = Some(hunt);
        }
        if self.hunt.as_ref().is_some_and(|hunt| hunt.branches.is_empty()) {
            self.timers.disarm(Timer::Ring);
            self.try_next(turn);
        }
    }

    fn candidate_over(
        &mut self,
        turn: &mut Turn<'_>,
        target: &Target,
        reply: Reply,
        happened: Option<Happened>,
        last: bool,
    ) {
        self.timers.disarm(Timer::Ring);
        let Some(hunt) = &mut self.hunt else { return };
        hunt.shown = None;
        let next =
            happened.map_or(Next::TryNext { rest: None }, |happened| failover::next(happened, self.policy.rests));
        if let (Target::Trunk { trunk, .. }, Next::TryNext { rest }) = (target, next) {
            let status = match happened {
                Some(Happened::NoResponse) => 408,
                Some(Happened::Answered { status, .. }) => status,
                _ => reply.status,
            };
            turn.note(Note::CarrierFailed { trunk: *trunk, status, rest });
        }
        // Another address of the same carrier helps only where this one was not reached (RFC 3263 §4.3).
        let unreached = matches!(
            happened,
            Some(Happened::NoResponse | Happened::Unreachable | Happened::Answered { status: 503, .. })
        );
        if !unreached {
            hunt.places.clear();
        }
        if next == Next::Final || last {
            hunt.places.clear();
            hunt.candidates.clear();
            hunt.best = None;
        }
        hunt.weigh(reply);
        self.try_next(turn);
    }

    /// Cancels all branches; what they answer all the same is hung up.
    pub(crate) fn cancel_branches(&mut self, turn: &mut Turn<'_>, hunt: &mut Hunt, reason: Option<&'static str>) {
        for branch in std::mem::take(&mut hunt.branches) {
            self.stray(turn, branch, reason);
        }
        self.timers.disarm(Timer::Ring);
    }

    fn stray(&mut self, turn: &mut Turn<'_>, branch: Branch, reason: Option<&'static str>) {
        let client = branch.client;
        self.timers.disarm(Timer::Silence(client));
        self.early_requests_of(turn, client, None);
        turn.out.push(Action::Cancel { client, reason });
        if let Some((_, errand)) = self.errands.iter_mut().find(|(known, _)| *known == client) {
            *errand = Errand::Stray(Box::new(branch));
        }
    }

    /// Nobody answered. The caller hears the best of what was said; a transferor is told.
    pub(crate) fn hunt_over(&mut self, turn: &mut Turn<'_>, reply: Reply, refusal: Option<Refusal>) {
        let Some(mut hunt) = self.hunt.take() else { return };
        self.cancel_branches(turn, &mut hunt, None);
        self.timers.disarm(Timer::AnswerLate);
        match hunt.purpose {
            Purpose::Call => {
                let cause =
                    refusal.as_ref().map_or_else(|| cause_of(reply.status), |refusal| Cause::Rule(refusal.rule));
                let side = if refusal.is_some() { HangupSide::Platform } else { HangupSide::Callee };
                self.finish(turn, Ending { cause, side, refusal, reply });
            }
            Purpose::Transfer { .. } => self.on_transfer_failed(turn, &hunt.paid, reply),
        }
    }
}

/// The status that goes on to the caller: nothing that only concerns us and the far end, no redirection, no challenge.
fn upstream(status: u16) -> u16 {
    match status {
        300..=399 => 480,
        401 | 407 => 403,
        408 | 481 | 487 => 480,
        400 | 405 | 406 | 413..=416 | 420..=423 | 428..=439 | 489 | 491 | 493 | 494 | 501 | 505 | 513 => 500,
        other => other,
    }
}
