//! Answers that need nobody's state.

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
        let mut builder = ResponseBuilder::to(message, flow, status, None).tag(&tag);
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

    /// Answers without keeping anything; the ACK of an INVITE so answered is known by its tag.
    pub(super) fn answer_alone(&mut self, message: &Message, flow: &Flow, status: u16) {
        let tag = self.layer.stateless_tag(message);
        let mut builder = ResponseBuilder::to(message, flow, status, None).tag(&tag);
        if status == 503 {
            builder = builder.header(Name::RetryAfter, self.house.retry_after_secs().to_string());
        }
        let bytes = builder.build();
        self.send(flow, bytes);
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
