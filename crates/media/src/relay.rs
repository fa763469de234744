//! One media line of a call: what becomes of each packet.
//!
//! The source is judged first (nobody unknown can spend a stream's allowance), then the packet, then whether anybody may
//! hear it. Nothing here allocates, blocks or asks.

use std::net::SocketAddr;

use tollgate_types::Mono;

use crate::latch::{self, Heard, Latch};
use crate::limit::{Allowance, Limit};
use crate::payload::Payloads;
use crate::plan::{Leg, LineKind, LinePlan, Remote};
use crate::quality::{Meter, Summary};
use crate::source::{Source, Stray};
use crate::{rtcp, rtp};

/// The state of one line.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    kind: LineKind,
    active: bool,
    gate: Gate,
    sides: [Side; 2],
}

/// What the operator lets one stream carry, where that is less than four times what its kind needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Packets a second of audio; video and fax may have ten times as many.
    pub packets: u32,
    /// Bytes a second.
    pub bytes: u64,
}

impl Caps {
    /// No less than the kind needs.
    pub const OFF: Caps = Caps { packets: u32::MAX, bytes: u64::MAX };
}

/// Which way packets may pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Both ways.
    Open,
    /// From the called party to the caller: announcements and ringing before the answer.
    #[default]
    ToCallerOnly,
    /// Neither way.
    Closed,
}

/// Which of a line's two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// RTP's, or UDPTL's.
    Rtp,
    /// RTCP's.
    Rtcp,
}

/// A datagram that came in.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// On which leg.
    pub leg: Leg,
    /// On which of our ports.
    pub component: Component,
    /// Its bytes; RTCP is made anonymous in place.
    pub packet: &'a mut [u8],
    /// From where.
    pub source: SocketAddr,
    /// When.
    pub now: Mono,
    /// When this call's paid time ends.
    pub open_until: Mono,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, from our port for `component` on the other leg.
    Forward {
        /// Where to.
        to: SocketAddr,
        /// From which port of ours.
        component: Component,
    },
    /// It ends here.
    Drop(Reason),
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $id:literal,)*) => {
        /// Why a packet was not forwarded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them.
            pub const ALL: [Reason; [$($id),*].len()] = [$(Reason::$name,)*];

            /// As metrics name it.
            pub fn id(self) -> &'static str {
                match self { $(Reason::$name => $id,)* }
            }

            /// Had the packet been taken as this leg's own before it was dropped? Then the leg is alive.
            pub fn is_own(self) -> bool {
                !matches!(self, Reason::Declined | Reason::Source | Reason::Probation | Reason::Malformed | Reason::Broken)
            }
        }
    };
}

reasons! {
    /// The line is not in use.
    Declined = "declined",
    /// Neither sound RTP nor sound RTCP.
    Malformed = "malformed",
    /// Not from whom this leg's packets come.
    Source = "source",
    /// From one who has yet to prove itself.
    Probation = "probation",
    /// More than the line may carry.
    Rate = "rate",
    /// Another talker, or a sequence number far off.
    Stray = "stray",
    /// A payload type that nobody listed.
    PayloadType = "payload_type",
    /// Paid time is over, or has not begun.
    Unpaid = "unpaid",
    /// Not before the answer, or muted.
    Gated = "gated",
    /// The other side does not want to listen.
    Held = "held",
    /// It is not known where the other side listens.
    NoTarget = "no_target",
    /// More than the network may carry.
    Network = "network",
    /// The system did not take it.
    Unsent = "unsent",
    /// The stream was taken out of service after a fault of ours.
    Broken = "broken",
}

#[derive(Clone, Copy, Debug)]
struct Side {
    policy: latch::Policy,
    remote: Option<Remote>,
    mux: bool,
    receives: bool,
    payloads: Payloads,
    rtp: Latch,
    rtcp: Latch,
    limit: Limit,
    source: Source,
    meter: Meter,
}

/// Packet types that RTP's and RTCP's second bytes share: comfort noise is used by many and listed by few.
const COMFORT_NOISE: u8 = 13;

impl Stream {
    /// A line of which nothing is known yet: nothing passes.
    pub fn new(now: Mono) -> Stream {
        let side = Side {
            policy: latch::Policy::default(),
            remote: None,
            mux: false,
            receives: false,
            payloads: Payloads::default(),
            rtp: Latch::SHUT,
            rtcp: Latch::SHUT,
            limit: Limit::new(allowance(LineKind::Audio, 50, &Caps::OFF), now),
            source: Source::default(),
            meter: Meter::default(),
        };
        Stream { kind: LineKind::Audio, active: false, gate: Gate::default(), sides: [side; 2] }
    }

    /// What offer and answer agreed on. A side whose address is unchanged keeps its latch.
    pub fn apply(&mut self, plan: &LinePlan, policies: [latch::Policy; 2], caps: &Caps) {
        (self.kind, self.active) = (plan.kind, plan.active);
        let allowance = allowance(plan.kind, plan.nominal_pps, caps);
        for leg in Leg::BOTH {
            let (side, planned) = (&mut self.sides[leg.index()], &plan.sides[leg.index()]);
            side.limit.set(allowance);
            (side.receives, side.payloads) = (planned.receives, planned.payloads);
            let policy = policies[leg.index()];
            if (side.remote, side.mux, side.policy) != (planned.remote, planned.mux, policy) {
                (side.remote, side.mux, side.policy) = (planned.remote, planned.mux, policy);
                side.relatch();
            }
        }
    }

    /// Which way packets pass from now on.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
    }

    /// The leg's packets may come from elsewhere now: a re-INVITE came, or we asked for it.
    pub fn relatch(&mut self, leg: Leg) {
        self.sides[leg.index()].relatch();
    }

    /// Decides over one datagram.
    pub fn step(&mut self, arrival: &mut Arrival<'_>) -> Verdict {
        match self.judge(arrival) {
            Ok((to, component)) => Verdict::Forward { to, component },
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// What `leg` sent, as far as RTP tells.
    pub fn summary(&self, leg: Leg) -> Summary {
        let side = &self.sides[leg.index()];
        side.meter.summary(side.source.count(), self.kind == LineKind::Audio)
    }

    /// Where `leg`'s packets come from.
    pub fn source(&self, leg: Leg) -> Option<SocketAddr> {
        self.sides[leg.index()].rtp.locked()
    }

    fn judge(&mut self, arrival: &mut Arrival<'_>) -> Result<(SocketAddr, Component), Reason> {
        if !self.active {
            return Err(Reason::Declined);
        }
        let [a, b] = &mut self.sides;
        let (from, to) = if arrival.leg == Leg::A { (a, b) } else { (b, a) };
        let muxed = arrival.component == Component::Rtp && from.mux && rtcp::is_rtcp(arrival.packet);
        if self.kind == LineKind::Udptl {
            from.admit(arrival.component, arrival)?;
        } else if muxed || arrival.component == Component::Rtcp {
            let report = rtcp::read(arrival.packet).map_err(|_| Reason::Malformed)?;
            from.admit(arrival.component, arrival)?;
            if let Some(block) = &report.heard {
                from.meter.report(block, to.payloads.clock(to.meter.payload_type()));
            }
            rtcp::mask(arrival.packet);
            self.pass(arrival)?;
            return self.sides[arrival.leg.other().index()].rtcp_target();
        } else {
            let header = rtp::read(arrival.packet).map_err(|_| Reason::Malformed)?;
            from.admit(arrival.component, arrival)?;
            let listed = from.payloads.has(header.payload_type) || to.payloads.has(header.payload_type);
            if !listed && header.payload_type != COMFORT_NOISE {
                return Err(Reason::PayloadType);
            }
            // Video may come from several sources at once (retransmission, layers): only audio has one talker.
            if self.kind == LineKind::Audio {
                let place = from.source.hear(&header, arrival.now).map_err(|_: Stray| Reason::Stray)?;
                from.meter.hear(&header, place, &from.payloads, arrival.now);
            }
        }
        self.pass(arrival)?;
        let to = &self.sides[arrival.leg.other().index()];
        if !to.receives {
            return Err(Reason::Held);
        }
        to.rtp.target().map(|to| (to, Component::Rtp)).ok_or(Reason::NoTarget)
    }

    /// May it pass at all, by money and by gate?
    fn pass(&self, arrival: &Arrival<'_>) -> Result<(), Reason> {
        if arrival.now >= arrival.open_until {
            return Err(Reason::Unpaid);
        }
        match (self.gate, arrival.leg) {
            (Gate::Open, _) | (Gate::ToCallerOnly, Leg::B) => Ok(()),
            (Gate::ToCallerOnly, Leg::A) | (Gate::Closed, _) => Err(Reason::Gated),
        }
    }
}

impl Side {
    /// Is it from this leg, and within what it may send?
    fn admit(&mut self, component: Component, arrival: &Arrival<'_>) -> Result<(), Reason> {
        let latch = match component {
            Component::Rtp => &mut self.rtp,
            Component::Rtcp => &mut self.rtcp,
        };
        match latch.hear(arrival.source) {
            Heard::Accepted => {}
            Heard::Latched if component == Component::Rtp => self.rtcp.expect_site(arrival.source.ip()),
            Heard::Latched => {}
            Heard::OnProbation => return Err(Reason::Probation),
            Heard::Refused => return Err(Reason::Source),
        }
        if self.limit.take(arrival.packet.len(), arrival.now) { Ok(()) } else { Err(Reason::Rate) }
    }

    fn relatch(&mut self) {
        (self.rtp, self.rtcp) = match &self.remote {
            Some(remote) => (Latch::rtp(self.policy, remote), Latch::rtcp(self.policy, remote)),
            None => (Latch::SHUT, Latch::SHUT),
        };
    }

    fn rtcp_target(&self) -> Result<(SocketAddr, Component), Reason> {
        let (latch, component) = if self.mux { (&self.rtp, Component::Rtp) } else { (&self.rtcp, Component::Rtcp) };
        latch.target().map(|to| (to, component)).ok_or(Reason::NoTarget)
    }
}

/// Four times what an honest sender of that kind sends, or what the operator allows.
fn allowance(kind: LineKind, nominal_pps: u32, caps: &Caps) -> Allowance {
    let (bytes, packets) = match kind {
        LineKind::Audio => (256 * 1024, caps.packets),
        LineKind::Video => (4 * 1024 * 1024, caps.packets.saturating_mul(10)),
        LineKind::Udptl => (128 * 1024, caps.packets.saturating_mul(10)),
    };
    Allowance { packets: (nominal_pps.clamp(1, 4000) * 4).min(packets), bytes: bytes.min(caps.bytes) }
}

#[cfg(test)]
mod tests;
