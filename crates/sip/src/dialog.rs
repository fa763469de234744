//! A dialog, RFC 3261 §12: what two ends must both remember to recognise each other's requests.
//!
//! Kept by a call, one for each leg. It writes the requests inside the dialog (all but the top Via, which the
//! transaction layer adds), checks the order of the peer's, and remembers the path back.

use std::borrow::Cow;

use tollgate_types::Flow;

use crate::header::NameAddr;
use crate::wire::{Message, Method, Name, RequestBuilder};

mod path;
mod remember;

pub use path::{next_hop, reconnect};
pub use remember::Forgotten;

/// One end's view of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// The Call-ID header.
    pub call_id: Box<str>,
    /// Our tag.
    pub local_tag: Box<str>,
    /// The peer's tag; empty for a peer of RFC 2543.
    pub remote_tag: Box<str>,
    /// Our From (in requests we send), without tag.
    pub local: Box<str>,
    /// Our To, without tag.
    pub remote: Box<str>,
    /// The Contact we told the peer, as a header value.
    pub contact: Box<str>,
    /// Where the peer takes requests: the URI of its latest Contact.
    pub target: Box<str>,
    /// The route set, in the order we write it.
    pub routes: Box<[Box<str>]>,
    /// What bytes go out by.
    pub flow: Flow,
    /// The CSeq of our last request.
    pub local_seq: u32,
    /// The CSeq of the peer's last request.
    pub remote_seq: Option<u32>,
}

/// What we know of a dialog before the peer's first answer: the INVITE we sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sprout {
    /// The Call-ID header.
    pub call_id: Box<str>,
    /// Our tag.
    pub local_tag: Box<str>,
    /// Our From: name and URI in brackets, without tag.
    pub local: Box<str>,
    /// Our To, likewise.
    pub remote: Box<str>,
    /// Our Contact, as a header value.
    pub contact: Box<str>,
    /// Request-URI.
    pub target: Box<str>,
    /// Route headers written into the request, such as the Path of a binding.
    pub routes: Box<[Box<str>]>,
    /// What the request goes out by.
    pub flow: Flow,
    /// The CSeq of the request.
    pub seq: u32,
}

/// How a request of the peer's fits into the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The next one.
    Next,
    /// Older than one already seen: answer 500 (RFC 3261 §12.2.2).
    Stale,
}

impl Sprout {
    /// A request outside a dialog, or the one that begins it.
    pub fn request(&self, method: Method, max_forwards: u8) -> RequestBuilder {
        let (uri, routes) = path::aim(&self.target, &self.routes);
        RequestBuilder::new(&method, &uri)
            .header(Name::MaxForwards, max_forwards.to_string())
            .header(Name::From, tagged(&self.local, &self.local_tag))
            .header(Name::To, &self.remote)
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format!("{} {method}", self.seq))
            .headers(Name::Route, routes)
    }
}

impl Dialog {
    /// The dialog that our 1xx or 2xx to `invite` begins, RFC 3261 §12.1.1.
    pub fn accept(invite: &Message, local_tag: &str, contact: &str, flow: Flow) -> Dialog {
        Dialog {
            call_id: invite.call_id().into(),
            local_tag: local_tag.into(),
            remote_tag: tags(invite).0.into(),
            local: address_of(&invite.to()).into(),
            remote: address_of(&invite.from()).into(),
            contact: contact.into(),
            target: contact_of(invite).unwrap_or_default().into(),
            routes: invite.headers(Name::RecordRoute).map(Box::from).collect(),
            flow,
            local_seq: 0,
            remote_seq: Some(invite.cseq().number),
        }
    }

    /// The dialog that `response`, a 1xx with a tag or a 2xx, begins with us, RFC 3261 §12.1.2.
    pub fn begin(sprout: &Sprout, response: &Message, flow: Flow) -> Dialog {
        let mut routes: Vec<Box<str>> = response.headers(Name::RecordRoute).map(Box::from).collect();
        routes.reverse();
        Dialog {
            call_id: sprout.call_id.clone(),
            local_tag: sprout.local_tag.clone(),
            remote_tag: tags(response).1.into(),
            local: sprout.local.clone(),
            remote: sprout.remote.clone(),
            contact: sprout.contact.clone(),
            target: contact_of(response).map_or_else(|| sprout.target.clone(), Into::into),
            routes: routes.into(),
            flow,
            local_seq: sprout.seq,
            remote_seq: None,
        }
    }

    /// Does a request or response with these belong to it? Tags as seen from our end.
    pub fn is(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
        *self.call_id == *call_id && *self.local_tag == *local_tag && *self.remote_tag == *remote_tag
    }

    /// Does this request of the peer's belong to it?
    pub fn fits(&self, request: &Message) -> bool {
        let (from, to) = tags(request);
        self.is(request.call_id(), to, from)
    }

    /// Takes note of a request's CSeq; not for ACK and CANCEL, which repeat one. Retransmissions never come here.
    pub fn take(&mut self, request: &Message) -> Order {
        let number = request.cseq().number;
        if self.remote_seq.is_some_and(|last| number <= last) {
            return Order::Stale;
        }
        self.remote_seq = Some(number);
        Order::Next
    }

    /// Follows the peer to a new Contact: for INVITE and UPDATE and their 2xx (target refresh, RFC 3261 §12.2).
    pub fn refresh(&mut self, message: &Message) {
        if let Some(target) = contact_of(message)
            && *target != *self.target
        {
            self.target = target.into();
        }
    }

    /// The next request inside the dialog, with Via, Contact and body still to come.
    pub fn request(&mut self, method: Method) -> RequestBuilder {
        self.local_seq += 1;
        self.build(method, self.local_seq)
    }

    /// The ACK to a 2xx of our INVITE with CSeq `seq`, RFC 3261 §13.2.2.4.
    pub fn ack(&self, seq: u32) -> RequestBuilder {
        self.build(Method::Ack, seq)
    }

    fn build(&self, method: Method, seq: u32) -> RequestBuilder {
        let (uri, routes) = path::aim(&self.target, &self.routes);
        let remote = if self.remote_tag.is_empty() {
            Cow::Borrowed(&*self.remote)
        } else {
            Cow::Owned(tagged(&self.remote, &self.remote_tag))
        };
        RequestBuilder::new(&method, &uri)
            .header(Name::MaxForwards, MAX_FORWARDS)
            .header(Name::From, tagged(&self.local, &self.local_tag))
            .header(Name::To, remote)
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format!("{seq} {method}"))
            .headers(Name::Route, routes)
    }
}

/// What a request starts with, RFC 3261 §8.1.1.6.
const MAX_FORWARDS: &str = "70";

/// From-tag and To-tag of a message, empty where there is none.
pub fn tags(message: &Message) -> (&str, &str) {
    (message.from().tag().unwrap_or_default(), message.to().tag().unwrap_or_default())
}

/// The URI of the first Contact.
pub fn contact_of(message: &Message) -> Option<&str> {
    let contact = message.addresses(Name::Contact).next()?;
    contact.is_readable().then_some(contact.uri_raw)
}

/// A From or To as we write it back: name and URI as they came, without tag and other parameters.
pub fn address_of(value: &NameAddr<'_>) -> String {
    match value.display_raw {
        "" => format!("<{}>", value.uri_raw),
        name => format!("{name} <{}>", value.uri_raw),
    }
}

fn tagged(value: &str, tag: &str) -> String {
    format!("{value};tag={tag}")
}

#[cfg(test)]
mod tests;
