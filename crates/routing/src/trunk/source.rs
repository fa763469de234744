//! Addresses that a peer may come from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A network, as CIDR writes it. IPv4 written inside IPv6 is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Net {
    first: IpAddr,
    bits: u8,
}

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

impl Net {
    /// The network of `bits` leading bits around `address`; `None` if there are not so many bits.
    pub fn new(address: IpAddr, bits: u8) -> Option<Net> {
        let address = address.to_canonical();
        let width = width(address);
        (bits <= width).then(|| Net { first: mask(address, bits), bits })
    }

    /// One address alone.
    pub fn host(address: IpAddr) -> Net {
        let address = address.to_canonical();
        Net { first: address, bits: width(address) }
    }

    /// Does `address` lie in it?
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.first) && mask(address, self.bits) == self.first
    }

    /// One address alone?
    pub fn is_host(&self) -> bool {
        self.bits == width(self.first)
    }

    /// How many leading bits are given.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Its first address.
    pub fn first(&self) -> IpAddr {
        self.first
    }
}

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

impl FromStr for Net {
    type Err = BadSource;
    fn from_str(text: &str) -> Result<Net, BadSource> {
        let bad = || BadSource(text.to_owned());
        let Some((address, bits)) = text.split_once('/') else {
            return text.parse().map(Net::host).map_err(|_| bad());
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        if !bits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        bits.parse().ok().and_then(|bits| Net::new(address, bits)).ok_or_else(bad)
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

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.bits) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.net.is_host() => write!(f, "{}", SocketAddr::new(self.net.first, port)),
            Some(port) => write!(f, "{} port {port}", self.net),
            None => write!(f, "{}", self.net),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & keep).into())
        }
        IpAddr::V6(v6) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & keep).into())
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
