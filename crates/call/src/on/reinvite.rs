//! re-INVITE: hold, resume, other codecs, further media lines, or a mere refresh; from either side (RFC 3261 §14).

use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name};
use tollgate_types::Flow;

use super::relay::Heard;
use crate::action::Action;
use crate::call::{Call, Turn};
use crate::errand::{Errand, Relayed, To};
use crate::leg::LegId;
use crate::replies;

impl Call {
    pub(crate) fn on_reinvite(&mut self, turn: &mut Turn<'_>, id: LegId, key: ServerKey, message: Message, flow: Flow) {
        if let Some(fault) = replies::session_fault(&message, &self.policy) {
            let tag = self.leg(id).map(|leg| leg.dialog.local_tag.clone()).unwrap_or_default();
            return turn.respond(key, fault.status, fault.answer(&message, &flow, &tag));
        }
        // RFC 3261 §14.2: one of its own is open: 500; one of ours is: 491.
        let own = self.leg(id).is_some_and(|leg| leg.asking.is_some());
        let ours = self.leg(id).is_some_and(|leg| leg.inviting.is_some() || leg.unacked.is_some());
        if own || ours {
            return self.simply(turn, id, key, &message, flow, if own { 500 } else { 491 });
        }
        let Some(other) = self.across(id).filter(|other| !other.is_busy()).map(|other| other.id) else {
            return self.simply(turn, id, key, &message, flow, 491);
        };
        if self.hunt.is_some() {
            return self.simply(turn, id, key, &message, flow, 491);
        }
        if let Some(leg) = self.leg_mut(id) {
            leg.dialog.refresh(&message);
            leg.can.learn(&message);
        }
        let offered = !message.body().is_empty();
        let relayed = Relayed {
            from: id,
            key,
            request: message,
            flow,
            method: Method::Invite,
            to: To::Leg(other),
            offered,
            abandoned: false,
        };
        self.keep_asking(id, &relayed);
        self.forward_offer(turn, relayed);
    }

    /// Carries a re-INVITE or UPDATE across, if its offer can be.
    pub(crate) fn forward_offer(&mut self, turn: &mut Turn<'_>, relayed: Relayed) {
        if !relayed.offered {
            return self.carry(turn, relayed, None);
        }
        match self.hear_offer(relayed.from, &relayed.to, relayed.request.body(), true) {
            Heard::Carry(body) => self.carry(turn, relayed, Some((crate::say::SDP.to_owned(), body))),
            Heard::Park(lines) => self.park(turn, relayed, lines),
            Heard::No(status) => self.refuse_offer(turn, &relayed, status),
            Heard::Unchanged => {
                let told = self
                    .leg(relayed.from)
                    .map(|leg| leg.side)
                    .and_then(|side| self.shown_exchange().and_then(|exchange| exchange.told(side).cloned()));
                match relayed.request.method() {
                    Some(Method::Invite) => self.accept_reinvite(turn, &relayed, told, None),
                    _ => self.accept_update(turn, relayed.from, relayed.key, &relayed.request, relayed.flow, told),
                }
            }
        }
    }

    /// The relay has ports for the further lines, or has none to give: the lines are then declined.
    pub(crate) fn unpark(&mut self, turn: &mut Turn<'_>) {
        let Some(relayed) = self.parked.take() else { return };
        let relayed = *relayed;
        match self.hear_offer(relayed.from, &relayed.to, relayed.request.body(), false) {
            Heard::Carry(body) => self.carry(turn, relayed, Some((crate::say::SDP.to_owned(), body))),
            Heard::No(status) => self.refuse_offer(turn, &relayed, status),
            Heard::Unchanged | Heard::Park(_) => self.refuse_offer(turn, &relayed, 488),
        }
    }

    /// An offer that never went across. Nothing of it is pending: the exchange of another offer is left alone.
    fn refuse_offer(&mut self, turn: &mut Turn<'_>, relayed: &Relayed, status: u16) {
        if let Some(leg) = self.leg_mut(relayed.from)
            && leg.asking.as_ref().is_some_and(|asking| asking.key == relayed.key)
        {
            leg.asking = None;
        }
        let seconds = self.tokens.below(11).to_string();
        if let Some(leg) = self.leg(relayed.from) {
            let mut builder = leg.answer(&relayed.request, &relayed.flow, status);
            if status == 500 {
                builder = builder.header(Name::RetryAfter, seconds);
            }
            turn.respond(relayed.key, status, builder.build());
        }
    }

    /// CANCEL of a re-INVITE: the session stays; the far end's transaction is cancelled too.
    pub(crate) fn on_reinvite_cancelled(&mut self, turn: &mut Turn<'_>, id: LegId) {
        let mut open = None;
        for (client, errand) in &mut self.errands {
            if let Errand::Relayed(relayed) = errand
                && relayed.from == id
                && relayed.method == Method::Invite
                && !relayed.abandoned
            {
                relayed.abandoned = true;
                open = Some((*client, (**relayed).clone()));
            }
        }
        if let Some((client, relayed)) = open {
            turn.out.push(Action::Cancel { client, reason: None });
            self.refuse_relayed(turn, &relayed, 487);
        } else if let Some(parked) = self.parked.take_if(|parked| parked.from == id) {
            self.refuse_offer(turn, &parked, 487);
        }
    }
}
