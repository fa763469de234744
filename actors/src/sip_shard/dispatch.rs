//! What came in, and what the transaction layer makes of it: to whom it goes.

use actix::prelude::*;
use tollgate_call::Event;
use tollgate_sip::transaction::{self, Action, ServerKey};
use tollgate_sip::wire::{Message, Method};
use tollgate_types::{Flow, Mono};

use super::SipShard;
use super::call_book::CallSlot;
use crate::carrier;
use crate::edge::Raw;
use crate::gate::Note;

impl SipShard {
    /// One framed message: parsed, answered where it is broken but well meant, or given to the layer.
    pub(super) fn take_in(&mut self, raw: Raw, now: Mono) {
        let length = raw.bytes.len();
        let message = match Message::parse(raw.bytes) {
            Ok(message) => message,
            Err(malformed) => {
                metrics::counter!("tollgate_sip_malformed_total", "reason" => malformed.reason).increment(1);
                self.house.gate.note(&raw.flow, Note::Wrong);
                if let Some(answer) = malformed.answer {
                    let tag = self.tokens.tag();
                    self.send_at_most(&raw.flow, answer.build(&raw.flow, &tag), length);
                }
                return;
            }
        };
        if message.header_lines() > self.house.tuned.load().edge.headers_max {
            metrics::counter!("tollgate_sip_malformed_total", "reason" => "Too Many Headers").increment(1);
            if message.method().is_some_and(|method| *method != Method::Ack) {
                self.answer_alone(&message, &raw.flow, 400);
            }
            return;
        }
        // A folded Call-ID was not found by the reader's scan: now it is, and the call may live elsewhere.
        if self.house.shards().count() > 1 {
            let home = self.house.shards().index_of_call(message.call_id());
            if home != self.index {
                let raw = Raw { bytes: message.as_bytes().clone(), flow: raw.flow };
                let _ = self.house.shards().by_index(usize::from(home)).try_send(super::Inbound(vec![raw]));
                return;
            }
        }
        if !self.house.gate.heeds(&message, &raw.flow) {
            return;
        }
        match message.method() {
            Some(Method::Register) => self.register(message, raw.flow, now),
            // Known ones go on; new ones must show who they are before anything is kept.
            Some(Method::Invite) if message.to().tag().is_none() && !self.layer.knows(&message) => {
                self.knock(message, raw.flow, now)
            }
            _ => self.layer.handle_message(message, raw.flow, now, &mut self.out),
        }
    }

    /// Does what the layer wants.
    pub(super) fn dispatch(&mut self, action: Action, now: Mono, ctx: &mut Context<SipShard>) {
        match action {
            Action::Send { flow, bytes } => {
                let lost = !self.house.wires.is_open(&flow);
                let anew = if lost { transaction::reply_anew(&bytes, flow) } else { None };
                let flow = anew.unwrap_or(flow);
                if self.house.wires.send(&flow, bytes).is_err() {
                    metrics::counter!("tollgate_sip_unsent_total").increment(1);
                    self.layer.handle_unreachable(&flow, now, &mut self.out);
                }
            }
            Action::Request { key, message, flow } => self.request(key, message, flow, now, ctx),
            Action::Cancelled { key, owner, message } => {
                match owner.and_then(|owner| CallSlot::of_owner(owner, &self.calls)) {
                    Some((slot, _)) => self.calls.tell(slot, Event::Cancelled { key, message }),
                    None => self.waiting.cancelled(key, message),
                }
            }
            Action::Ack { message, flow, .. } => match self.calls.by_call_id(message.call_id()) {
                Some(slot) => self.calls.tell(slot, Event::Ack { message, flow }),
                None => {
                    self.house.gate.note(&flow, Note::Wrong);
                    metrics::counter!("tollgate_sip_stray_total", "what" => "ack").increment(1)
                }
            },
            Action::AckMissing { key, owner } => {
                if let Some((slot, _)) = owner.and_then(|owner| CallSlot::of_owner(owner, &self.calls)) {
                    self.calls.tell(slot, Event::AckMissing { key });
                }
            }
            Action::Response { owner, message, flow, .. } => {
                self.house.gate.note(&flow, Note::Answered);
                self.response(owner, message, flow)
            }
            Action::StrayResponse { flow, .. } => {
                self.house.gate.note(&flow, Note::Wrong);
                metrics::counter!("tollgate_sip_stray_total", "what" => "response").increment(1)
            }
            Action::TimedOut { owner, .. } => self.no_answer(owner, |client| Event::TimedOut { client }, 408),
            Action::Unreachable { owner, .. } => self.no_answer(owner, |client| Event::Unreachable { client }, 503),
            Action::ServerGone { key, .. } => self.waiting.forget(key),
            Action::Overloaded { message, flow } => self.refuse_overloaded(&message, &flow),
        }
    }

    fn response(&mut self, owner: u64, message: Message, flow: Flow) {
        if let Some((trunk, errand)) = carrier::of_owner(owner) {
            if let Some(carrier) = self.roster.carrier(trunk) {
                let _ = carrier.try_send(carrier::Heard {
                    errand,
                    status: message.status().unwrap_or(0),
                    message: Some(message),
                });
            }
        } else if let Some(relay) = super::front::Relayed::of_owner(owner) {
            self.relay_answer(relay, Some(message));
        } else if let Some((slot, client)) = CallSlot::of_owner(owner, &self.calls) {
            self.calls.tell(slot, Event::Response { client, message, flow });
        }
    }

    fn no_answer(&mut self, owner: u64, event: impl FnOnce(tollgate_call::Client) -> Event, status: u16) {
        if let Some((trunk, errand)) = carrier::of_owner(owner) {
            if let Some(carrier) = self.roster.carrier(trunk) {
                let _ = carrier.try_send(carrier::Heard { errand, status, message: None });
            }
        } else if let Some(relay) = super::front::Relayed::of_owner(owner) {
            self.relay_answer(relay, None);
        } else if let Some((slot, client)) = CallSlot::of_owner(owner, &self.calls) {
            self.calls.tell(slot, event(client));
        }
    }

    /// A request in a transaction of its own.
    fn request(&mut self, key: ServerKey, message: Message, flow: Flow, now: Mono, ctx: &mut Context<SipShard>) {
        if message.to().tag().is_some() {
            match self.calls.by_call_id(message.call_id()) {
                Some(slot) => {
                    self.layer.claim(key, slot.owner(tollgate_call::Client(u32::MAX)));
                    self.calls.tell(slot, Event::Request { key, message, flow });
                }
                None => {
                    self.house.gate.note(&flow, Note::Wrong);
                    self.answer(key, &message, &flow, 481, now);
                }
            }
            return;
        }
        self.outside(key, message, flow, now, ctx);
    }

    /// Puts an answer on a flow outside any transaction, unless it would make more of a stranger's datagram than it was:
    /// who spoofs his address gains nothing by us.
    pub(super) fn send_at_most(&self, flow: &Flow, bytes: bytes::Bytes, most: usize) {
        if bytes.len() <= most || self.house.gate.is_verified(flow) {
            return self.send(flow, bytes);
        }
        metrics::counter!("tollgate_answers_withheld_total").increment(1);
    }

    /// Puts bytes on a flow outside any transaction.
    pub(super) fn send(&self, flow: &Flow, bytes: bytes::Bytes) {
        if self.house.wires.send(flow, bytes).is_err() {
            metrics::counter!("tollgate_sip_unsent_total").increment(1);
        }
    }
}
