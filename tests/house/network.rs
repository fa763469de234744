//! The network of a story: what the platform sends lies here until the people of the story read it.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tollgate_actors::edge::{Outlet, Unsendable};
use tollgate_types::{ConnId, Flow, Transport, UserId};

/// Where the platform listens.
pub const PLATFORM: &str = "198.51.100.1:5060";

/// Where the platform listens, parsed.
pub fn platform() -> SocketAddr {
    PLATFORM.parse().expect("an address")
}

/// A way between the platform and somebody.
pub fn flow(peer: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, local: platform(), peer, conn: ConnId(0) }
}

/// Everything under way from the platform. Cheap to clone.
#[derive(Clone, Default)]
pub struct Network(Arc<Mutex<VecDeque<(SocketAddr, Bytes)>>>);

impl Network {
    /// The next message under way, and to whom.
    pub fn take(&self) -> Option<(SocketAddr, Bytes)> {
        self.0.lock().expect("one thread").pop_front()
    }
}

impl Outlet for Network {
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), Unsendable> {
        self.0.lock().expect("one thread").push_back((flow.peer, bytes));
        Ok(())
    }

    fn flow_to(&self, transport: Transport, peer: SocketAddr) -> Option<Flow> {
        (transport == Transport::Udp).then(|| flow(peer))
    }

    fn reachable_at(&self, flow: &Flow) -> SocketAddr {
        flow.local
    }

    fn is_own_address(&self, address: IpAddr) -> bool {
        address == platform().ip()
    }

    fn is_open(&self, _: &Flow) -> bool {
        true
    }

    fn rely(&self, _: &Flow, _: UserId) -> bool {
        true
    }

    fn release(&self, _: &Flow, _: UserId) {}
}
