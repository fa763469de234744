//! What could not be read as a message, and the answer that its sender deserves.

use std::fmt;

use bytes::Bytes;
use tollgate_types::Flow;

use super::message::Message;
use super::response::ResponseBuilder;

/// Bytes that are no message we can work with.
///
/// Without an [`Answer`] it is junk, a response, or an ACK: nobody is told (RFC 3261 §16.3, §17.1.1.3, §18.3).
#[derive(Clone, Debug)]
pub struct Malformed {
    /// What is wrong, fit for a log line and for a reason phrase.
    pub reason: &'static str,
    /// What is needed to tell a well-meaning sender.
    pub answer: Option<Answer>,
}

/// A refusal of a request that was nearly one.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 400, 414, 505 or 513.
    pub status: u16,
    /// The reason phrase.
    pub reason: &'static str,
    /// What could be read: a Via at least; From, To, Call-ID and CSeq where they were there.
    partial: Message,
}

impl Malformed {
    pub(crate) fn junk(reason: &'static str) -> Malformed {
        Malformed { reason, answer: None }
    }

    pub(crate) fn bad(status: u16, reason: &'static str, partial: Message) -> Malformed {
        Malformed { reason, answer: Some(Answer { status, reason, partial }) }
    }
}

impl Answer {
    /// The response, to go back on the flow that the request came by. `tag` goes to a To that has none.
    pub fn build(&self, flow: &Flow, tag: &str) -> Bytes {
        ResponseBuilder::to(&self.partial, flow, self.status, Some(self.reason)).tag(tag).build()
    }

    /// The request as far as it could be read: good for logs and counters only, its mandatory headers may be missing.
    pub fn partial(&self) -> &Message {
        &self.partial
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Malformed {}
