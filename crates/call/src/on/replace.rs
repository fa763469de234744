//! A party gets a new partner: our own re-INVITEs that bring their media together (RFC 3725 has the patterns).

use bytes::Bytes;
use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_sip::wire::{Message, Method, Name};

use crate::action::Action;
use crate::call::{Call, Ending, Turn};
use crate::errand::Errand;
use crate::handover::Handover;
use crate::leg::{LegId, State};
use crate::refusal::Reply;
use crate::say;

use super::provisional::is_sdp;

impl Call {
    /// The target of a blind transfer answered as leg `new`; `body` is its answer, for the one who stays.
    pub(crate) fn on_transferred(&mut self, turn: &mut Turn<'_>, stays: LegId, _new: LegId, body: Option<Bytes>) {
        self.release_transferor(turn);
        if let Some(body) = body {
            self.tell(turn, stays, body);
        }
    }

    /// A leg of another call joins: it is offered what the one who stays said last.
    pub(crate) fn adopt(&mut self, turn: &mut Turn<'_>, handover: Handover) {
        let Handover { mut leg, paid } = handover;
        let Some((by, stays)) = self.transfer.as_ref().map(|transfer| (transfer.by, transfer.stays)) else { return };
        let Some(side) = self.leg(by).map(|leg| leg.side) else { return };
        turn.out.push(Action::Listen { call_id: leg.dialog.call_id.clone() });
        leg.id = self.next_leg();
        leg.side = side;
        let (id, flow) = (leg.id, leg.dialog.flow);
        self.legs.push(leg);
        for moved in paid {
            self.paid.push(moved);
            let place = u8::try_from(self.paid.len() - 1).unwrap_or(u8::MAX);
            self.arm_money(turn, place);
        }
        self.limit_media(turn);
        self.arm_session(turn, id);
        self.release_transferor(turn);
        let session = self.tokens.below(u64::MAX);
        let offer = self.ours(side, flow).and_then(|ours| {
            let (mut exchange, _) = self.media.exchange.as_ref()?.replace(side, session)?;
            let body = exchange.write_offer(&ours)?;
            Some((exchange, unhold(&body)))
        });
        let Some((exchange, body)) = offer else {
            let reply = Reply::plain(488);
            return self.finish(
                turn,
                Ending { cause: Cause::MediaUnsupported, side: HangupSide::Platform, refusal: None, reply },
            );
        };
        if let Some(transfer) = &mut self.transfer {
            transfer.exchange = Some(Box::new(exchange));
            debug_assert!(transfer.stays == stays);
        }
        self.tell(turn, id, body);
    }

    /// Tells a leg a session description by our own re-INVITE.
    fn tell(&mut self, turn: &mut Turn<'_>, id: LegId, body: Bytes) {
        if let Some(transfer) = &mut self.transfer {
            transfer.tell.retain(|(known, _)| *known != id);
            transfer.tell.push((id, body));
        }
        self.rewire(turn, id);
    }

    /// Is there something that this leg must still be told?
    pub(crate) fn is_rewiring(&self, id: LegId) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.tell.iter().any(|(known, _)| *known == id))
    }

    /// Sends what the leg must be told; later, if an INVITE is under way on it.
    pub(crate) fn rewire(&mut self, turn: &mut Turn<'_>, id: LegId) {
        let body = self.transfer.as_ref().and_then(|transfer| transfer.tell.iter().find(|(known, _)| *known == id));
        let Some(body) = body.map(|(_, body)| body.clone()) else { return };
        if self.leg(id).is_some_and(|leg| leg.is_busy()) {
            return self.arm_glare(turn, id);
        }
        let (own, least) = (self.policy.session_expires, self.policy.session_min);
        let client = self.next_client();
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.state == State::Confirmed) else { return };
        let builder = leg
            .dialog
            .request(Method::Invite)
            .header(Name::Contact, &leg.dialog.contact)
            .header(Name::Allow, say::ALLOW)
            .header(Name::Supported, say::SUPPORTED_DELAYED);
        let builder = leg.session.ask(builder, leg.can.timer, own, least);
        leg.inviting = Some(client);
        let bytes = say::with_sdp(builder, Some(body)).build();
        self.send(turn, id, client, Errand::Rewire(id), bytes);
    }

    /// 2xx to our re-INVITE.
    pub(crate) fn on_rewired(&mut self, turn: &mut Turn<'_>, id: LegId, message: &Message) {
        if let Some(leg) = self.leg_mut(id) {
            leg.dialog.refresh(message);
        }
        self.acknowledge(turn, id, message.cseq().number, None);
        let Some(transfer) = &mut self.transfer else { return };
        transfer.tell.retain(|(known, _)| *known != id);
        let stays = transfer.stays;
        let Some(mut exchange) = (if id == stays { None } else { transfer.exchange.take() }) else {
            self.absorb(turn, id, message);
            self.transfer = None;
            return;
        };
        // The new partner's answer, which the one who stays hears as an offer.
        let Some((side, word)) = self.leg(id).map(|leg| (leg.side, leg.peer())) else { return };
        let ours = self.leg(stays).and_then(|leg| self.ours(leg.side, leg.dialog.flow));
        let agreed =
            is_sdp(message) && exchange.answer(side, message.body(), word).is_ok_and(|answered| answered.usable);
        let body = ours.filter(|_| agreed).and_then(|ours| exchange.write_answer(&ours));
        let Some(body) = body else {
            return self.on_rewire_failed(turn, id, 488);
        };
        self.media.exchange = Some(exchange);
        self.plan_media(turn);
        self.tell(turn, stays, body);
    }

    pub(crate) fn on_rewire_failed(&mut self, turn: &mut Turn<'_>, id: LegId, status: u16) {
        if let Some(leg) = self.leg_mut(id) {
            leg.inviting = None;
        }
        if self.ending.is_some() {
            return;
        }
        if matches!(status, 491 | 500) && self.is_rewiring(id) {
            return self.arm_glare(turn, id);
        }
        let gone = matches!(status, 408 | 481 | 503);
        if gone {
            self.leave(id);
        }
        let stays = self.transfer.as_ref().map(|transfer| transfer.stays);
        self.transfer = None;
        if gone || stays != Some(id) {
            let cause = if gone { Cause::Unreachable } else { Cause::MediaUnsupported };
            let reply = Reply::plain(if gone { 480 } else { 488 });
            self.finish(turn, Ending { cause, side: HangupSide::Platform, refusal: None, reply });
        }
        // The one who stays keeps the media it has: it may be on hold, but it is heard by the relay's rules.
    }
}

/// A description without its hold: who was put aside for the transfer is to be heard again.
pub(crate) fn unhold(body: &Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(body) else { return body.clone() };
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            "a=recvonly" | "a=sendonly" | "a=inactive" => out.push_str("a=sendrecv\r\n"),
            _ => out.push_str(line),
        }
    }
    Bytes::from(out)
}
