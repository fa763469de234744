//! What offer and answer ask of the relay, line by line.

use std::net::{IpAddr, SocketAddr};

use crate::payload::Payloads;

/// One party's half of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// The calling party's.
    A,
    /// The called party's.
    B,
}

impl Leg {
    /// A, then B.
    pub const BOTH: [Leg; 2] = [Leg::A, Leg::B];

    /// The one across.
    pub fn other(self) -> Leg {
        match self {
            Leg::A => Leg::B,
            Leg::B => Leg::A,
        }
    }

    /// Its place in arrays of two.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What the relay shall do with all media lines of a call, by their place in the SDP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The lines in the order of the SDP.
    pub lines: Vec<LinePlan>,
}

/// What the relay shall do with one media line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePlan {
    /// What travels on it.
    pub kind: LineKind,
    /// Neither side declined it. Nothing is relayed on a line that is not.
    pub active: bool,
    /// By [`Leg::index`].
    pub sides: [SidePlan; 2],
    /// Packets a second that an honest sender sends at most, by ptime and kind.
    pub nominal_pps: u32,
}

/// What travels on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// RTP with one talker a side.
    Audio,
    /// RTP with any number of sources a side: video, text, anything else under RTP/AVP.
    Video,
    /// Fax as ITU-T T.38 datagrams: no RTP header, no RTCP.
    Udptl,
}

/// One leg's end of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SidePlan {
    /// Where it said it listens; `None` before its SDP came.
    pub remote: Option<Remote>,
    /// RTCP shares the RTP port on this leg (RFC 5761).
    pub mux: bool,
    /// It wants to hear the other side; false while it holds the call.
    pub receives: bool,
    /// Packets are expected from it: it may send, and the other side wants to hear it. A silent leg is
    /// suspicious only then.
    pub sends: bool,
    /// The payload types it listed.
    pub payloads: Payloads,
}

/// Where a leg said it listens, and what that word is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// RTP's or UDPTL's address; `None` if it gave a name or the null address.
    pub rtp: Option<SocketAddr>,
    /// RTCP's address: `a=rtcp` (RFC 3605), else the port above RTP's.
    pub rtcp: Option<SocketAddr>,
    /// May we send there before it has sent to us? See [`crate::target::allowed`].
    pub trusted: bool,
    /// The address its signalling came from.
    pub signalled_from: IpAddr,
}

impl Remote {
    /// Its SDP cannot be what we see on the wire: an address translator stands between.
    pub fn behind_nat(&self) -> bool {
        match self.rtp {
            None => true,
            Some(addr) => {
                let ip = addr.ip().to_canonical();
                !self.trusted
                    || (ip != self.signalled_from.to_canonical()
                        && crate::target::Reach::of(ip) < crate::target::Reach::Public)
            }
        }
    }
}

impl Plan {
    /// Is anything relayed at all?
    pub fn is_active(&self) -> bool {
        self.lines.iter().any(|line| line.active)
    }

    /// Must packets come from `leg`? False on hold, before the answer, and with all lines declined: then its silence
    /// means nothing.
    pub fn expects(&self, leg: Leg) -> bool {
        self.lines.iter().any(|line| line.active && line.sides[leg.index()].sends)
    }
}
