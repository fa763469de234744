//! A phone sends the call on with a 3xx: a new paid leg of whoever owns it.

use tollgate_billing::cdr::{CallKind, Cdr};
use tollgate_sip::wire::{Message, Name};

use crate::admission::PlanAsk;
use crate::call::{Call, Turn};
use crate::hunt::{Branch, Stage};
use crate::paid::PaidLeg;
use crate::party::Party;
use crate::policy::Redirects;
use crate::refusal::Reply;

impl Call {
    pub(crate) fn on_redirected(&mut self, turn: &mut Turn<'_>, branch: Branch, message: &Message) {
        let target = message.addresses(Name::Contact).next().filter(|contact| contact.is_readable());
        let Some(target) = target.map(|contact| Box::<str>::from(contact.uri_raw)) else {
            return self.branch_over(turn, branch, Reply::plain(480), None);
        };
        if self.policy.redirects == Redirects::Never {
            return self.branch_over(turn, branch, Reply::plain(480), None);
        }
        if self.hops >= self.policy.forwards_max {
            return self.branch_over(turn, branch, Reply::plain(482), None);
        }
        self.hops += 1;
        let who = branch.candidate.target.party();
        // The call is sent on as a whole: other devices stop ringing.
        if let Some(mut hunt) = self.hunt.take() {
            self.cancel_branches(turn, &mut hunt, None);
            hunt.candidates.clear();
            hunt.places.clear();
            hunt.shown = None;
            self.hunt = Some(hunt);
        }
        let Some((query, place)) = self.begin_paid(turn, CallKind::Redirect, &who) else { return };
        let ask = self.ask_for(CallKind::Redirect, who, &target);
        if let Some(hunt) = &mut self.hunt {
            hunt.paid.push(place);
            hunt.stage = Stage::Planning(query, place);
        }
        self.ask_plan(turn, query, ask);
    }

    /// A new paid leg, of one who sends the call on.
    pub(crate) fn begin_paid(
        &mut self,
        turn: &mut Turn<'_>,
        kind: CallKind,
        who: &Party,
    ) -> Option<(crate::event::Query, u8)> {
        let place = u8::try_from(self.paid.len()).ok()?;
        let index = self
            .paid
            .iter()
            .filter(|paid| paid.call == self.id)
            .map(|paid| paid.index)
            .max()
            .map_or(0, |last| last + 1);
        let mut cdr = Cdr::begin(self.id, index, kind, turn.wall);
        cdr.parent_id = Some(self.id);
        cdr.user = who.user().map(|_| who.name().to_owned());
        cdr.user_id = who.user();
        cdr.account = who.account();
        cdr.source_ip = Some(self.caller.source);
        self.paid.push(PaidLeg::new(self.id, index, cdr));
        Some((self.next_query(), place))
    }

    /// What is asked for a leg that `who` sends on to `target`.
    pub(crate) fn ask_for(&self, kind: CallKind, who: Party, target: &str) -> PlanAsk {
        PlanAsk {
            kind,
            payer: who,
            source: self.caller.source,
            dialled: target.into(),
            to: target.into(),
            claim: self.claim.clone(),
            caller: self.caller.party.clone(),
            local_only: kind == CallKind::Redirect && self.policy.redirects == Redirects::Local,
        }
    }
}
