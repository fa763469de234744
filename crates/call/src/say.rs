//! What we write into messages, the same everywhere: nothing of the other side's, nothing of our insides.

use std::fmt::Write as _;

use bytes::Bytes;
use tollgate_sip::header::NameAddr;
use tollgate_sip::uri::Uri;
use tollgate_sip::wire::{Message, Method, Name, RequestBuilder, ResponseBuilder};
use tollgate_types::{Flow, Transport};

use crate::leg::{Asking, Leg};
use crate::party::Identity;
use crate::policy::Policy;
use crate::refusal::Reply;

/// What may be asked of us inside a dialog, and INVITE.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, MESSAGE";
/// Extensions that we understand.
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces";
/// The same without reliable provisional responses: an offer in one of them would need an answer before the caller has one.
pub(crate) const SUPPORTED_DELAYED: &str = "timer, replaces";
/// The only body of an INVITE.
pub(crate) const SDP: &str = "application/sdp";

/// Our Contact on `flow`, as a header value.
pub(crate) fn contact(policy: &Policy, flow: &Flow) -> String {
    let mut uri = String::from("<sip:tg@");
    let local = flow.local;
    // Writing to a String cannot fail.
    let _ = match (&policy.advertise, local.ip()) {
        (Some(host), _) => write!(uri, "{host}:{}", local.port()),
        (None, ip) if ip.to_canonical().is_ipv4() => write!(uri, "{}:{}", ip.to_canonical(), local.port()),
        (None, ip) => write!(uri, "[{ip}]:{}", local.port()),
    };
    if flow.transport != Transport::Udp {
        let _ = write!(uri, ";transport={}", flow.transport);
    }
    uri.push('>');
    uri
}

/// From, P-Asserted-Identity and Privacy for one receiver.
pub(crate) struct Shown {
    /// Name and URI in brackets.
    pub from: String,
    pub asserted: Option<String>,
}

impl Identity {
    /// As headers, with `domain` as our name. RFC 3323 §4.1: a withheld caller is `anonymous.invalid`.
    pub(crate) fn shown(&self, domain: &str) -> Shown {
        let uri = |user: &str| Uri::sip(domain).user(user).build();
        let display = Some(&*self.display).filter(|name| !name.is_empty());
        let from = if self.withheld {
            NameAddr::write(Some("Anonymous"), "sip:anonymous@anonymous.invalid", &[])
        } else {
            NameAddr::write(display, uri(&self.user).as_str(), &[])
        };
        let asserted = self.asserted.as_deref().map(|user| {
            let display = display.filter(|_| !self.withheld);
            NameAddr::write(display, uri(user).as_str(), &[])
        });
        Shown { from, asserted }
    }
}

/// Adds what tells the caller's identity beyond From.
pub(crate) fn identify(mut builder: RequestBuilder, identity: &Identity, shown: &Shown) -> RequestBuilder {
    if let Some(asserted) = &shown.asserted {
        builder = builder.header(Name::PAssertedIdentity, asserted);
    }
    if identity.withheld { builder.header(Name::Privacy, "id") } else { builder }
}

/// Adds a body of SDP, if there is one.
pub(crate) fn with_sdp(builder: RequestBuilder, body: Option<Bytes>) -> RequestBuilder {
    match body {
        Some(body) => builder.body(SDP, body),
        None => builder,
    }
}

impl Leg {
    /// A response of ours in this leg's dialog, or to the INVITE that began it. What makes or keeps a dialog carries our
    /// Contact and, at its beginning, the route recorded.
    pub(crate) fn answer(&self, request: &Message, flow: &Flow, status: u16) -> ResponseBuilder {
        let builder = ResponseBuilder::to(request, flow, status, None).tag(&self.dialog.local_tag);
        let method = request.method();
        let is_invite = method == Some(&Method::Invite);
        match status {
            101..=299 if is_invite => builder
                .copy(request, Name::RecordRoute)
                .header(Name::Contact, &self.dialog.contact)
                .header(Name::Allow, ALLOW)
                .header(Name::Supported, SUPPORTED),
            200..=299 if method == Some(&Method::Update) => {
                builder.header(Name::Contact, &self.dialog.contact).header(Name::Allow, ALLOW)
            }
            200..=299 if method == Some(&Method::Options) => {
                builder.header(Name::Allow, ALLOW).header(Name::Supported, SUPPORTED).header(Name::Accept, SDP)
            }
            405 => builder.header(Name::Allow, ALLOW),
            415 => builder.header(Name::Accept, SDP),
            _ => builder,
        }
    }

    /// The final refusal of an INVITE, with its cause.
    pub(crate) fn refuse(&self, asking: &Asking, reply: &Reply) -> Bytes {
        let mut builder = self.answer(&asking.message, &asking.flow, reply.status);
        if let Some(reason) = reply.reason() {
            builder = builder.header(Name::Reason, reason);
        }
        if let Some(seconds) = reply.retry_after {
            builder = builder.header(Name::RetryAfter, seconds.to_string());
        }
        builder.build()
    }
}
