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

    /// The scope of that kind and subject, as the database keeps them.
    pub fn read(kind: &str, subject: &str) -> Option<Scope> {
        let scope = match kind {
            "ip:port" => Scope::Port(subject.parse().ok()?),
            "user@ip" => {
                let (user, ip) = subject.split_once('@')?;
                Scope::UserAt(UserId(user.parse().ok()?), ip.parse().ok()?)
            }
            "ip" => Scope::Ip(subject.parse().ok()?),
            "net" => Scope::Net(subject.parse().ok()?),
            _ => return None,
        };
        Some(scope.canonical())
    }

    /// What is banned, as the database keeps it: `192.0.2.1`, `7@192.0.2.1`.
    pub fn subject(&self) -> String {
        match self {
            Scope::UserAt(user, ip) => format!("{}@{ip}", user.0),
            other => other.to_string(),
        }
    }

    /// The address in question; `None` for networks.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Scope::Port(peer) => Some(peer.ip()),
            Scope::UserAt(_, ip) | Scope::Ip(ip) => Some(*ip),
            Scope::Net(_) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let ip = IpAddr::from([192, 0, 2, 1]);
        let net = "198.51.100.0/24".parse().unwrap();
        for scope in
            [Scope::Port(SocketAddr::new(ip, 5060)), Scope::UserAt(UserId(7), ip), Scope::Ip(ip), Scope::Net(net)]
        {
            assert_eq!(Scope::read(scope.kind(), &scope.subject()), Some(scope));
        }
        for (kind, subject) in [("ip", "here"), ("user@ip", "192.0.2.1"), ("number", "1"), ("ip:port", "192.0.2.1")] {
            assert_eq!(Scope::read(kind, subject), None, "{kind} {subject}");
        }
    }
}
