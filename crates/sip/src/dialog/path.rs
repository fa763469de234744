//! Request-URI and Route of a request, RFC 3261 §12.2.1.1; and where it really goes.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use tollgate_types::{ConnId, Flow, Transport};

use crate::header::NameAddr;
use crate::uri::Uri;

/// Request-URI and Route values for `target` by way of `routes`. A first route without `lr` is a strict router: it
/// becomes the Request-URI and the target goes last.
pub(super) fn aim<'a>(target: &'a str, routes: &'a [Box<str>]) -> (Cow<'a, str>, Vec<Cow<'a, str>>) {
    match routes.first() {
        Some(first) if !is_loose(first) => {
            let mut rest: Vec<Cow<'a, str>> = routes[1..].iter().map(|route| Cow::Borrowed(&**route)).collect();
            rest.push(Cow::Owned(format!("<{target}>")));
            (Cow::Borrowed(NameAddr::parse(first).map_or(target, |route| route.uri_raw)), rest)
        }
        _ => (Cow::Borrowed(target), routes.iter().map(|route| Cow::Borrowed(&**route)).collect()),
    }
}

fn is_loose(route: &str) -> bool {
    NameAddr::parse(route).and_then(|route| route.uri()).is_none_or(|uri| uri.is_loose())
}

/// The flow towards `uri` for a peer that stands in no NAT: the literal address it names, over the same transport and
/// listener. A stream keeps its connection, a name or a private address keeps the flow, so that nobody is sent elsewhere by guess.
pub fn next_hop(uri: &str, flow: Flow) -> Flow {
    if flow.transport != Transport::Udp {
        return flow;
    }
    match literal(uri) {
        Some(peer) if peer.is_ipv4() == flow.peer.is_ipv4() && is_reachable(peer.ip(), flow.peer.ip()) => {
            Flow { peer, ..flow }
        }
        _ => flow,
    }
}

/// Another connection for a request of ours whose own has ended: to the address that its first Route, or its Request-URI, names.
/// Only to the host that the peer was heard from: who stands behind a NAT, or names another, cannot be reached from here.
/// RFC 3261 §18.1.1.
pub fn reconnect(request: &[u8], flow: Flow) -> Option<Flow> {
    let head = std::str::from_utf8(request.split(|byte| *byte == b'\r').next()?).ok()?;
    let target = head.split(' ').nth(1)?;
    let route = request
        .split(|byte| *byte == b'\n')
        .take_while(|line| *line != b"\r")
        .find_map(|line| std::str::from_utf8(line.strip_prefix(b"Route: ")?).ok());
    let next = match route.map(str::trim) {
        Some(route) => NameAddr::parse(route)?.uri_raw,
        None => target,
    };
    let uri = Uri::parse(next).ok().filter(Uri::is_sip)?;
    let transport = uri.transport().unwrap_or(Transport::Tcp);
    let port = uri.port().unwrap_or(transport.default_port());
    let peer = SocketAddr::new(uri.host_ip()?, port);
    (transport == flow.transport && peer.ip().to_canonical() == flow.peer.ip().to_canonical()).then_some(Flow {
        peer,
        conn: ConnId(0),
        ..flow
    })
}

/// Loopback only from loopback, private only from private; never unspecified, multicast or link-local.
fn is_reachable(address: IpAddr, known: IpAddr) -> bool {
    let class = |ip: IpAddr| match ip {
        IpAddr::V4(v4) if v4.is_unspecified() || v4.is_multicast() || v4.is_link_local() || v4.is_broadcast() => None,
        IpAddr::V4(v4) if v4.is_loopback() => Some(0),
        IpAddr::V4(v4) if v4.is_private() => Some(1),
        IpAddr::V4(_) => Some(2),
        IpAddr::V6(v6) if v6.is_unspecified() || v6.is_multicast() || (v6.segments()[0] & 0xffc0) == 0xfe80 => None,
        IpAddr::V6(v6) if v6.is_loopback() => Some(0),
        IpAddr::V6(v6) if (v6.segments()[0] & 0xfe00) == 0xfc00 => Some(1),
        IpAddr::V6(_) => Some(2),
    };
    class(address).is_some() && class(address) == class(known)
}

fn literal(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok().filter(Uri::is_sip)?;
    Some(SocketAddr::new(uri.host_ip()?, uri.port().unwrap_or(Transport::Udp.default_port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_made_anew_only_to_the_host_it_was_with() {
        let flow = Flow {
            transport: Transport::Tcp,
            local: "192.0.2.1:5060".parse().unwrap(),
            peer: "198.51.100.1:40001".parse().unwrap(),
            conn: ConnId(7),
        };
        //  Request-URI                           routes                                        goes to
        for (uri, routes, to) in [
            ("sip:b@198.51.100.1:5070;transport=tcp", "", Some("198.51.100.1:5070")),
            ("sip:b@198.51.100.1", "", Some("198.51.100.1:5060")),
            ("sip:b@10.0.0.1:5070;transport=tcp", "Route: <sip:198.51.100.1:5080;lr>\r\n", Some("198.51.100.1:5080")),
            ("sip:b@198.51.100.1:5070", "Route: <sip:198.51.100.9;lr>\r\n", None),
            ("sip:b@198.51.100.2:5070", "", None),
            ("sip:b@10.0.0.1:5070;transport=tcp", "", None),
            ("sip:b@198.51.100.1;transport=udp", "", None),
            ("sip:b@sbc.example.net", "", None),
            ("tel:+123", "", None),
        ] {
            let request = format!("BYE {uri} SIP/2.0\r\n{routes}Call-ID: 1\r\n\r\nRoute: <sip:198.51.100.1>\r\n");
            let found = reconnect(request.as_bytes(), flow);
            let expected = to.map(|to| Flow { peer: to.parse().unwrap(), conn: ConnId(0), ..flow });
            assert_eq!(found, expected, "{uri} {routes}");
        }
        assert_eq!(reconnect(b"", flow), None);
    }

    #[test]
    fn a_contact_is_followed_only_to_its_own_kind_of_place() {
        let flow = |peer: &str| Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            peer: peer.parse().unwrap(),
            conn: ConnId(0),
        };
        //  peer                contact                          goes to
        for (peer, uri, to) in [
            ("198.51.100.1:5060", "sip:b@198.51.100.2:5070", "198.51.100.2:5070"),
            ("198.51.100.1:5060", "sip:b@198.51.100.2;transport=udp", "198.51.100.2:5060"),
            ("198.51.100.1:5060", "sip:b@10.0.0.1:5070", "198.51.100.1:5060"),
            ("198.51.100.1:5060", "sip:b@127.0.0.1:5070", "198.51.100.1:5060"),
            ("198.51.100.1:5060", "sip:b@224.0.0.1", "198.51.100.1:5060"),
            ("198.51.100.1:5060", "sip:b@0.0.0.0", "198.51.100.1:5060"),
            ("198.51.100.1:5060", "sip:b@sbc.example.net", "198.51.100.1:5060"),
            ("127.0.0.1:5090", "sip:b@127.0.0.1:5091", "127.0.0.1:5091"),
            ("10.0.0.1:5060", "sip:b@10.0.0.2", "10.0.0.2:5060"),
            ("198.51.100.1:5060", "sip:b@[2001:db8::1]:5070", "198.51.100.1:5060"),
        ] {
            assert_eq!(next_hop(uri, flow(peer)).peer, to.parse::<SocketAddr>().unwrap(), "{uri} at {peer}");
        }
    }

    #[test]
    fn a_strict_router_takes_the_request_uri() {
        let loose: [Box<str>; 2] = ["<sip:p1;lr>".into(), "<sip:p2>".into()];
        assert_eq!(aim("sip:b@h", &loose).0, "sip:b@h");
        let strict: [Box<str>; 2] = ["<sip:p1>".into(), "<sip:p2;lr>".into()];
        let (uri, routes) = aim("sip:b@h", &strict);
        assert_eq!(
            (&*uri, routes.iter().map(|route| &**route).collect::<Vec<_>>()),
            ("sip:p1", vec!["<sip:p2;lr>", "<sip:b@h>"])
        );
    }
}
