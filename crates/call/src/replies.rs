//! Answers to requests that no call gets: what is outside of what we do, and what is wrong with an INVITE before it is looked at.

use bytes::Bytes;
use tollgate_sip::header::SessionExpires;
use tollgate_sip::wire::{Message, Method, Name, ResponseBuilder};
use tollgate_types::Flow;

use crate::policy::Policy;
use crate::say::{ALLOW, SDP, SUPPORTED};

/// Something wrong with a request: the status, and the header that says how to do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// 400 to 501.
    pub status: u16,
    /// Name and value.
    pub header: Option<(Name<'static>, String)>,
}

impl Fault {
    fn plain(status: u16) -> Fault {
        Fault { status, header: None }
    }

    fn with(status: u16, name: Name<'static>, value: impl Into<String>) -> Fault {
        Fault { status, header: Some((name, value.into())) }
    }

    /// The response; `tag` goes to a To that has none.
    pub fn answer(&self, request: &Message, flow: &Flow, tag: &str) -> Bytes {
        let builder = ResponseBuilder::to(request, flow, self.status, None).tag(tag);
        match &self.header {
            Some((name, value)) => builder.header(*name, value).build(),
            None => builder.build(),
        }
    }
}

/// What is wrong with an INVITE that would begin a call; `None` if nothing is.
pub fn invite_fault(invite: &Message, policy: &Policy) -> Option<Fault> {
    scheme_fault(invite).or_else(|| request_fault(invite)).or_else(|| {
        if tollgate_sip::dialog::contact_of(invite).is_none() {
            return Some(Fault::plain(400));
        }
        session_fault(invite, policy)
    })
}

/// What is wrong with any request that we would otherwise serve.
pub fn request_fault(request: &Message) -> Option<Fault> {
    if request.max_forwards() == Some(0) {
        return Some(Fault::plain(483));
    }
    if let Some(fault) = require_fault(request, SUPPORTED) {
        return Some(fault);
    }
    if request.headers(Name::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Some(Fault::with(415, Name::AcceptEncoding, "identity"));
    }
    let is_offer = matches!(request.method(), Some(Method::Invite | Method::Update | Method::Prack));
    if is_offer
        && !request.body().is_empty()
        && !request.content_type().is_some_and(|kind| kind.eq_ignore_ascii_case(SDP))
    {
        return Some(Fault::with(415, Name::Accept, SDP));
    }
    None
}

/// An extension that a registrar is required to have and has not (RFC 3261 §10.3 item 2).
pub fn register_fault(request: &Message) -> Option<Fault> {
    require_fault(request, REGISTRAR_SUPPORTED)
}

/// RFC 3327 is the registrar's alone.
const REGISTRAR_SUPPORTED: &str = "path";

/// More of them are not worth repeating.
const UNSUPPORTED_TOLD: usize = 8;

fn require_fault(request: &Message, supported: &str) -> Option<Fault> {
    let unknown: Vec<&str> = request
        .headers(Name::Require)
        .filter(|tag| !supported.split(", ").any(|known| known.eq_ignore_ascii_case(tag)))
        .take(UNSUPPORTED_TOLD)
        .collect();
    (!unknown.is_empty()).then(|| Fault::with(420, Name::Unsupported, unknown.join(", ")))
}

/// A session interval too short for us: 422 (RFC 4028 §6), for peers that know of it.
pub fn session_fault(request: &Message, policy: &Policy) -> Option<Fault> {
    let asked = SessionExpires::parse(request.header(Name::SessionExpires)?)?;
    let least = policy.session_min.as_secs();
    (u64::from(asked.interval) < least).then(|| Fault::with(422, Name::MinSe, least.to_string()))
}

/// Schemes of Request-URIs that we understand.
const SCHEMES: [&str; 4] = ["sip", "sips", "tel", "urn"];

/// RFC 3261 §8.2.2.1.
fn scheme_fault(request: &Message) -> Option<Fault> {
    let scheme = request.request_uri().split(':').next().unwrap_or_default();
    (!SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))).then(|| Fault::plain(416))
}

/// Which answer a request deserves that belongs to no dialog of ours and that nobody here serves. `None`: it is served
/// elsewhere (REGISTER, INVITE, MESSAGE, OPTIONS to us) or wants no answer (ACK).
pub fn outside_fault(request: &Message) -> Option<Fault> {
    if request.method() == Some(&Method::Ack) {
        return None;
    }
    if request.to().tag().is_some() {
        return Some(Fault::plain(481));
    }
    if let Some(fault) = scheme_fault(request) {
        return Some(fault);
    }
    match request.method()? {
        Method::Invite | Method::Register | Method::Message | Method::Options => request_fault(request),
        Method::Subscribe | Method::Publish => Some(Fault::with(489, Name::AllowEvents, "refer")),
        Method::Notify | Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Cancel => {
            Some(Fault::plain(481))
        }
        Method::Refer => Some(Fault::plain(403)),
        Method::Other(_) => Some(Fault::with(501, Name::Allow, ALLOW)),
        Method::Ack => None,
    }
}

/// 200 to OPTIONS outside a dialog: what we do.
pub fn options(request: &Message, flow: &Flow, tag: &str) -> Bytes {
    ResponseBuilder::to(request, flow, 200, None)
        .tag(tag)
        .header(Name::Allow, ALLOW)
        .header(Name::Supported, SUPPORTED)
        .header(Name::Accept, SDP)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, headers: &str) -> Message {
        let text = format!(
            "{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
             Call-ID: c\r\nCSeq: 1 {method}\r\n{headers}\r\n"
        );
        Message::parse(Bytes::from(text)).expect("a test's message parses")
    }

    #[test]
    fn what_nobody_serves_gets_its_proper_answer() {
        //  method       headers                                          status
        for (method, headers, status) in [
            ("OPTIONS", "", None),
            ("OPTIONS", "Max-Forwards: 0\r\n", Some(483)),
            ("INVITE", "Require: 100rel, gruu, Timer\r\n", Some(420)),
            ("INVITE", "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx", Some(415)),
            (
                "INVITE",
                "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
                Some(415),
            ),
            ("SUBSCRIBE", "Event: presence\r\n", Some(489)),
            ("PUBLISH", "Event: presence\r\n", Some(489)),
            ("NOTIFY", "Event: refer\r\n", Some(481)),
            ("BYE", "", Some(481)),
            ("REFER", "Refer-To: <sip:x@y>\r\n", Some(403)),
            ("FETCH", "", Some(501)),
        ] {
            assert_eq!(
                outside_fault(&request(method, headers)).map(|fault| fault.status),
                status,
                "{method} {headers}"
            );
        }
    }
}
