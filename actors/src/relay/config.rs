//! What the relay is told at its start.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

use tollgate_types::Mono;

/// Tells the time; tests give one they can step.
pub type Clock = Arc<dyn Fn() -> Mono + Send + Sync>;

/// Where media ports are opened, and how many.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Media threads; one is enough up to four cores.
    pub threads: usize,
    /// IPv4 address to bind; the null address means every one of this host. `None`: no IPv4 media.
    pub bind_v4: Option<IpAddr>,
    /// IPv6 address to bind. `None`: no IPv6 media.
    pub bind_v6: Option<IpAddr>,
    /// What the world reaches us by over IPv4, when that is no address of this host.
    pub advertise_v4: Option<IpAddr>,
    /// The same over IPv6.
    pub advertise_v6: Option<IpAddr>,
    /// Ports to open, the same for both families.
    pub ports: PortRange,
    /// Sockets open at once, at most; from RLIMIT_NOFILE, less what the rest of the house needs.
    pub most_sockets: usize,
}

impl Default for RelayConfig {
    fn default() -> RelayConfig {
        RelayConfig {
            threads: 1,
            bind_v4: Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            bind_v6: None,
            advertise_v4: None,
            advertise_v6: None,
            ports: PortRange { first: 20_000, last: 29_999 },
            most_sockets: 8_000,
        }
    }
}

/// Ports from `first` to `last`, both included; used as pairs of an even one and the odd one above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is no port range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no range of at least two ports from 1024 to 65535, such as 20000-29999")]
pub struct BadRange(String);

impl PortRange {
    /// The even port of each whole pair in it.
    pub fn pairs(self) -> impl Iterator<Item = u16> {
        let first = u32::from(self.first).next_multiple_of(2);
        (first..u32::from(self.last)).step_by(2).map(|port| port as u16)
    }

    /// Is it inside?
    pub fn has(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = BadRange;
    fn from_str(text: &str) -> Result<PortRange, BadRange> {
        let read = || {
            let (first, last) = text.split_once('-')?;
            let range = PortRange { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? };
            (range.first >= 1024 && range.pairs().next().is_some()).then_some(range)
        };
        read().ok_or_else(|| BadRange(text.to_owned()))
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (text, pairs) in [
            ("20000-29999", Some(5000)),
            (" 20000 - 20001 ", Some(1)),
            ("20001-20003", Some(1)),
            ("65534-65535", Some(1)),
            ("20001-20002", None),
            ("80-90", None),
            ("29999-20000", None),
            ("20000", None),
            ("20000-70000", None),
        ] {
            assert_eq!(text.parse::<PortRange>().map(|range| range.pairs().count()).ok(), pairs, "{text}");
        }
    }
}
