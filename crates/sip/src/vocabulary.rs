//! The field's common vocabulary, rsip's, and ours: conversions both ways. The only file that names rsip.
//!
//! rsip reads a part of SIP only, and writes less; so it is never the way in or out. What it can read, it must read as
//! we do: that is what the tests here hold us to.

use tollgate_types::Transport;

use crate::wire::{Message, Method, Name};

/// Something that rsip has no word for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWord {
    /// An extension method.
    #[error("rsip has no method {0}")]
    Method(Box<str>),
    /// A message that rsip cannot read, in its words.
    #[error("rsip cannot read the message: {0}")]
    Message(String),
}

impl TryFrom<&Method> for rsip::Method {
    type Error = NoWord;
    fn try_from(method: &Method) -> Result<rsip::Method, NoWord> {
        Ok(match method {
            Method::Invite => rsip::Method::Invite,
            Method::Ack => rsip::Method::Ack,
            Method::Bye => rsip::Method::Bye,
            Method::Cancel => rsip::Method::Cancel,
            Method::Register => rsip::Method::Register,
            Method::Options => rsip::Method::Options,
            Method::Prack => rsip::Method::PRack,
            Method::Update => rsip::Method::Update,
            Method::Info => rsip::Method::Info,
            Method::Refer => rsip::Method::Refer,
            Method::Message => rsip::Method::Message,
            Method::Subscribe => rsip::Method::Subscribe,
            Method::Notify => rsip::Method::Notify,
            Method::Publish => rsip::Method::Publish,
            Method::Other(token) => return Err(NoWord::Method(token.clone())),
        })
    }
}

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Method {
        match method {
            rsip::Method::Invite => Method::Invite,
            rsip::Method::Ack => Method::Ack,
            rsip::Method::Bye => Method::Bye,
            rsip::Method::Cancel => Method::Cancel,
            rsip::Method::Register => Method::Register,
            rsip::Method::Options => Method::Options,
            rsip::Method::PRack => Method::Prack,
            rsip::Method::Update => Method::Update,
            rsip::Method::Info => Method::Info,
            rsip::Method::Refer => Method::Refer,
            rsip::Method::Message => Method::Message,
            rsip::Method::Subscribe => Method::Subscribe,
            rsip::Method::Notify => Method::Notify,
            rsip::Method::Publish => Method::Publish,
        }
    }
}

/// Our transport in rsip's words.
pub fn transport_word(transport: Transport) -> rsip::Transport {
    match transport {
        Transport::Udp => rsip::Transport::Udp,
        Transport::Tcp => rsip::Transport::Tcp,
        Transport::Tls => rsip::Transport::Tls,
        Transport::Ws => rsip::Transport::Ws,
        Transport::Wss => rsip::Transport::Wss,
    }
}

/// rsip's transport in ours; SCTP is none of them.
pub fn transport_of(word: rsip::Transport) -> Option<Transport> {
    match word {
        rsip::Transport::Udp => Some(Transport::Udp),
        rsip::Transport::Tcp => Some(Transport::Tcp),
        rsip::Transport::Tls => Some(Transport::Tls),
        rsip::Transport::Ws => Some(Transport::Ws),
        rsip::Transport::Wss => Some(Transport::Wss),
        rsip::Transport::Sctp | rsip::Transport::TlsSctp => None,
    }
}

/// A status in rsip's words. Its own names are no reason phrases: see [`crate::wire::reason`].
pub fn status_word(status: u16) -> rsip::StatusCode {
    rsip::StatusCode::from(status)
}

/// The message as rsip sees it, for interchange: long names, nothing folded, one value a line.
impl TryFrom<&Message> for rsip::SipMessage {
    type Error = NoWord;
    fn try_from(message: &Message) -> Result<rsip::SipMessage, NoWord> {
        let mut text = match (message.method(), message.status()) {
            (Some(method), _) => format!("{} {} SIP/2.0\r\n", rsip::Method::try_from(method)?, message.request_uri()),
            (None, status) => format!("SIP/2.0 {} {}\r\n", status.unwrap_or_default(), message.reason()),
        };
        for (name, line) in message.iter() {
            for value in crate::wire::split_list(line).filter(|_| name.is_list()) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            if !name.is_list() && name != Name::ContentLength {
                text.push_str(&format!("{name}: {line}\r\n"));
            }
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(message.body());
        rsip::SipMessage::try_from(bytes).map_err(|error| NoWord::Message(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rsip::headers::{ToTypedHeader, UntypedHeader};
    use rsip::message::{HasHeaders, HeadersExt};

    use super::*;
    use crate::wire::{RequestBuilder, tests};

    #[test]
    fn words_go_there_and_back() {
        for method in Method::KNOWN {
            let word = rsip::Method::try_from(&method).expect("known to both");
            assert_eq!((Method::from(word), word.to_string()), (method.clone(), method.as_str().to_owned()));
        }
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss] {
            assert_eq!(transport_of(transport_word(transport)), Some(transport));
            assert_eq!(transport_word(transport).to_string(), transport.via_token());
        }
        for status in [100, 180, 200, 302, 401, 407, 486, 503, 603] {
            assert_eq!(status_word(status).code(), status);
        }
    }

    #[test]
    fn compact_and_listed_headers_reach_rsip_one_by_one() {
        let message = tests::parsed(tests::INVITE);
        let theirs = rsip::SipMessage::try_from(&message).expect("readable when spelled out");
        assert_eq!(theirs.headers().iter().filter(|header| matches!(header, rsip::Header::Via(_))).count(), 2);
        assert_eq!(theirs.call_id_header().expect("there").value(), message.call_id());
    }

    /// What both read, both read alike.
    fn agree(bytes: &Bytes) -> Result<bool, TestCaseError> {
        let (Ok(ours), Ok(theirs)) = (Message::parse(bytes.clone()), rsip::SipMessage::try_from(bytes.to_vec())) else {
            return Ok(false);
        };
        if let rsip::SipMessage::Request(request) = &theirs {
            prop_assert_eq!(ours.method().cloned(), Some(Method::from(request.method)));
            prop_assert_eq!(ours.request_uri(), request.uri.to_string());
        }
        let call_id = theirs.call_id_header().ok().map(|header| header.value().to_owned());
        prop_assert_eq!(call_id.as_deref(), Some(ours.call_id()));
        let cseq = theirs.cseq_header().ok().and_then(|header| header.typed().ok());
        prop_assert_eq!(
            cseq.map(|cseq| (cseq.seq, Method::from(cseq.method))),
            Some((ours.cseq().number, ours.cseq().method))
        );
        let from = theirs.from_header().ok().and_then(|header| header.typed().ok());
        let tag = from.and_then(|from| from.tag().map(|tag| tag.value().to_owned()));
        prop_assert_eq!(tag.as_deref(), ours.from().tag());
        let body = match &theirs {
            rsip::SipMessage::Request(request) => &request.body,
            rsip::SipMessage::Response(response) => &response.body,
        };
        prop_assert_eq!(&body[..], &ours.body()[..]);
        Ok(true)
    }

    proptest! {
        #[test]
        fn both_read_alike_what_both_can_read(
            method in 0..Method::KNOWN.len(),
            (user, host, port) in ("[a-z0-9]{1,8}", "[a-z]{1,8}\\.[a-z]{2,3}", 1024u16..),
            (call_id, tag, number) in ("[a-z0-9]{1,20}(@[a-z.0-9]{1,9}[a-z])?", "[a-zA-Z0-9]{1,12}", 0u32..=i32::MAX as u32),
            body in "[ -~]{0,60}",
        ) {
            let method = &Method::KNOWN[method];
            let bytes = RequestBuilder::new(method, &format!("sip:{user}@{host}:{port}"))
                .header(Name::Via, format!("SIP/2.0/UDP {host}:{port};branch=z9hG4bK{tag}"))
                .header(Name::From, format!("<sip:{user}@{host}>;tag={tag}"))
                .header(Name::To, format!("<sip:{user}@{host}>"))
                .header(Name::CallId, &call_id)
                .header(Name::CSeq, format!("{number} {method}"))
                .body("text/plain", body)
                .build();
            prop_assert!(agree(&bytes)?, "one of the two cannot read {:?}", bytes);
        }
    }
}
