//! The relay's own ports, and how one leg sees us.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::plan::Leg;

/// Ports of one media line on one leg: RTP even, RTCP the odd one above (RFC 3550 §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// RTP, UDPTL, and RTCP where it is muxed.
    pub rtp: u16,
    /// RTCP.
    pub rtcp: u16,
}

/// Internet Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The versions a leg needs ports in: both when a user's devices ring over either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4 ports are needed.
    pub v4: bool,
    /// IPv6 ports are needed.
    pub v6: bool,
}

/// All ports of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// By line, then [`Leg::index`], then [`Family::index`].
    pub lines: Vec<[[Option<Pair>; 2]; 2]>,
}

/// How a leg is to see us: goes into the SDP written for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Our address toward that leg.
    pub address: IpAddr,
    /// Our ports, by line; a line without ports is written as declined.
    pub pairs: SmallVec<[Option<Pair>; 2]>,
}

impl Family {
    /// IPv4, then IPv6.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// Of an address; a mapped one counts as what it maps.
    pub fn of(address: IpAddr) -> Family {
        match address.to_canonical() {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// Its place in arrays of two.
    pub fn index(self) -> usize {
        self as usize
    }
}

impl Families {
    /// IPv4 alone.
    pub const V4: Families = Families { v4: true, v6: false };
    /// IPv6 alone.
    pub const V6: Families = Families { v4: false, v6: true };
    /// Both.
    pub const BOTH: Families = Families { v4: true, v6: true };

    /// The one that `address` is of.
    pub fn of(address: IpAddr) -> Families {
        match Family::of(address) {
            Family::V4 => Families::V4,
            Family::V6 => Families::V6,
        }
    }

    /// These and those.
    pub fn or(self, more: Families) -> Families {
        Families { v4: self.v4 || more.v4, v6: self.v6 || more.v6 }
    }

    /// Is `family` among them?
    pub fn has(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

impl Ports {
    /// How `leg` is to see us when `address` is ours toward it.
    pub fn ours(&self, leg: Leg, address: IpAddr) -> Ours {
        let family = Family::of(address).index();
        Ours {
            address: address.to_canonical(),
            pairs: self.lines.iter().map(|line| line[leg.index()][family]).collect(),
        }
    }
}
