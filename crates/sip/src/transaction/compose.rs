//! The few messages that are the layer's own, and the Via it tops every request with.

use std::net::SocketAddr;

use bytes::Bytes;
use tollgate_types::{ConnId, Flow, Transport};

use crate::header::Via;
use crate::wire::{Message, Method, Name, RequestBuilder, ResponseBuilder};

/// What our Via says of us: the address that answers are to be sent to, as `host` or `host:port`, IPv6 in brackets.
/// It is the listener's advertised address for the flow that the request goes out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentBy<'a>(pub &'a str);

/// Tops a request with our Via. `rport` is always asked for (RFC 3581): it costs nothing where it is not needed.
pub fn with_via(request: &[u8], transport: Transport, sent_by: SentBy<'_>, branch: &str) -> Bytes {
    let line_end = memchr::memchr(b'\n', request).map_or(request.len(), |at| at + 1);
    let mut out = Vec::with_capacity(request.len() + 64 + sent_by.0.len() + branch.len());
    out.extend_from_slice(&request[..line_end]);
    for part in ["Via: SIP/2.0/", transport.via_token(), " ", sent_by.0, ";branch=", branch, ";rport\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(&request[line_end..]);
    out.into()
}

/// The method of a request not yet parsed.
pub(super) fn method_of(request: &[u8]) -> &str {
    let end = memchr::memchr(b' ', request).unwrap_or(0);
    std::str::from_utf8(&request[..end]).unwrap_or_default()
}

/// The ACK of a failure (RFC 3261 §17.1.1.3): everything of the INVITE's but To, which is the response's.
pub(super) fn ack(invite: &Message, response: &Message) -> Bytes {
    hop(invite, &Method::Ack).header(Name::To, response.header(Name::To).unwrap_or_default()).build()
}

/// The CANCEL of an INVITE (RFC 3261 §9.1), with the reason that somebody else may see (RFC 3326).
pub(super) fn cancel(invite: &Message, reason: Option<&str>) -> Bytes {
    let cancel = hop(invite, &Method::Cancel).header(Name::To, invite.header(Name::To).unwrap_or_default());
    match reason {
        Some(reason) => cancel.header(Name::Reason, reason).build(),
        None => cancel.build(),
    }
}

/// What ACK and CANCEL share: Request-URI, the one Via, Route, From, Call-ID and CSeq number of their INVITE.
fn hop(invite: &Message, method: &Method) -> RequestBuilder {
    let cseq = format!("{} {}", invite.cseq().number, method.as_str());
    RequestBuilder::new(method, invite.request_uri())
        .header(Name::Via, invite.header(Name::Via).unwrap_or_default())
        .header(Name::MaxForwards, "70")
        .headers(Name::Route, invite.headers(Name::Route))
        .header(Name::From, invite.header(Name::From).unwrap_or_default())
        .header(Name::CallId, invite.call_id())
        .header(Name::CSeq, cseq)
}

/// An answer of the layer's own, bare.
pub(super) fn answer(request: &Message, flow: &Flow, status: u16, tag: Option<&str>) -> Bytes {
    let response = ResponseBuilder::to(request, flow, status, None);
    match tag {
        Some(tag) => response.tag(tag).build(),
        None => response.build(),
    }
}

/// Where the answers to a request go (RFC 3261 §18.2.2, RFC 3581 §4).
///
/// On UDP a sender that does not ask for `rport` and whose Via names the very address it sends from gets the answer at
/// the port its Via names. Behind a NAT that port leads nowhere, so there the answer goes back to where the request came
/// from, asked for or not: declining the letter of §18.2.2 is what every working network does.
pub(super) fn reply_flow(via: &Via<'_>, flow: Flow) -> Flow {
    if flow.transport != Transport::Udp || via.rport().is_some() || via.host_ip() != Some(flow.peer.ip().to_canonical())
    {
        return flow;
    }
    let mut reply = flow;
    reply.peer.set_port(via.port.filter(|port| *port != 0).unwrap_or(flow.transport.default_port()));
    reply
}

/// Another way for `response`, when the connection that its request came by has ended: a new one to the address that the request
/// came from, at the port that its sender listens on (RFC 3261 §18.2.2). `None` where nobody
/// can be connected to: on UDP and WebSocket.
pub fn reply_anew(response: &Bytes, flow: Flow) -> Option<Flow> {
    let response = Message::parse(response.clone()).ok().filter(|message| message.status().is_some())?;
    let via = response.via();
    let connects = matches!(flow.transport, Transport::Tcp | Transport::Tls);
    if !connects || !via.transport.eq_ignore_ascii_case(flow.transport.via_token()) {
        return None;
    }
    let port = via.port.filter(|port| *port != 0).unwrap_or(flow.transport.default_port());
    Some(Flow { peer: SocketAddr::new(flow.peer.ip(), port), conn: ConnId(0), ..flow })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::tests::flow;

    #[test]
    fn answers_go_where_rport_nat_and_via_lead_them() {
        //  Via                                        request came from       answer goes to
        for (via, peer, reply) in [
            ("SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport", "192.0.2.1:40000", "192.0.2.1:40000"),
            ("SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1", "192.0.2.1:40000", "192.0.2.1:5062"),
            ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "192.0.2.1:40000", "192.0.2.1:5060"),
            ("SIP/2.0/UDP 192.0.2.1:0;branch=z9hG4bK1", "192.0.2.1:40000", "192.0.2.1:5060"),
            ("SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bK1", "192.0.2.1:40000", "192.0.2.1:40000"),
            ("SIP/2.0/UDP phone.lan:5062;branch=z9hG4bK1", "192.0.2.1:40000", "192.0.2.1:40000"),
            ("SIP/2.0/UDP [2001:db8::9]:5062;branch=z9hG4bK1", "[2001:db8::9]:40000", "[2001:db8::9]:5062"),
        ] {
            let came = Flow { peer: peer.parse().unwrap(), ..flow(Transport::Udp) };
            let reply: SocketAddr = reply.parse().unwrap();
            assert_eq!(reply_flow(&Via::parse(via).unwrap(), came).peer, reply, "{via}");
        }
        let stream = Flow { peer: "192.0.2.1:40000".parse().unwrap(), ..flow(Transport::Tcp) };
        let via = Via::parse("SIP/2.0/TCP 192.0.2.1:5062;branch=z9hG4bK1").unwrap();
        assert_eq!(reply_flow(&via, stream), stream);
    }

    #[test]
    fn an_answer_whose_connection_is_lost_goes_to_the_same_host_by_a_new_one() {
        let answer = |via: &str| {
            let text = format!(
                "SIP/2.0 200 OK\r\nVia: {via}\r\nVia: SIP/2.0/TCP far:1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n\
                 Call-ID: 1@a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
            );
            Bytes::from(text)
        };
        //  Via                                                  came by          answer goes to
        for (via, transport, peer) in [
            ("SIP/2.0/TCP 192.0.2.1:5062;branch=z9hG4bK1", Transport::Tcp, Some("192.0.2.1:5062")),
            ("SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1;rport=40000", Transport::Tcp, Some("192.0.2.1:5060")),
            (
                "SIP/2.0/TCP evil.example:5062;branch=z9hG4bK1;received=192.0.2.1",
                Transport::Tcp,
                Some("192.0.2.1:5062"),
            ),
            ("SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1", Transport::Tls, Some("192.0.2.1:5061")),
            ("SIP/2.0/TCP 192.0.2.1:5062;branch=z9hG4bK1", Transport::Tls, None),
            ("SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1", Transport::Udp, None),
            ("SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK1", Transport::Ws, None),
        ] {
            let came = Flow { peer: "192.0.2.1:40000".parse().unwrap(), conn: ConnId(7), ..flow(transport) };
            let anew = reply_anew(&answer(via), came);
            assert_eq!(anew.map(|flow| flow.peer), peer.map(|peer| peer.parse().unwrap()), "{via}");
            assert!(anew.is_none_or(|flow| flow.conn == ConnId(0)));
        }
        let request = Bytes::from_static(
            b"BYE sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n",
        );
        assert_eq!(reply_anew(&request, flow(Transport::Tcp)), None, "requests have ways of their own");
    }

    #[test]
    fn the_via_stands_above_all_others() {
        let request = b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n\r\n";
        let topped = with_via(request, Transport::Tls, SentBy("[2001:db8::1]:5061"), "z9hG4bKq");
        let want = b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bKq;rport\r\nVia: SIP/2.0/UDP x\r\n\r\n";
        assert_eq!(topped.as_ref(), want);
        assert_eq!(method_of(request), "BYE");
        assert_eq!(method_of(b"junk"), "");
    }
}
