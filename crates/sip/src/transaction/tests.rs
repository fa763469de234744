//! Stories of one layer: what goes in, what comes out.

use std::time::Duration;

use bytes::Bytes;
use tollgate_types::{ConnId, Flow, Mono, Seed, Transport};

use super::*;
use crate::wire::ResponseBuilder;

/// A request from a stranger.
pub(super) fn request(method: &str, via: &str, cseq: &str) -> Message {
    let text = format!(
        "{method} sip:bob@b.example SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@a.example>;tag=1\r\n\
         To: <sip:bob@b.example>\r\nCall-ID: story@a.example\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

/// Between 192.0.2.1:5060, them, and 192.0.2.9:5060, us.
pub(super) fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: "192.0.2.9:5060".parse().unwrap(),
        peer: "192.0.2.1:5060".parse().unwrap(),
        conn: ConnId(u64::from(transport.is_reliable())),
    }
}
