//! The connections of one listener: found by their id, found by their peer, counted by their source, and who relies on each.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tollgate_types::{ConnId, Flow, Map, Seed, UserId};

/// Connections held at once; later ones are closed at the door until the gate's finer caps decide.
const CONNECTIONS_MAX: usize = 20_000;
/// Messages waiting for one peer; one that does not read is cut off.
const QUEUE_MAX: usize = 256;

/// Ids are never used twice in the life of the process: whoever reconnects gets another.
static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// See the module.
pub struct Table {
    by_id: Map<ConnId, Connection>,
    /// The newest connection with each peer.
    by_peer: Map<SocketAddr, ConnId>,
    per_source: Map<IpAddr, usize>,
}

struct Connection {
    peer: SocketAddr,
    out: mpsc::Sender<Bytes>,
    /// Users with a device that is reached by it: they are told when it ends.
    users: BTreeSet<UserId>,
}

impl Table {
    /// No connection yet.
    pub fn new(seed: Seed) -> Table {
        Table { by_id: seed.map(), by_peer: seed.map(), per_source: seed.map() }
    }

    /// The queue of the flow's own connection if that lives, else of the newest one with the same peer.
    pub fn queue(&self, flow: &Flow) -> Option<mpsc::Sender<Bytes>> {
        let connection =
            self.by_id.get(&flow.conn).or_else(|| self.by_peer.get(&flow.peer).and_then(|id| self.by_id.get(id)))?;
        Some(connection.out.clone())
    }

    /// Is there a connection that bytes for this flow would take?
    pub fn is_open(&self, flow: &Flow) -> bool {
        self.by_id.contains_key(&flow.conn) || self.by_peer.contains_key(&flow.peer)
    }

    /// A place for one more connection with `peer`, or none when it, or all together, have too many.
    pub fn admit(&mut self, peer: SocketAddr, per_source_max: usize) -> Option<(ConnId, mpsc::Receiver<Bytes>)> {
        if self.by_id.len() >= CONNECTIONS_MAX {
            return None;
        }
        let from_here = self.per_source.entry(peer.ip()).or_insert(0);
        if *from_here >= per_source_max {
            return None;
        }
        *from_here += 1;
        let id = ConnId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
        let (out, queued) = mpsc::channel(QUEUE_MAX);
        self.by_id.insert(id, Connection { peer, out, users: BTreeSet::new() });
        self.by_peer.insert(peer, id);
        Some((id, queued))
    }

    /// It is gone. Returns the users who relied on it.
    pub fn forget(&mut self, id: ConnId) -> BTreeSet<UserId> {
        let Some(connection) = self.by_id.remove(&id) else { return BTreeSet::new() };
        if self.by_peer.get(&connection.peer) == Some(&id) {
            self.by_peer.remove(&connection.peer);
        }
        let source = connection.peer.ip();
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
        connection.users
    }

    /// `user` is to be told when the connection ends. False when it has ended already.
    pub fn rely(&mut self, id: ConnId, user: UserId) -> bool {
        self.by_id.get_mut(&id).is_some_and(|connection| {
            connection.users.insert(user);
            true
        })
    }

    /// `user` has no device there any more.
    pub fn release(&mut self, id: ConnId, user: UserId) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.users.remove(&user);
        }
    }

    /// Does anybody rely on it?
    pub fn is_relied_on(&self, id: ConnId) -> bool {
        self.by_id.get(&id).is_some_and(|connection| !connection.users.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::Transport;

    use super::*;

    fn table() -> Table {
        Table::new(Seed([1; 4]))
    }

    fn peer(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn flow(peer: SocketAddr, conn: ConnId) -> Flow {
        Flow { transport: Transport::Tcp, local: ([192, 0, 2, 9], 5060).into(), peer, conn }
    }

    #[test]
    fn a_peer_is_found_again_by_its_newest_connection() {
        let mut table = table();
        let (old, _old_queue) = table.admit(peer(1), 9).unwrap();
        let (new, mut queue) = table.admit(peer(1), 9).unwrap();
        assert_ne!(old, new);
        table.forget(old);
        assert!(table.is_open(&flow(peer(1), old)), "the newer one serves whoever knows the old one");
        table.queue(&flow(peer(1), old)).unwrap().try_send(Bytes::from_static(b"x")).unwrap();
        assert_eq!(queue.try_recv().unwrap(), "x");
        table.forget(new);
        assert!(!table.is_open(&flow(peer(1), new)) && table.queue(&flow(peer(1), new)).is_none());
        assert!(table.by_peer.is_empty() && table.per_source.is_empty() && table.by_id.is_empty());
    }

    #[test]
    fn whoever_relies_on_a_connection_is_named_once_when_it_ends() {
        let mut table = table();
        let (old, _queue) = table.admit(peer(1), 9).unwrap();
        assert!(table.rely(old, UserId(7)) && table.rely(old, UserId(7)) && table.rely(old, UserId(8)));
        table.release(old, UserId(8));
        let (new, _queue) = table.admit(peer(2), 9).unwrap();
        assert!(table.rely(new, UserId(7)), "the phone has come back before the old connection was found dead");
        assert_eq!(table.forget(old), [UserId(7)].into());
        assert!(table.forget(old).is_empty() && !table.rely(old, UserId(9)), "what is gone takes nobody");
        assert!(table.is_relied_on(new) && !table.is_relied_on(old));
    }

    #[test]
    fn a_source_has_so_many_connections_and_no_more() {
        let mut table = table();
        let held: Vec<_> = (1..=3).filter_map(|port| table.admit(peer(port), 2)).collect();
        assert_eq!(held.len(), 2);
        assert!(table.admit(([192, 0, 2, 2], 1).into(), 2).is_some(), "another source has its own");
        table.forget(held[0].0);
        assert!(table.admit(peer(4), 2).is_some());
    }
}
