//! Which of our addresses a peer reaches us by, and which ports of the network are our own.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tollgate_media::target::Reach;
use tollgate_media::{Families, Family};

use super::config::RelayConfig;

/// What the relay knows of its own place in the network. Shared by its threads and handles.
#[derive(Debug)]
pub struct Addresses {
    bind: [Option<IpAddr>; 2],
    advertise: [Option<IpAddr>; 2],
    /// Addresses of this host that were told to peers.
    told: Mutex<Vec<IpAddr>>,
    /// One bit for each port open now, by family.
    open: [Box<[AtomicU64]>; 2],
}

/// A host has this many addresses at most that matter to media.
const TOLD_MOST: usize = 64;

impl Addresses {
    pub(super) fn new(config: &RelayConfig) -> Addresses {
        let bits = || (0..1024).map(|_| AtomicU64::new(0)).collect();
        Addresses {
            bind: [config.bind_v4, config.bind_v6],
            advertise: [config.advertise_v4, config.advertise_v6],
            told: Mutex::new(Vec::new()),
            open: [bits(), bits()],
        }
    }

    /// The families that media can be relayed over.
    pub fn families(&self) -> Families {
        Families { v4: self.bind[0].is_some(), v6: self.bind[1].is_some() }
    }

    /// Our address as `peer` must see it in an SDP: the advertised one if it comes from the world, else the bound one,
    /// else the one that the system would send to it from. `None` if its family is not served or it cannot be reached.
    pub fn toward(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        let family = Family::of(peer).index();
        let bound = self.bind[family]?;
        if let Some(advertised) = self.advertise[family].filter(|_| Reach::of(peer) == Reach::Public) {
            return Some(advertised);
        }
        if !bound.is_unspecified() {
            return Some(bound);
        }
        let own = route_to(bound, peer).ok()?;
        let mut told = self.told.lock();
        if !told.contains(&own) && told.len() < TOLD_MOST {
            told.push(own);
        }
        Some(own)
    }

    /// Is it an open media port of ours? Media sent there would run in circles.
    pub fn is_ours(&self, addr: SocketAddr) -> bool {
        let ip = addr.ip().to_canonical();
        let family = Family::of(ip).index();
        let (word, bit) = place(addr.port());
        self.open[family][word].load(Relaxed) & bit != 0
            && (ip.is_loopback()
                || self.bind[family] == Some(ip)
                || self.advertise[family] == Some(ip)
                || self.told.lock().contains(&ip))
    }

    pub(super) fn bound(&self, family: Family) -> Option<IpAddr> {
        self.bind[family.index()]
    }

    pub(super) fn opened(&self, family: Family, port: u16) {
        let (word, bit) = place(port);
        self.open[family.index()][word].fetch_or(bit, Relaxed);
    }

    pub(super) fn closed(&self, family: Family, port: u16) {
        let (word, bit) = place(port);
        self.open[family.index()][word].fetch_and(!bit, Relaxed);
    }
}

fn place(port: u16) -> (usize, u64) {
    (usize::from(port / 64), 1 << (port % 64))
}

/// Asks the routing table by an unsent datagram.
fn route_to(bound: IpAddr, peer: IpAddr) -> std::io::Result<IpAddr> {
    let socket = UdpSocket::bind((bound, 0))?;
    socket.connect((peer, 9))?;
    Ok(socket.local_addr()?.ip().to_canonical())
}
