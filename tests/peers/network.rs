//! A /24 of the loopback range for one test: Tollgate at `.1`, phones and carriers beside it, nobody else's ports.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use crate::server::until;

/// The SIP port of everybody in the network. Not 5060: a softswitch of the machine's owner may listen there on all addresses.
pub const SIP: u16 = 15060;

/// The port that marks a network as taken, for as long as the lease lives and across processes.
const LEASE: u16 = 15059;

/// A leased /24.
pub struct Network {
    second: u8,
    third: u8,
    _lease: TcpListener,
}

impl Network {
    /// The next network nobody uses. Starts at a place that depends on the process, so parallel runs rarely meet.
    pub fn lease() -> Network {
        let start = std::process::id().wrapping_mul(97);
        for step in 0..20_000_u32 {
            let n = start.wrapping_add(step) % (100 * 250);
            let (second, third) = (u8::try_from(100 + n / 250).unwrap(), u8::try_from(1 + n % 250).unwrap());
            if let Ok(lease) = TcpListener::bind((Ipv4Addr::new(127, second, third, 254), LEASE)) {
                return Network { second, third, _lease: lease };
            }
        }
        panic!("no free loopback network: is another run still going?");
    }

    /// An address in the network.
    pub fn host(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second, self.third, last)
    }

    /// The SIP address of a host in the network.
    pub fn sip(&self, last: u8) -> SocketAddr {
        (self.host(last), SIP).into()
    }
}

/// A UDP socket at exactly `at`. Somebody of the same machine may hold the port on all addresses for a moment (another test's
/// server in its default configuration, a resolver's question): that is waited for.
pub fn udp_at(at: impl Into<SocketAddr>) -> UdpSocket {
    let at = at.into();
    let mut socket = None;
    until(&format!("the port {at} is free"), Duration::from_secs(60), || {
        socket = match UdpSocket::bind(at) {
            Ok(socket) => Some(socket),
            Err(error) if error.kind() == ErrorKind::AddrInUse => None,
            Err(error) => panic!("{at}: {error}"),
        };
        socket.is_some()
    });
    socket.expect("bound")
}

/// A port free at `host` for UDP and TCP together with the next one, as baresip wants them.
pub fn port_pair(host: Ipv4Addr) -> u16 {
    for _ in 0..200 {
        let first = UdpSocket::bind((host, 0)).expect("a UDP port");
        let port = first.local_addr().expect("bound").port();
        if port < u16::MAX
            && UdpSocket::bind((host, port + 1)).is_ok()
            && TcpListener::bind((host, port)).is_ok()
            && TcpListener::bind((host, port + 1)).is_ok()
        {
            return port;
        }
    }
    panic!("no two neighbouring ports are free at {host}");
}
