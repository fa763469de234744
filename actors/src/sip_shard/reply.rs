//! Answers that need nobody's state.

use tollgate_call::replies::Fault;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name, ResponseBuilder};
use tollgate_types::{Flow, Mono};

use super::SipShard;
use crate::edge::EdgeCounts;

/// What we do (RFC 3261 §20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY, MESSAGE, REGISTER";
/// Extensions that we know, as OPTIONS tells them.
const SUPPORTED: [&str; 5] = ["100rel", "timer", "replaces", "norefersub", "path"];

impl SipShard {
    /// Answers a request in its transaction.
    pub(super) fn answer(&mut self, key: ServerKey, message: &Message, flow: &Flow, status: u16, now: Mono) {
        let tag = self.tokens.tag();
        let bare = ResponseBuilder::to(message, flow, status, None).tag(&tag);
        if self.is_held_short(flow) {
            return self.respond_within(key, message, bare.build(), status, now);
        }
        let mut builder = bare;
        if matches!(status, 200 | 405 | 501) {
            builder = builder.header(Name::Allow, ALLOW);
        }
        if status == 200 && message.method() == Some(&Method::Options) {
            builder = builder.header(Name::Accept, "application/sdp").header(Name::Supported, SUPPORTED.join(", "));
        }
        if status == 503 {
            builder = builder.header(Name::RetryAfter, self.house.retry_after_secs().to_string());
        }
        self.layer.respond(key, builder.build(), status, now, &mut self.out);
    }

    /// May no answer be larger than the request? So it is for datagrams whose source has not shown that it receives what is
    /// sent there.
    fn is_held_short(&self, flow: &Flow) -> bool {
        !self.house.gate.is_verified(flow)
    }

    /// Answers with what was found wrong, barely where the full answer is more than was asked.
    pub(super) fn answer_fault(&mut self, key: ServerKey, message: &Message, flow: &Flow, fault: &Fault, now: Mono) {
        let bytes = fault.answer(message, flow, &self.tokens.tag());
        if bytes.len() > message.as_bytes().len() && self.is_held_short(flow) {
            return self.answer(key, message, flow, fault.status, now);
        }
        self.layer.respond(key, bytes, fault.status, now, &mut self.out);
    }

    /// Answers without optional headers, and not at all where even that is more than was asked.
    fn respond_within(&mut self, key: ServerKey, message: &Message, response: bytes::Bytes, status: u16, now: Mono) {
        if response.len() <= message.as_bytes().len() {
            self.layer.respond(key, response, status, now, &mut self.out);
        } else {
            metrics::counter!("tollgate_answers_withheld_total").increment(1);
            self.layer.forget(key);
        }
    }

    /// Answers without keeping anything; the ACK of an INVITE so answered is known by its tag.
    pub(super) fn answer_alone(&mut self, message: &Message, flow: &Flow, status: u16) {
        let tag = self.layer.stateless_tag(message);
        let mut builder = ResponseBuilder::to(message, flow, status, None).tag(&tag);
        if status == 503 {
            builder = builder.header(Name::RetryAfter, self.house.retry_after_secs().to_string());
        }
        let bytes = builder.build();
        self.send_at_most(flow, bytes, message.as_bytes().len());
    }

    /// No room for more work: early and cheap.
    pub(super) fn refuse_overloaded(&mut self, message: &Message, flow: &Flow) {
        metrics::counter!("tollgate_overload_refused_total").increment(1);
        EdgeCounts::bump(&self.house.edge_counts.overload, 1);
        if message.method().is_some_and(|method| *method != Method::Ack) {
            self.answer_alone(message, flow, 503);
        }
    }
}

/// A stranger's text, fit for a log line.
pub fn loggable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(128).collect()
}
