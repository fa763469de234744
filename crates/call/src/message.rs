//! MESSAGE from user to user outside any call (RFC 3428): what goes on to the other's devices.

use bytes::Bytes;
use tollgate_sip::dialog::Sprout;
use tollgate_sip::token::Tokens;
use tollgate_sip::uri::Uri;
use tollgate_sip::wire::{Message, Method, Name};

use crate::party::{Identity, Place};
use crate::policy::Policy;
use crate::replies::{self, Fault};

/// RFC 3428 §8: what may travel over UDP without congestion control.
const BODY_BYTES_MAX: usize = 1300;

/// What is wrong with a MESSAGE; `None` if it may go on.
pub fn fault(message: &Message) -> Option<Fault> {
    let too_long = Fault { status: 513, header: None };
    replies::request_fault(message).or_else(|| (message.body().len() > BODY_BYTES_MAX).then_some(too_long))
}

/// The MESSAGE for one device of `to`: a request of its own that shows nothing of the sender's but his name and his words.
/// Without the top Via.
pub fn forward(
    message: &Message,
    from: &Identity,
    to: &str,
    place: &Place,
    policy: &Policy,
    tokens: &mut Tokens,
) -> Bytes {
    let sprout = Sprout {
        call_id: tokens.call_id().into(),
        local_tag: tokens.tag().into(),
        local: from.shown(&policy.domain).from.into(),
        remote: format!("<{}>", Uri::sip(&policy.domain).user(to).build().as_str()).into(),
        contact: Box::default(),
        target: place.uri.clone(),
        routes: place.routes.clone(),
        flow: place.flow,
        seq: tokens.cseq(),
    };
    let hops = message.max_forwards().unwrap_or(policy.hops_max).min(policy.hops_max).saturating_sub(1);
    let builder = sprout.request(Method::Message, hops);
    match message.header(Name::ContentType).filter(|_| !message.body().is_empty()) {
        Some(kind) => builder.body(kind, message.body().clone()).build(),
        None => builder.build(),
    }
}

/// Of several devices' answers, the one for the sender: any success, else the best refusal.
pub fn best(statuses: impl IntoIterator<Item = u16>) -> u16 {
    let mut hunt = crate::hunt::Hunt::new(crate::hunt::Purpose::Call, crate::hunt::Stage::Ringing, 0);
    for status in statuses {
        if (200..300).contains(&status) {
            return 200;
        }
        hunt.weigh(crate::refusal::Reply::plain(status));
    }
    hunt.best.map_or(480, |reply| reply.status)
}

#[cfg(test)]
mod tests {
    use tollgate_settings::Values;
    use tollgate_types::{ConnId, Flow, Seed, Transport};

    use super::*;
    use crate::policy::Host;

    #[test]
    fn words_go_on_and_addresses_stay_behind() {
        let text = "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK1\r\nMax-Forwards: 5\r\n\
                    From: <sip:alice@198.51.100.1>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: c@198.51.100.1\r\n\
                    CSeq: 1 MESSAGE\r\nUser-Agent: Secret\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
        let message = Message::parse(Bytes::from(text)).unwrap();
        assert_eq!(fault(&message), None);
        let place = Place {
            uri: "sip:bob@203.0.113.1:5062".into(),
            flow: Flow {
                transport: Transport::Udp,
                local: "192.0.2.1:5060".parse().unwrap(),
                peer: "203.0.113.1:5062".parse().unwrap(),
                conn: ConnId(0),
            },
            routes: Box::new([]),
            login: None,
        };
        let policy = Policy::read(&Values::default(), &Host { domain: "example.com".into(), ..Host::default() });
        let from = Identity { user: "alice".into(), display: "Alice".into(), ..Identity::default() };
        let bytes = forward(&message, &from, "bob", &place, &policy, &mut Tokens::new(Seed([1; 4]), 2));
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.starts_with("MESSAGE sip:bob@203.0.113.1:5062 SIP/2.0\r\n"));
        assert!(text.contains("From: \"Alice\" <sip:alice@example.com>;tag="));
        assert!(text.contains("Max-Forwards: 4\r\n") && text.ends_with("\r\n\r\nhello"));
        assert!(!text.contains("198.51.100.1") && !text.contains("Secret"));
    }

    #[test]
    fn one_device_that_has_it_is_enough() {
        for (statuses, status) in [(&[480, 200, 486][..], 200), (&[408, 415], 415), (&[], 480)] {
            assert_eq!(best(statuses.iter().copied()), status);
        }
    }
}
