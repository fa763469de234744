//! Bytes in and bytes out. Edges count and obey; they judge nothing.
//!
//! A datagram or a frame becomes a [`Raw`], travels in a batch to the shard that its Call-ID names, and what the platform
//! says leaves by [`Wires`]: a handle that any thread may use and that never waits.

mod ours;
mod policy;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tollgate_types::{Flow, Transport, UserId};

pub use ours::Ours;
pub use policy::Policy;
pub use tcp::TcpListening;
pub use udp::UdpListening;

use crate::placement::Front;

/// What came in, and the way back.
#[derive(Clone, Debug)]
pub struct Raw {
    /// One SIP message, framed.
    pub bytes: Bytes,
    /// Where it came by.
    pub flow: Flow,
}

/// Why bytes did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// No listener of ours has that address and transport.
    #[error("no listener for this flow")]
    NoListener,
    /// The connection has closed.
    #[error("the connection is gone")]
    ConnectionGone,
    /// The peer does not take what is queued for it, or the socket refuses.
    #[error("the way out is blocked")]
    Blocked,
}

/// Every way out.
#[derive(Clone)]
pub struct Wires(Arc<dyn Outlet>);

/// What carries bytes away: sockets, or a story's memory.
pub trait Outlet: Send + Sync + 'static {
    /// Sends without waiting. On a stream whose connection is not there yet, it is made; failure comes back as news.
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), Unsendable>;
    /// A flow to `peer`: the listener that fits its family and transport. `None` if there is none.
    fn flow_to(&self, transport: Transport, peer: SocketAddr) -> Option<Flow>;
    /// Host and port that `flow`'s peer can reach us at, for Via and Contact.
    fn reachable_at(&self, flow: &Flow) -> SocketAddr;
    /// Is that address one of ours?
    fn is_own_address(&self, address: std::net::IpAddr) -> bool;
    /// Would bytes for this flow go out without a new connection? Always on UDP.
    fn is_open(&self, flow: &Flow) -> bool;
    /// A device of `user` is reached by this flow: its [`Registration`](crate::registration::Registration) is told when the
    /// connection ends. False when it has ended already. Always true on UDP, where nothing ends.
    fn rely(&self, flow: &Flow, user: UserId) -> bool;
    /// No device of `user` is reached by this flow any more.
    fn release(&self, flow: &Flow, user: UserId);
}

impl Wires {
    /// Over `outlet`.
    pub fn new(outlet: impl Outlet) -> Wires {
        Wires(Arc::new(outlet))
    }

    /// See [`Outlet::send`].
    pub fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), Unsendable> {
        self.0.send(flow, bytes)
    }

    /// See [`Outlet::flow_to`].
    pub fn flow_to(&self, transport: Transport, peer: SocketAddr) -> Option<Flow> {
        self.0.flow_to(transport, peer)
    }

    /// See [`Outlet::reachable_at`].
    pub fn reachable_at(&self, flow: &Flow) -> SocketAddr {
        self.0.reachable_at(flow)
    }

    /// See [`Outlet::is_own_address`].
    pub fn is_own_address(&self, address: std::net::IpAddr) -> bool {
        self.0.is_own_address(address)
    }

    /// See [`Outlet::is_open`].
    pub fn is_open(&self, flow: &Flow) -> bool {
        self.0.is_open(flow)
    }

    /// See [`Outlet::rely`].
    pub fn rely(&self, flow: &Flow, user: UserId) -> bool {
        self.0.rely(flow, user)
    }

    /// See [`Outlet::release`].
    pub fn release(&self, flow: &Flow, user: UserId) {
        self.0.release(flow, user);
    }
}

/// The real edge: all listeners of the platform.
pub struct Sockets {
    udp: Vec<UdpListening>,
    tcp: Vec<TcpListening>,
    ours: Ours,
}

impl Sockets {
    /// Binds every address; nothing is read yet. The error names the address that cannot be had.
    pub fn bind(udp: &[SocketAddr], tcp: &[SocketAddr], advertise: Option<std::net::IpAddr>) -> io::Result<Sockets> {
        let name = |kind: &str, at: &SocketAddr, error: io::Error| {
            io::Error::new(error.kind(), format!("sip.{kind}: cannot listen on {at}: {error}"))
        };
        let udp: Vec<_> = udp
            .iter()
            .map(|at| UdpListening::bind(*at).map_err(|error| name("udp", at, error)))
            .collect::<Result<_, _>>()?;
        let tcp: Vec<_> = tcp
            .iter()
            .map(|at| TcpListening::bind(*at).map_err(|error| name("tcp", at, error)))
            .collect::<Result<_, _>>()?;
        Ok(Sockets { udp, tcp, ours: Ours::new(advertise) })
    }

    /// The addresses really bound, with their transport.
    pub fn bound(&self) -> Vec<(Transport, SocketAddr)> {
        let udp = self.udp.iter().map(|listening| (Transport::Udp, listening.local()));
        udp.chain(self.tcp.iter().map(|listening| (Transport::Tcp, listening.local()))).collect()
    }

    /// Starts reading: every reader is a task on one of the shards' threads.
    pub fn read_into(self: &Arc<Self>, front: &Front) {
        for (index, listening) in self.udp.iter().enumerate() {
            listening.read_into(front.clone(), index);
        }
        for (index, listening) in self.tcp.iter().enumerate() {
            listening.accept_into(front.clone(), index);
        }
    }
}

impl Sockets {
    fn tcp(&self, flow: &Flow) -> Option<&TcpListening> {
        let is_tcp = flow.transport == Transport::Tcp;
        self.tcp.iter().find(|listening| is_tcp && listening.local() == flow.local)
    }
}

impl Outlet for Arc<Sockets> {
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), Unsendable> {
        match flow.transport {
            Transport::Udp => {
                let listening = self.udp.iter().find(|listening| listening.local() == flow.local);
                listening.ok_or(Unsendable::NoListener)?.send(flow.peer, &bytes)
            }
            Transport::Tcp => self.tcp(flow).ok_or(Unsendable::NoListener)?.send(flow, bytes),
            Transport::Tls | Transport::Ws | Transport::Wss => Err(Unsendable::NoListener),
        }
    }

    fn flow_to(&self, transport: Transport, peer: SocketAddr) -> Option<Flow> {
        let same_family = |local: &SocketAddr| local.is_ipv4() == peer.is_ipv4();
        let fitting: Vec<SocketAddr> = self
            .bound()
            .into_iter()
            .filter(|(kind, local)| *kind == transport && same_family(local))
            .map(|(_, local)| local)
            .collect();
        // A listener on loopback cannot reach the world; one on the world's address can reach loopback only by luck.
        let best = fitting
            .iter()
            .find(|local| local.ip().is_unspecified() || local.ip().is_loopback() == peer.ip().is_loopback());
        let local = *best.or(fitting.first())?;
        Some(Flow { transport, local, peer, conn: Default::default() })
    }

    fn reachable_at(&self, flow: &Flow) -> SocketAddr {
        self.ours.reachable_at(flow)
    }

    fn is_own_address(&self, address: std::net::IpAddr) -> bool {
        self.bound()
            .iter()
            .any(|(_, local)| local.ip() == address || (local.ip().is_unspecified() && self.ours.knows(address)))
    }

    fn is_open(&self, flow: &Flow) -> bool {
        !flow.transport.is_reliable() || self.tcp(flow).is_some_and(|listening| listening.is_open(flow))
    }

    fn rely(&self, flow: &Flow, user: UserId) -> bool {
        !flow.transport.is_reliable() || self.tcp(flow).is_some_and(|listening| listening.rely(flow, user))
    }

    fn release(&self, flow: &Flow, user: UserId) {
        if let Some(listening) = self.tcp(flow) {
            listening.release(flow, user);
        }
    }
}

/// Counts what an edge saw; read by metrics without asking anybody.
#[derive(Debug, Default)]
pub struct EdgeCounts {
    /// Messages and datagrams in.
    pub received: AtomicU64,
    /// Dropped because the source is banned.
    pub banned: AtomicU64,
    /// Dropped or answered 503 because the shard's mailbox was full.
    pub overload: AtomicU64,
    /// Bytes that did not leave.
    pub unsent: AtomicU64,
    /// Datagrams dropped because they were longer than `sip.message_max`.
    pub oversized: AtomicU64,
}

impl EdgeCounts {
    pub(crate) fn bump(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}
