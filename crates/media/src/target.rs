//! May media be sent where an SDP says? Only to addresses that the one who signalled could reach by itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How far an address reaches; inner ones are smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This host.
    Loopback,
    /// This wire (RFC 3927, RFC 4291 §2.5.6).
    Link,
    /// This site (RFC 1918, RFC 4193, RFC 6598).
    Private,
    /// The world.
    Public,
}

/// How much a peer is trusted to name other hosts than itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// A phone: its media must come from where its signalling comes from, or be proved by packets from there.
    #[default]
    Device,
    /// A carrier: media servers of its own, anywhere its signalling could reach.
    Carrier,
}

/// Why an address is not trusted. Media goes there only once packets have come from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Nothing to send to: null, multicast, broadcast, reserved.
    #[error("not a host's address")]
    NoHost,
    /// A port of the system's services.
    #[error("port below 1024")]
    SystemPort,
    /// An address more inward than the signalling peer.
    #[error("an inner address named by an outer peer")]
    Inward,
    /// Some other host.
    #[error("a third party's address")]
    ThirdParty,
}

/// May media go to `target` on the word of a peer whose signalling came from `signalled_from`?
///
/// Whether it is a port of the relay itself is asked of the relay, which knows those in use.
pub fn allowed(target: SocketAddr, signalled_from: IpAddr, policy: Policy) -> Result<(), Untrusted> {
    let ip = target.ip().to_canonical();
    let peer = signalled_from.to_canonical();
    if !is_host(ip) {
        return Err(Untrusted::NoHost);
    }
    if target.port() < 1024 {
        return Err(Untrusted::SystemPort);
    }
    if ip == peer {
        return Ok(());
    }
    let (reach, own) = (Reach::of(ip), Reach::of(peer));
    if reach < own {
        return Err(Untrusted::Inward);
    }
    if policy == Policy::Device && reach == Reach::Public {
        return Err(Untrusted::ThirdParty);
    }
    Ok(())
}

/// Could one host own it?
pub fn is_host(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets()[0] != 0 && ip.octets()[0] < 224 && ip != Ipv4Addr::BROADCAST,
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

impl Reach {
    /// Of an address.
    pub fn of(ip: IpAddr) -> Reach {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                if ip.is_loopback() {
                    Reach::Loopback
                } else if ip.is_link_local() {
                    Reach::Link
                } else if ip.is_private() || (a == 100 && b & 0xc0 == 64) {
                    Reach::Private
                } else {
                    Reach::Public
                }
            }
            IpAddr::V6(ip) => {
                let first = ip.segments()[0];
                if ip.is_loopback() {
                    Reach::Loopback
                } else if first & 0xffc0 == 0xfe80 {
                    Reach::Link
                } else if first & 0xfe00 == 0xfc00 {
                    Reach::Private
                } else {
                    Reach::Public
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_addresses_are_only_for_inner_peers() {
        use Policy::{Carrier, Device};
        use Untrusted::*;
        for (target, peer, policy, verdict) in [
            // target                peer            policy   verdict
            ("198.51.100.7:4000", "198.51.100.7", Device, Ok(())),
            ("198.51.100.8:4000", "198.51.100.7", Device, Err(ThirdParty)),
            ("198.51.100.8:4000", "198.51.100.7", Carrier, Ok(())),
            ("192.168.1.5:4000", "198.51.100.7", Device, Err(Inward)),
            ("192.168.1.5:4000", "198.51.100.7", Carrier, Err(Inward)),
            ("100.64.0.1:4000", "198.51.100.7", Carrier, Err(Inward)),
            ("192.168.1.5:4000", "192.168.1.5", Device, Ok(())),
            ("192.168.9.5:4000", "10.0.0.1", Device, Ok(())),
            ("127.0.0.1:4000", "127.0.0.1", Device, Ok(())),
            ("127.0.0.2:4000", "127.0.0.1", Device, Ok(())),
            ("127.0.0.1:4000", "192.168.1.5", Device, Err(Inward)),
            ("127.0.0.1:4000", "198.51.100.7", Carrier, Err(Inward)),
            ("192.168.1.5:4000", "127.0.0.1", Device, Ok(())),
            ("169.254.1.1:4000", "192.168.1.5", Device, Err(Inward)),
            ("0.0.0.0:4000", "127.0.0.1", Carrier, Err(NoHost)),
            ("0.1.2.3:4000", "127.0.0.1", Carrier, Err(NoHost)),
            ("224.0.0.1:4000", "127.0.0.1", Carrier, Err(NoHost)),
            ("255.255.255.255:4000", "127.0.0.1", Carrier, Err(NoHost)),
            ("198.51.100.7:53", "198.51.100.7", Carrier, Err(SystemPort)),
            ("[::1]:4000", "2001:db8::1", Carrier, Err(Inward)),
            ("[::1]:4000", "::1", Device, Ok(())),
            ("[::1]:4000", "127.0.0.1", Device, Ok(())),
            ("[::]:4000", "::1", Device, Err(NoHost)),
            ("[ff02::1]:4000", "::1", Device, Err(NoHost)),
            ("[fe80::1]:4000", "2001:db8::1", Carrier, Err(Inward)),
            ("[fd00::1]:4000", "2001:db8::1", Carrier, Err(Inward)),
            ("[2001:db8::2]:4000", "2001:db8::1", Carrier, Ok(())),
            ("[::ffff:127.0.0.1]:4000", "198.51.100.7", Carrier, Err(Inward)),
        ] {
            let got = allowed(target.parse().unwrap(), peer.parse().unwrap(), policy);
            assert_eq!(got, verdict, "{target} by {peer}");
        }
    }
}
