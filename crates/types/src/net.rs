//! Networks, as CIDR writes them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network: its first address, and how many leading bits are given. IPv4 written inside IPv6 is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Net {
    first: IpAddr,
    bits: u8,
}

/// Not an address or network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address or network such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32")]
pub struct ParseNetError(pub String);

impl Net {
    /// The network of `bits` leading bits around `address`; `None` if there are not so many bits.
    pub fn new(address: IpAddr, bits: u8) -> Option<Net> {
        let address = address.to_canonical();
        (bits <= width(address)).then(|| Net { first: mask(address, bits), bits })
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

impl FromStr for Net {
    type Err = ParseNetError;
    fn from_str(text: &str) -> Result<Net, ParseNetError> {
        let bad = || ParseNetError(text.chars().take(80).collect());
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

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.bits) }
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
    fn addresses_lie_in_networks_or_do_not() {
        for (net, address, has) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.77/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:9::1", true),
            ("::/0", "192.0.2.1", false),
        ] {
            let net: Net = net.parse().unwrap();
            assert_eq!(net.has(address.parse().unwrap()), has, "{net} {address}");
            assert_eq!(net.to_string().parse::<Net>().unwrap(), net);
        }
        for bad in ["", "carrier.test", "192.0.2.1/33", "192.0.2.1/+8", "192.0.2.1/", "1.2.3", "::1/129"] {
            assert!(bad.parse::<Net>().is_err(), "{bad}");
        }
    }
}
