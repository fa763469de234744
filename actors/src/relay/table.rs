//! One media thread's calls, lines and sockets, and what orders do to them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use slab::Slab;
use tollgate_media::latch::Policy;
use tollgate_media::relay::{Arrival, Component, Gate, Reason, Stream, Verdict};
use tollgate_media::{Families, Family, Leg, Pair, Plan, Ports};
use tollgate_types::{CallId, Map, Mono, Seed};

use super::address::Addresses;
use super::config::RelayConfig;
use super::dials::Dials;
use super::handle::{Answer, Ask, Opened, Order, RelayError};
use super::port_pool::PortPool;
use super::shared::{CallStats, LineStats, Load, SharedCall};
use super::socket::{Binder, Told};

/// Everything a media thread knows.
pub struct Table<B: Binder> {
    pub(crate) sockets: Slab<Open<B::Socket>>,
    pub(crate) lines: Slab<Line>,
    calls: Map<CallId, Call>,
    pools: [PortPool; 2],
    binder: B,
    addresses: Arc<Addresses>,
    dials: Arc<Dials>,
    load: Arc<Load>,
    sockets_most: usize,
}

/// Which thread a table belongs to, and what it is born with.
pub(crate) struct Place<'a> {
    pub config: &'a RelayConfig,
    pub index: usize,
    pub count: usize,
    pub seed: Seed,
    pub addresses: Arc<Addresses>,
    pub dials: Arc<Dials>,
}

/// One open port.
pub(crate) struct Open<S> {
    pub socket: S,
    pub line: usize,
    pub leg: Leg,
    pub component: Component,
}

/// One media line of a call.
pub(crate) struct Line {
    pub stream: Stream,
    pub shared: Arc<SharedCall>,
    /// Keys of its sockets by leg, component and family.
    pub sockets: [[[Option<u32>; 2]; 2]; 2],
    pub tally: [Tally; 2],
    /// A fault of ours was met in it: nothing passes any more.
    pub broken: bool,
    #[cfg(test)]
    pub sabotaged: bool,
}

/// What came from one leg on one line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub packets: u64,
    pub bytes: u64,
    pub dropped: u64,
    pub last_packet: Option<Mono>,
}

struct Call {
    lines: Vec<usize>,
    families: [Families; 2],
    ports: Ports,
    shared: Arc<SharedCall>,
    gate: Gate,
}

/// Ports to try before giving up, when the system refuses one after the other.
const TRIES: usize = 64;
/// Lines of a call: as many as an SDP may have.
const LINES_MOST: usize = 16;

impl<B: Binder> Table<B> {
    /// Empty; with every `count`th pair of ports, beginning with number `index`.
    pub(crate) fn new(place: Place<'_>, binder: B, load: Arc<Load>) -> Table<B> {
        let Place { config, index, count, seed, addresses, dials } = place;
        let pool = |family: Family| {
            let own = config.ports.pairs().skip(index).step_by(count);
            PortPool::new(own, seed.child(family.index() as u64))
        };
        Table {
            sockets: Slab::new(),
            lines: Slab::new(),
            calls: seed.map(),
            pools: Family::BOTH.map(pool),
            binder,
            addresses,
            dials,
            load,
            sockets_most: config.most_sockets / count,
        }
    }

    /// Does what it is told.
    pub(crate) fn obey(&mut self, order: Order, now: Mono) -> Answer {
        match order {
            Order::Open(call, ask, reply) => {
                let opened = self.open(call, &ask, now);
                self.count();
                Answer::Opened(reply, opened)
            }
            Order::Apply(call, plan, policies) => {
                self.apply(call, &plan, policies);
                Answer::None
            }
            Order::Gate(call, gate) => {
                if let Some(found) = self.calls.get_mut(&call) {
                    found.gate = gate;
                    found.lines.iter().for_each(|line| self.lines[*line].stream.set_gate(gate));
                }
                Answer::None
            }
            Order::Relatch(call, leg) => {
                if let Some(found) = self.calls.get(&call) {
                    found.lines.iter().for_each(|line| self.lines[*line].stream.relatch(leg));
                }
                Answer::None
            }
            Order::Close(call, reply) => {
                let stats = self.close(call, now);
                self.count();
                Answer::Closed(reply, stats)
            }
            Order::Stop => Answer::None,
            #[cfg(test)]
            Order::Sabotage(call) => {
                if let Some(found) = self.calls.get(&call) {
                    found.lines.iter().for_each(|line| self.lines[*line].sabotaged = true);
                }
                Answer::None
            }
        }
    }

    fn open(&mut self, call: CallId, ask: &Ask, now: Mono) -> Result<Opened, RelayError> {
        let found = self.calls.remove(&call);
        let fresh = found.is_none();
        let mut found = found.unwrap_or_else(|| Call {
            lines: Vec::new(),
            families: [Families { v4: false, v6: false }; 2],
            ports: Ports::default(),
            shared: Arc::new(SharedCall::new(ask.open_until)),
            gate: Gate::default(),
        });
        let before = found.ports.clone();
        let wanted = ask.lines.min(LINES_MOST).max(found.lines.len());
        let families = [0, 1].map(|leg| found.families[leg].or(ask.families[leg]));
        let done = self.grow(&mut found, wanted, families, now);
        match done {
            Ok(()) => found.families = families,
            Err(_) => self.shrink(&mut found, &before),
        }
        let opened = Opened { ports: found.ports.clone(), shared: found.shared.clone() };
        if !fresh || done.is_ok() {
            self.calls.insert(call, found);
        }
        done.map(|()| opened)
    }

    /// Opens what is missing, up to the first failure.
    fn grow(&mut self, call: &mut Call, lines: usize, families: [Families; 2], now: Mono) -> Result<(), RelayError> {
        for index in 0..lines {
            if index == call.lines.len() {
                let mut stream = Stream::new(now);
                stream.set_gate(call.gate);
                call.lines.push(self.lines.insert(Line::new(stream, call.shared.clone())));
                call.ports.lines.push(Default::default());
            }
            for leg in Leg::BOTH {
                for family in Family::BOTH {
                    let slot = &mut call.ports.lines[index][leg.index()][family.index()];
                    if slot.is_none() && families[leg.index()].has(family) {
                        *slot = Some(self.open_pair(call.lines[index], leg, family, now)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Closes what was not open `before`. Nobody was told of those ports: they need no rest.
    fn shrink(&mut self, call: &mut Call, before: &Ports) {
        for (index, line) in call.ports.lines.iter().enumerate() {
            for leg in Leg::BOTH {
                for family in Family::BOTH {
                    let kept = before.lines.get(index).and_then(|line| line[leg.index()][family.index()]);
                    if let Some(pair) = line[leg.index()][family.index()].filter(|_| kept.is_none()) {
                        self.close_pair(call.lines[index], leg, family, pair);
                        self.pools[family.index()].give_back(pair.rtp);
                    }
                }
            }
        }
        for line in call.lines.drain(before.lines.len()..) {
            self.lines.remove(line);
        }
        call.ports = before.clone();
    }

    fn open_pair(&mut self, line: usize, leg: Leg, family: Family, now: Mono) -> Result<Pair, RelayError> {
        let ip = self.addresses.bound(family).ok_or(RelayError::NoFamily(family))?;
        if self.sockets.len() + 2 > self.sockets_most {
            return Err(RelayError::NoSockets);
        }
        let quarantine = self.dials.quarantine();
        for _ in 0..TRIES {
            let rtp = self.pools[family.index()].take(now, quarantine).ok_or(RelayError::NoPorts)?;
            let pair = Pair { rtp, rtcp: rtp + 1 };
            let opened = self.open_port(ip, pair.rtp, (line, leg, Component::Rtp)).and_then(|first| {
                Ok((
                    first,
                    self.open_port(ip, pair.rtcp, (line, leg, Component::Rtcp))
                        .inspect_err(|_| self.close_port(first))?,
                ))
            });
            match opened {
                Ok((first, second)) => {
                    let sockets = &mut self.lines[line].sockets[leg.index()];
                    sockets[0][family.index()] = Some(first);
                    sockets[1][family.index()] = Some(second);
                    self.addresses.opened(family, pair.rtp);
                    self.addresses.opened(family, pair.rtcp);
                    return Ok(pair);
                }
                // Somebody else has it, or may have it alone.
                Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                    self.pools[family.index()].rest(rtp, now);
                }
                Err(error) => {
                    self.pools[family.index()].give_back(rtp);
                    tracing::error!(%error, port = rtp, "a media socket could not be opened");
                    return Err(match error.raw_os_error() {
                        Some(TOO_MANY_FILES | TOO_MANY_FILES_IN_SYSTEM) => RelayError::NoSockets,
                        _ => RelayError::System(error.kind()),
                    });
                }
            }
        }
        Err(RelayError::NoPorts)
    }

    fn open_port(
        &mut self,
        ip: std::net::IpAddr,
        port: u16,
        (line, leg, component): (usize, Leg, Component),
    ) -> io::Result<u32> {
        let entry = self.sockets.vacant_entry();
        let key = entry.key();
        let socket = self.binder.open(ip, port, key)?;
        entry.insert(Open { socket, line, leg, component });
        Ok(key as u32)
    }

    fn close_port(&mut self, key: u32) {
        if let Some(open) = self.sockets.try_remove(key as usize) {
            self.binder.close(open.socket);
        }
    }

    fn close_pair(&mut self, line: usize, leg: Leg, family: Family, pair: Pair) {
        let sockets = self.lines[line].sockets[leg.index()].map(|component| component[family.index()]);
        sockets.into_iter().flatten().for_each(|key| self.close_port(key));
        self.addresses.closed(family, pair.rtp);
        self.addresses.closed(family, pair.rtcp);
    }

    fn apply(&mut self, call: CallId, plan: &Plan, policies: [Policy; 2]) {
        let Some(found) = self.calls.get(&call) else { return };
        let caps = self.dials.caps();
        for (line, planned) in found.lines.iter().zip(&plan.lines) {
            let mut planned = planned.clone();
            for remote in planned.sides.iter_mut().filter_map(|side| side.remote.as_mut()) {
                // Packets for such a place would come back to us.
                let ours = |addr: Option<SocketAddr>| addr.is_some_and(|addr| self.addresses.is_ours(addr));
                if ours(remote.rtp) || ours(remote.rtcp) {
                    (remote.rtp, remote.rtcp, remote.trusted) = (None, None, false);
                }
            }
            self.lines[*line].stream.apply(&planned, policies, &caps);
        }
    }

    fn close(&mut self, call: CallId, now: Mono) -> Option<CallStats> {
        let found = self.calls.remove(&call)?;
        let mut stats = CallStats { lines: Vec::with_capacity(found.lines.len()) };
        for (index, line) in found.lines.iter().enumerate() {
            for leg in Leg::BOTH {
                for family in Family::BOTH {
                    if let Some(pair) = found.ports.lines[index][leg.index()][family.index()] {
                        self.close_pair(*line, leg, family, pair);
                        self.pools[family.index()].rest(pair.rtp, now);
                    }
                }
            }
            stats.lines.push(self.lines.remove(*line).stats());
        }
        Some(stats)
    }

    fn count(&self) {
        self.load.calls.store(self.calls.len(), Relaxed);
        self.load.sockets.store(self.sockets.len(), Relaxed);
    }
}

impl Table<Told> {
    /// A datagram arrives, in a story; `None` where no port is open.
    pub(super) fn arrive(&mut self, to: SocketAddr, from: SocketAddr, packet: &mut [u8], now: Mono) -> Option<Verdict> {
        let (_, open) = self.sockets.iter().find(|(_, open)| open.socket == to)?;
        let (line, leg, component) = (open.line, open.leg, open.component);
        Some(self.lines.get_mut(line)?.take(leg, component, packet, from, now))
    }

    /// Calls and ports that are open.
    pub(super) fn open_now(&self) -> (usize, usize) {
        (self.calls.len(), self.sockets.len())
    }
}

impl Line {
    fn new(stream: Stream, shared: Arc<SharedCall>) -> Line {
        Line {
            stream,
            shared,
            sockets: Default::default(),
            tally: Default::default(),
            broken: false,
            #[cfg(test)]
            sabotaged: false,
        }
    }

    /// Decides over a datagram and counts it.
    pub(crate) fn take(
        &mut self,
        leg: Leg,
        component: Component,
        packet: &mut [u8],
        source: SocketAddr,
        now: Mono,
    ) -> Verdict {
        let length = packet.len();
        let verdict = if self.broken {
            Verdict::Drop(Reason::Broken)
        } else {
            let open_until = self.shared.open_until();
            self.stream.step(&mut Arrival { leg, component, packet, source, now, open_until })
        };
        match verdict {
            Verdict::Forward { .. } => {
                let tally = &mut self.tally[leg.index()];
                tally.packets += 1;
                tally.bytes += length as u64;
                tally.last_packet = Some(now);
                self.shared.leg(leg).forwarded(length, now);
            }
            Verdict::Drop(reason) => self.dropped(leg, reason, now),
        }
        verdict
    }

    /// Counts a packet that ends here.
    pub(crate) fn dropped(&mut self, leg: Leg, reason: Reason, now: Mono) {
        let tally = &mut self.tally[leg.index()];
        tally.dropped += 1;
        if reason.is_own() {
            tally.last_packet = Some(now);
        }
        self.shared.leg(leg).dropped(reason, now);
    }

    fn stats(&self) -> LineStats {
        let legs = Leg::BOTH.map(|leg| {
            let tally = &self.tally[leg.index()];
            let mut summary = self.stream.summary(leg);
            (summary.packets, summary.bytes) = (tally.packets, tally.bytes);
            (summary.dropped, summary.last_packet) = (tally.dropped, tally.last_packet);
            summary
        });
        LineStats { legs }
    }
}

/// EMFILE.
const TOO_MANY_FILES: i32 = 24;
/// ENFILE.
const TOO_MANY_FILES_IN_SYSTEM: i32 = 23;
