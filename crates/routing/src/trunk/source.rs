//! Addresses that a peer may come from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use tollgate_types::Net;

/// A network, and a port where that matters too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Where from.
    pub net: Net,
    /// By which port; `None` is any.
    pub port: Option<u16>,
}

/// Not an address, network or address with port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address, network or address with port, such as 192.0.2.1, 192.0.2.0/24, 192.0.2.1:5060 or [2001:db8::1]:5060"
)]
pub struct BadSource(pub String);

impl Source {
    /// One address, any port.
    pub fn host(address: IpAddr) -> Source {
        Source { net: Net::host(address), port: None }
    }

    /// Does `peer` fit?
    pub fn has(&self, peer: SocketAddr) -> bool {
        self.net.has(peer.ip()) && self.port.is_none_or(|port| port == peer.port())
    }
}

impl FromStr for Source {
    type Err = BadSource;
    fn from_str(text: &str) -> Result<Source, BadSource> {
        let text = text.trim();
        if let Ok(net) = text.parse() {
            return Ok(Source { net, port: None });
        }
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return address.parse().map(Source::host).map_err(|_| BadSource(text.to_owned()));
        }
        let peer: SocketAddr = text.parse().map_err(|_| BadSource(text.to_owned()))?;
        Ok(Source { net: Net::host(peer.ip()), port: Some(peer.port()) })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.net.is_host() => write!(f, "{}", SocketAddr::new(self.net.first(), port)),
            Some(port) => write!(f, "{} port {port}", self.net),
            None => write!(f, "{}", self.net),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_fit_or_do_not() {
        for (source, peer, fits) in [
            ("192.0.2.1", "192.0.2.1:5060", true),
            ("192.0.2.1", "[::ffff:192.0.2.1]:9", true),
            ("192.0.2.1:5060", "192.0.2.1:5061", false),
            ("192.0.2.0/24", "192.0.2.200:1", true),
            ("192.0.2.77/24", "192.0.2.200:1", true),
            ("192.0.2.0/24", "192.0.3.1:1", false),
            ("0.0.0.0/0", "198.51.100.1:1", true),
            ("0.0.0.0/0", "[2001:db8::1]:1", false),
            ("2001:db8::/32", "[2001:db8:9::1]:1", true),
            ("[2001:db8::1]:5060", "[2001:db8::1]:5060", true),
            ("[2001:db8::1]", "[2001:db8::1]:7", true),
        ] {
            let source: Source = source.parse().unwrap();
            assert_eq!(source.has(peer.parse().unwrap()), fits, "{source} {peer}");
            assert_eq!(source.to_string().parse::<Source>().unwrap(), source);
        }
        for bad in
            ["", "carrier.test", "192.0.2.1/33", "192.0.2.1/+8", "192.0.2.1/", "1.2.3", "::1/129", "192.0.2.1:99999"]
        {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }
}
