//! Session timers: our refresh is due, or the peer's has not come (RFC 4028 §10).

use std::time::Duration;

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_sip::wire::{Message, Method, Name};

use super::provisional::is_sdp;
use crate::call::{Call, Ending, Turn};
use crate::errand::Errand;
use crate::leg::{LegId, State};
use crate::refusal::Reply;
use crate::say;
use crate::session::Session;
use crate::timers::Timer;

impl Call {
    /// Sets the leg's next refresh or its end.
    pub(crate) fn arm_session(&mut self, turn: &mut Turn<'_>, id: LegId) {
        if self.ending.is_some() {
            return;
        }
        match self.leg(id).and_then(|leg| leg.session.due_in()) {
            Some(span) => self.timers.arm(Timer::Session(id), turn.now + span),
            None => self.timers.disarm(Timer::Session(id)),
        }
    }

    pub(crate) fn on_session_due(&mut self, turn: &mut Turn<'_>, id: LegId) {
        let Some(leg) = self.leg(id).filter(|leg| leg.state == State::Confirmed) else { return };
        if !leg.session.ours {
            let side = if id == LegId(0) { HangupSide::Caller } else { HangupSide::Callee };
            let reply = Reply::plain(408);
            return self.finish(turn, Ending { cause: Cause::SessionExpired, side, refusal: None, reply });
        }
        self.refresh(turn, id);
    }

    /// UPDATE where it is understood; else re-INVITE with what we said last.
    fn refresh(&mut self, turn: &mut Turn<'_>, id: LegId) {
        let (own, least) = (self.policy.session_expires, self.policy.session_min);
        let told = self.leg(id).map(|leg| leg.side).and_then(|side| self.media.exchange.as_ref()?.told(side).cloned());
        let Some(leg) = self.leg(id) else { return };
        let by_update = leg.can.update && !leg.session.by_invite;
        if leg.is_busy() || (!by_update && told.is_none()) {
            return self.arm_glare(turn, id);
        }
        let method = if by_update { Method::Update } else { Method::Invite };
        let client = self.next_client();
        let Some(leg) = self.leg_mut(id) else { return };
        let builder = leg
            .dialog
            .request(method)
            .header(Name::Contact, &leg.dialog.contact)
            .header(Name::Allow, say::ALLOW)
            .header(Name::Supported, say::SUPPORTED_DELAYED);
        let builder = leg.session.ask(builder, leg.can.timer, own, least);
        if !by_update {
            leg.inviting = Some(client);
        }
        let bytes = say::with_sdp(builder, told.filter(|_| !by_update)).build();
        self.send(turn, id, client, Errand::Refresh(id), bytes);
    }

    /// Our refresh was answered, or was not.
    pub(crate) fn on_refreshed(&mut self, turn: &mut Turn<'_>, id: LegId, status: u16, message: Option<&Message>) {
        let invited = message.is_some_and(|message| message.cseq().method == Method::Invite);
        let asked =
            self.policy.session_expires.map_or(0, |interval| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX));
        let policy = self.policy.clone();
        let Some(leg) = self.leg_mut(id) else { return };
        leg.inviting = None;
        match (status, message) {
            (200..=299, Some(message)) => {
                leg.dialog.refresh(message);
                let by_invite = leg.session.by_invite;
                leg.session = Session { by_invite, ..Session::by_response(message, asked, &policy) };
                if invited {
                    self.acknowledge(turn, id, message.cseq().number, None);
                    self.absorb(turn, id, message);
                }
                self.arm_session(turn, id);
            }
            (408 | 481 | 503, _) => {
                if self.ending.is_some() {
                    return;
                }
                self.leave(id);
                let side = if id == LegId(0) { HangupSide::Caller } else { HangupSide::Callee };
                let reply = Reply::plain(408);
                self.finish(turn, Ending { cause: Cause::SessionExpired, side, refusal: None, reply });
            }
            (491 | 500, _) => self.arm_glare(turn, id),
            (405 | 501, _) if !leg.session.by_invite => {
                leg.session.by_invite = true;
                self.refresh(turn, id);
            }
            // It answers, so it lives.
            _ => self.arm_session(turn, id),
        }
    }

    /// What a leg says of itself in answer to our own words.
    pub(crate) fn absorb(&mut self, turn: &mut Turn<'_>, id: LegId, message: &Message) {
        let Some((side, word)) = self.leg(id).map(|leg| (leg.side, leg.peer())) else { return };
        if is_sdp(message)
            && let Some(exchange) = self.media.exchange.as_deref_mut()
            && exchange.absorb(side, message.body(), word).is_ok()
        {
            self.plan_media(turn);
        }
    }

    /// After a glare: 2.1 to 4 s for who owns the Call-ID, up to 2 s for the other (RFC 3261 §14.1).
    pub(crate) fn arm_glare(&mut self, turn: &mut Turn<'_>, id: LegId) {
        let Some(invited) = self.leg(id).map(|leg| leg.invited) else { return };
        let wait = if invited { 2100 + self.tokens.below(1901) } else { self.tokens.below(2001) };
        self.timers.arm(Timer::Glare(id), turn.now + Duration::from_millis(wait / 10 * 10));
    }

    pub(crate) fn on_glare_over(&mut self, turn: &mut Turn<'_>, id: LegId) {
        if self.ending.is_some() || !self.leg(id).is_some_and(|leg| leg.state == State::Confirmed) {
            return;
        }
        if self.is_rewiring(id) {
            return self.rewire(turn, id);
        }
        self.refresh(turn, id);
    }
}
