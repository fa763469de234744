//! Must a user come by the way he registered? Whoever has his secret but not his line, or talks a phone down to a transport
//! that others can read, does not get in by another way (the guide's `stricttransport`).

use std::net::SocketAddr;

use tollgate_settings::{Values, rows::registrar::STRICT_TRANSPORT};
use tollgate_types::{Flow, Transport};

/// How much of the way must be the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strict {
    /// Nothing.
    Off,
    /// A transport no weaker than one he is registered by: RFC 3261 §18.1.1 has a phone on UDP send what is large by TCP.
    #[default]
    Transport,
    /// And the address.
    Address,
    /// And, on datagrams, the port. A phone's next connection has another, so on streams it says nothing.
    Port,
}

/// The way that a registration came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Road {
    /// What carried it.
    pub transport: Transport,
    /// Where from.
    pub peer: SocketAddr,
}

impl From<&Flow> for Road {
    fn from(flow: &Flow) -> Road {
        Road { transport: flow.transport, peer: flow.peer }
    }
}

impl Strict {
    /// As the settings have it.
    pub fn of(values: &Values) -> Strict {
        match values.word(&STRICT_TRANSPORT) {
            "off" => Strict::Off,
            "address" => Strict::Address,
            "port" => Strict::Port,
            _ => Strict::Transport,
        }
    }

    /// May a user with these registrations come by `road`? One without any may: there is nothing to compare.
    pub fn allows(self, registered: &[Road], road: Road) -> bool {
        self == Strict::Off || registered.is_empty() || registered.iter().any(|known| self.is_kept(*known, road))
    }

    fn is_kept(self, known: Road, road: Road) -> bool {
        let datagrams = known.transport == Transport::Udp && road.transport == Transport::Udp;
        strength(road.transport) >= strength(known.transport)
            && (self < Strict::Address || known.peer.ip() == road.peer.ip())
            && (self < Strict::Port || !datagrams || known.peer.port() == road.peer.port())
    }
}

/// A datagram's source can be made up, a plain stream can be read, a stream under TLS neither.
fn strength(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 0,
        Transport::Tcp | Transport::Ws => 1,
        Transport::Tls | Transport::Wss => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weaker_transport_another_address_and_another_port_are_refused_level_by_level() {
        let road = |text: &str| {
            let (transport, peer) = text.split_once(' ').unwrap();
            let transport = match transport {
                "udp" => Transport::Udp,
                "tcp" => Transport::Tcp,
                "ws" => Transport::Ws,
                "wss" => Transport::Wss,
                _ => Transport::Tls,
            };
            Road { transport, peer: peer.parse().unwrap() }
        };
        // registered by, comes by, lowest level that refuses it
        for (registered, comes, refused_from) in [
            (&[][..], "udp 192.0.2.1:5060", 4),
            (&["tls 192.0.2.1:9000"], "tls 192.0.2.1:9000", 4),
            (&["tls 192.0.2.1:9000"], "udp 192.0.2.1:5060", 1),
            (&["tls 192.0.2.1:9000"], "tcp 192.0.2.1:9001", 1),
            (&["wss 192.0.2.1:9000"], "ws 192.0.2.1:9000", 1),
            (&["tcp 192.0.2.1:9000"], "udp 192.0.2.1:9000", 1),
            (&["tcp 192.0.2.1:9000"], "tcp 192.0.2.1:9001", 4),
            (&["tcp 192.0.2.1:9000"], "tcp 192.0.2.2:9000", 2),
            (&["udp 192.0.2.1:5060"], "tcp 192.0.2.1:9001", 4),
            (&["udp 192.0.2.1:5060"], "tls 192.0.2.2:9001", 2),
            (&["udp 192.0.2.1:5060"], "udp 192.0.2.2:5060", 2),
            (&["udp 192.0.2.1:5060"], "udp 192.0.2.1:5062", 3),
            (&["udp 192.0.2.1:5060"], "udp 192.0.2.1:5060", 4),
            // Any device's way is a way of the user.
            (&["tls 192.0.2.1:9000", "udp 192.0.2.9:5060"], "udp 192.0.2.9:5060", 4),
            (&["tls 192.0.2.1:9000", "udp 192.0.2.9:5060"], "udp 192.0.2.1:5060", 2),
        ] {
            let registered: Vec<Road> = registered.iter().map(|text| road(text)).collect();
            for (level, strict) in [Strict::Off, Strict::Transport, Strict::Address, Strict::Port].iter().enumerate() {
                let allowed = strict.allows(&registered, road(comes));
                assert_eq!(allowed, level < refused_from, "{registered:?} {comes} at {strict:?}");
            }
        }
    }
}
