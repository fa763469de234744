//! Where a ban holds.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tollgate_types::{Net, UserId};

/// What is banned. The narrow ones come first: they hit fewer innocents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One address and port: one device behind a shared address.
    Port(SocketAddr),
    /// One user from one address: other users there are served.
    UserAt(UserId, IpAddr),
    /// One address.
    Ip(IpAddr),
    /// A network.
    Net(Net),
}

impl Scope {
    /// In its one form: IPv4 inside IPv6 is IPv4, and a network of one address is that address.
    pub fn canonical(self) -> Scope {
        match self {
            Scope::Port(peer) => Scope::Port(SocketAddr::new(peer.ip().to_canonical(), peer.port())),
            Scope::UserAt(user, ip) => Scope::UserAt(user, ip.to_canonical()),
            Scope::Ip(ip) => Scope::Ip(ip.to_canonical()),
            Scope::Net(net) if net.is_host() => Scope::Ip(net.first()),
            Scope::Net(net) => Scope::Net(net),
        }
    }

    /// Its kind, as `ban list` names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Scope::Port(_) => "ip:port",
            Scope::UserAt(..) => "user@ip",
            Scope::Ip(_) => "ip",
            Scope::Net(_) => "net",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Port(peer) => write!(f, "{peer}"),
            Scope::UserAt(user, ip) => write!(f, "user {user} at {ip}"),
            Scope::Ip(ip) => write!(f, "{ip}"),
            Scope::Net(net) => write!(f, "{net}"),
        }
    }
}
