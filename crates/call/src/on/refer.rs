//! REFER: a phone transfers its partner to somebody else, blind or after a word with him (RFC 3515, RFC 5589).
//!
//! The partner is not told to call anybody: the new leg is ours, admitted for and paid by who transfers, and the partner is
//! joined to it. A trunk may not transfer.

use std::time::Duration;

use smallvec::SmallVec;
use tollgate_billing::cdr::{CallKind, Cause, HangupSide};
use tollgate_media::sdp::exchange::Exchange;
use tollgate_sip::header::Replaces;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name, reason};
use tollgate_types::{CallId, Flow, Mono};

use crate::action::Action;
use crate::call::{Call, Ending, Turn};
use crate::errand::Errand;
use crate::event::Query;
use crate::handover::{DialogName, Handover};
use crate::hunt::{Hunt, Purpose, Stage};
use crate::leg::{LegId, State};
use crate::paid;
use crate::refusal::Reply;
use crate::timers::Timer;

/// A transfer under way.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Who transfers.
    pub by: LegId,
    /// Who is transferred.
    pub stays: LegId,
    /// CSeq of the REFER: names the subscription (RFC 3515 §2.4.6).
    pub id: u32,
    /// Where to, as the REFER said.
    pub target: Box<str>,
    /// Looking for the call to join; `None` when dialling, or joined.
    pub finding: Option<Query>,
    /// The new partner is found and being joined: whoever leaves now ends the call.
    pub joined: bool,
    /// Who transfers has hung up.
    pub left: bool,
    /// The session descriptions still to be told by our own re-INVITE.
    pub tell: SmallVec<[(LegId, bytes::Bytes); 2]>,
    /// The exchange of the new pair until it has answered.
    pub exchange: Option<Box<Exchange>>,
}

/// How long another call may take to give up its leg.
const FIND_WAIT: Duration = Duration::from_secs(4);

impl Call {
    pub(crate) fn on_refer(&mut self, turn: &mut Turn<'_>, id: LegId, key: ServerKey, message: &Message, flow: Flow) {
        let Some((party, state)) = self.leg(id).map(|leg| (leg.party.clone(), leg.state)) else { return };
        if party.is_trunk() {
            return self.simply(turn, id, key, message, flow, 403);
        }
        let mut targets = message.addresses(Name::ReferTo);
        let target = match (targets.next(), targets.next()) {
            (Some(target), None) => target.uri().map(|uri| (Box::<str>::from(target.uri_raw), uri)),
            _ => None,
        };
        let Some((text, uri)) = target else {
            return self.simply(turn, id, key, message, flow, 400);
        };
        if uri.param("method").is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
            return self.simply(turn, id, key, message, flow, 403);
        }
        let stays = self.across(id).filter(|other| other.state == State::Confirmed && state == State::Confirmed);
        let Some(stays) = stays.map(|other| other.id).filter(|_| self.transfer.is_none() && self.hunt.is_none()) else {
            return self.simply(turn, id, key, message, flow, 491);
        };
        if self.hops >= self.policy.forwards_max {
            return self.simply(turn, id, key, message, flow, 403);
        }
        self.hops += 1;
        self.simply(turn, id, key, message, flow, 202);
        let bare: Box<str> = text.split('?').next().unwrap_or_default().into();
        let replaces =
            uri.header("Replaces").and_then(|value| Replaces::parse(&value).map(|named| DialogName::of(&named)));
        self.transfer = Some(Box::new(Transfer {
            by: id,
            stays,
            id: message.cseq().number,
            target: bare,
            finding: None,
            joined: false,
            left: false,
            tell: SmallVec::new(),
            exchange: None,
        }));
        self.notify_transfer(turn, 100, false);
        match replaces {
            Some(dialog) => {
                let query = self.next_query();
                if let Some(transfer) = &mut self.transfer {
                    transfer.finding = Some(query);
                }
                self.timers.arm(Timer::AnswerLate, turn.now + FIND_WAIT);
                self.finding = Some(query);
                turn.out.push(Action::Find { query, dialog });
            }
            None => self.transfer_blind(turn),
        }
    }

    /// Dials whom the partner is to talk to.
    fn transfer_blind(&mut self, turn: &mut Turn<'_>) {
        let Some((by, stays, target)) =
            self.transfer.as_ref().map(|transfer| (transfer.by, transfer.stays, transfer.target.clone()))
        else {
            return;
        };
        let Some(who) = self.leg(by).map(|leg| leg.party.clone()) else { return };
        let session = self.tokens.below(u64::MAX);
        let side = self.leg(by).map(|leg| leg.side);
        let exchange =
            side.zip(self.media.exchange.as_ref()).and_then(|(side, exchange)| exchange.replace(side, session));
        let Some((exchange, _)) = exchange else {
            return self.on_transfer_failed(turn, &[], Reply::plain(488));
        };
        let Some((query, place)) = self.begin_paid(turn, CallKind::Transfer, &who) else { return };
        let mut hunt = Hunt::new(Purpose::Transfer { stays }, Stage::Planning(query, place), 69);
        hunt.paid.push(place);
        hunt.exchange = Some(Box::new(exchange));
        self.hunt = Some(Box::new(hunt));
        let ask = self.ask_for(CallKind::Transfer, who, &target);
        self.ask_plan(turn, query, ask);
    }

    /// The other call answered: here is the leg, or there is none.
    pub(crate) fn on_found(&mut self, turn: &mut Turn<'_>, query: Query, handover: Option<Box<Handover>>) {
        self.finding.take_if(|asked| *asked == query);
        let awaited = self.transfer.as_ref().is_some_and(|transfer| transfer.finding == Some(query));
        if !awaited || self.ending.is_some() {
            // Nobody waits for it any more, and nobody else has it: it is sent home.
            if let Some(handover) = handover {
                self.adopt_lost(turn, *handover);
            }
            return;
        }
        self.timers.disarm(Timer::AnswerLate);
        if let Some(transfer) = &mut self.transfer {
            transfer.finding = None;
        }
        match handover {
            Some(handover) => self.adopt(turn, *handover),
            None => self.transfer_blind(turn),
        }
    }

    pub(crate) fn on_find_late(&mut self, turn: &mut Turn<'_>) {
        if self.transfer.as_mut().is_some_and(|transfer| transfer.finding.take().is_some()) {
            self.on_transfer_failed(turn, &[], Reply::plain(481));
        }
    }

    /// Another call takes our party opposite to `dialog`.
    pub(crate) fn on_surrender(&mut self, turn: &mut Turn<'_>, to: CallId, query: Query, dialog: &DialogName) {
        let by = self
            .legs
            .iter()
            .find(|leg| leg.dialog.is(&dialog.call_id, &dialog.local_tag, &dialog.remote_tag))
            .map(|leg| leg.id);
        let able = self.ending.is_none() && self.hunt.is_none() && self.transfer.is_none() && to != self.id;
        let other = by
            .filter(|_| able)
            .and_then(|by| self.across(by))
            .filter(|other| other.state == State::Confirmed && !other.is_busy())
            .map(|other| other.id);
        let index = other.and_then(|other| self.legs.iter().position(|leg| leg.id == other));
        let Some(index) = index.filter(|index| *index != 0 || self.legs.len() > 1) else {
            return turn.out.push(Action::HandOver { to, query, handover: None });
        };
        let id = self.legs[index].id;
        self.abandon_requests(turn, id);
        self.timers.disarm(Timer::Session(id));
        self.timers.disarm(Timer::Glare(id));
        let leg = self.legs.remove(index);
        let mut given = Vec::new();
        for place in 0..self.paid.len() {
            if self.paid[place].is_open() && self.paid[place].answered.is_some() {
                let (call, index) = (self.paid[place].call, self.paid[place].index);
                let blank = paid::PaidLeg::new(call, index, (*self.paid[place].cdr).clone());
                let mut moved = std::mem::replace(&mut self.paid[place], blank);
                moved.extending = None;
                self.paid[place].state = paid::State::Moved;
                given.push(moved);
            }
        }
        if let Some(first) = given.first_mut() {
            first.cdr.ladder = std::mem::take(&mut self.ladder);
        }
        turn.out.push(Action::HandOver { to, query, handover: Some(Box::new(Handover { leg, paid: given })) });
        let reply = Reply { q850: Some(16), ..Reply::plain(200) };
        self.finish(turn, Ending { cause: Cause::Transferred, side: HangupSide::Platform, refusal: None, reply });
    }

    /// NOTIFY of how the transfer goes (RFC 3515 §2.4.4): a status line and nothing else of the new leg.
    pub(crate) fn notify_transfer(&mut self, turn: &mut Turn<'_>, status: u16, last: bool) {
        let Some((by, id, left)) = self.transfer.as_ref().map(|transfer| (transfer.by, transfer.id, transfer.left))
        else {
            return;
        };
        if left {
            return;
        }
        let client = self.next_client();
        let Some(leg) = self.leg_mut(by).filter(|leg| leg.state == State::Confirmed) else { return };
        let state = if last { "terminated;reason=noresource" } else { "active;expires=180" };
        let builder = leg
            .dialog
            .request(Method::Notify)
            .header(Name::Contact, &leg.dialog.contact)
            .header(Name::Event, format!("refer;id={id}"))
            .header(Name::SubscriptionState, state)
            .body("message/sipfrag;version=2.0", format!("SIP/2.0 {status} {}\r\n", reason(status)));
        let (flow, bytes) = (leg.dialog.flow, builder.build());
        self.errands.push((client, Errand::Notify));
        turn.request(client, flow, bytes);
    }

    /// The transfer led nowhere: partner and transferor go on; if that one has left, it is the end.
    pub(crate) fn on_transfer_failed(&mut self, turn: &mut Turn<'_>, places: &[u8], reply: Reply) {
        self.notify_transfer(turn, reply.status, true);
        for place in places {
            self.settle(turn, *place);
        }
        let left = self.transfer.take().is_some_and(|transfer| transfer.left);
        if left {
            let reply = Reply { q850: Some(16), ..reply };
            self.finish(turn, Ending { cause: Cause::Transferred, side: HangupSide::Platform, refusal: None, reply });
        }
    }

    /// A party of a transfer hung up. Says whether the call goes on without it.
    pub(crate) fn on_transfer_party_left(&mut self, _turn: &mut Turn<'_>, id: LegId) -> bool {
        let Some(transfer) = &mut self.transfer else { return false };
        if transfer.by != id {
            return false;
        }
        // Many phones hang up on the 202 already; the partner waits for the new one.
        transfer.left = true;
        true
    }

    /// The transferor has done its part.
    pub(crate) fn release_transferor(&mut self, turn: &mut Turn<'_>) {
        self.notify_transfer(turn, 200, true);
        let Some(by) = self.transfer.as_ref().map(|transfer| transfer.by) else { return };
        self.timers.disarm(Timer::Session(by));
        self.timers.disarm(Timer::Glare(by));
        self.abandon_requests(turn, by);
        match self.leg_mut(by) {
            Some(leg) if leg.state == State::Confirmed && leg.unacked.is_some() => leg.state = State::Leaving,
            Some(leg) if leg.state == State::Confirmed => self.send_bye(turn, by),
            _ => {}
        }
        if let Some(transfer) = &mut self.transfer {
            transfer.left = true;
            transfer.joined = true;
        }
    }

    /// A leg that came too late for its transfer is hung up, and its money settled.
    fn adopt_lost(&mut self, turn: &mut Turn<'_>, handover: Handover) {
        let Handover { mut leg, paid } = handover;
        leg.id = self.next_leg();
        let id = leg.id;
        self.legs.push(leg);
        self.paid.extend(paid);
        let (now, wall) = (turn.now, turn.wall);
        if self.ending.is_some() {
            for paid in
                self.paid.iter_mut().filter(|paid| paid.is_open() && paid.answered.is_some() && paid.ended.is_none())
            {
                paid.ended = Some((now, wall));
            }
        }
        self.send_bye(turn, id);
        let first = self.paid.len() - self.paid.iter().rev().take_while(|paid| paid.call != self.id).count();
        for place in first..self.paid.len() {
            let paid = &mut self.paid[place];
            paid.ended = paid.ended.or(Some((now, wall)));
            self.settle(turn, u8::try_from(place).unwrap_or(u8::MAX));
        }
    }

    /// When the earliest paid time ends; for the snapshot.
    pub(crate) fn paid_until(&self) -> Mono {
        self.paid.iter().filter(|paid| paid.is_open()).map(|paid| paid.paid_until()).min().unwrap_or(Mono::NEVER)
    }
}
