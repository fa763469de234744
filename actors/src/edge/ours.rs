//! Which address of ours a peer can reach: the advertised one, the listener's, or, behind a wildcard, the one that the
//! machine's routing table would send from.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use parking_lot::RwLock;
use tollgate_types::{Flow, Map, Seed};

/// Remembered answers; past this many the memory starts anew.
const REMEMBERED_MAX: usize = 4096;

/// Our own addresses, as peers see them.
pub struct Ours {
    advertise: Option<IpAddr>,
    towards: RwLock<Map<IpAddr, IpAddr>>,
}

impl Ours {
    /// With the operator's public address, if there is one.
    pub fn new(advertise: Option<IpAddr>) -> Ours {
        Ours { advertise, towards: RwLock::new(Seed([3, 1, 4, 1]).map()) }
    }

    /// Where the flow's peer reaches us. A loopback peer is told the loopback address even when a public one is advertised.
    pub fn reachable_at(&self, flow: &Flow) -> SocketAddr {
        if let Some(public) = self.advertise
            && !flow.peer.ip().is_loopback()
            && public.is_ipv4() == flow.peer.is_ipv4()
        {
            return SocketAddr::new(public, flow.local.port());
        }
        if !flow.local.ip().is_unspecified() {
            return flow.local;
        }
        SocketAddr::new(self.source_towards(flow.peer.ip()).unwrap_or(flow.local.ip()), flow.local.port())
    }

    /// Is it the advertised address, or one that we were seen to send from?
    pub fn knows(&self, address: IpAddr) -> bool {
        self.advertise == Some(address)
            || address.is_loopback()
            || self.towards.read().values().any(|known| *known == address)
    }

    /// The kernel's choice of source address, without sending anything.
    fn source_towards(&self, peer: IpAddr) -> Option<IpAddr> {
        if let Some(known) = self.towards.read().get(&peer) {
            return Some(*known);
        }
        let any: SocketAddr = if peer.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let probe = UdpSocket::bind(any).ok()?;
        probe.connect(SocketAddr::new(peer, 9)).ok()?;
        let found = probe.local_addr().ok()?.ip();
        let mut towards = self.towards.write();
        if towards.len() >= REMEMBERED_MAX {
            towards.clear();
        }
        towards.insert(peer, found);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::{ConnId, Transport};

    use super::*;

    fn flow(local: &str, peer: &str) -> Flow {
        Flow { transport: Transport::Udp, local: local.parse().unwrap(), peer: peer.parse().unwrap(), conn: ConnId(0) }
    }

    #[test]
    fn peers_are_told_what_they_can_reach() {
        let plain = Ours::new(None);
        assert_eq!(plain.reachable_at(&flow("127.0.0.5:5060", "127.0.0.9:1")), "127.0.0.5:5060".parse().unwrap());
        assert_eq!(plain.reachable_at(&flow("0.0.0.0:5060", "127.0.0.9:1")), "127.0.0.1:5060".parse().unwrap());
        let public = Ours::new(Some("192.0.2.7".parse().unwrap()));
        assert_eq!(public.reachable_at(&flow("0.0.0.0:5060", "198.51.100.1:1")), "192.0.2.7:5060".parse().unwrap());
        assert_eq!(public.reachable_at(&flow("127.0.0.1:5060", "127.0.0.9:1")), "127.0.0.1:5060".parse().unwrap());
    }
}
