//! A media thread: waits for packets, asks [`tollgate_media::relay`] about each, sends it on.
//!
//! No actor, no lock, no allocation a packet, two system calls: one read for each report of a ready port, one send. A port
//! that is flooded gets no more turns than the others. A fault met in a packet costs its stream, not the thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tollgate_media::Family;
use tollgate_media::limit::Limit;
use tollgate_media::relay::{Component, Reason, Verdict};

use crate::relay::readiness::{Bell, Readiness, Reports};
use crate::relay::socket::Watched;
use crate::relay::table::{Place, Table};
use crate::relay::{Clock, Dials, Load, Order, shared_add};
use crate::supervision::contain;

struct MediaThread {
    readiness: Readiness,
    table: Table<Watched>,
    orders: crate::relay::Orders,
    clock: Clock,
    load: Arc<Load>,
    dials: Arc<Dials>,
    /// How many threads share the network.
    count: usize,
    network: Limit,
    buffer: Box<[u8; DATAGRAM_MOST]>,
}

/// Orders obeyed in a turn.
const ORDERS_BATCH: usize = 256;
/// No media packet is longer; one that fills the buffer may have been cut and is dropped.
const DATAGRAM_MOST: usize = 4096;

/// Starts one thread; the channel's far end, the bell and the load belong to those who give orders.
pub(crate) fn start(
    place: Place<'_>,
    clock: Clock,
    orders: crate::relay::Orders,
) -> io::Result<(Arc<Bell>, Arc<Load>, JoinHandle<()>)> {
    let readiness = Readiness::new()?;
    let bell = readiness.bell();
    let load = Arc::new(Load::default());
    let watched = Watched(readiness.registry());
    let (dials, count, name) = (place.dials.clone(), place.count, format!("media-{}", place.index));
    let network = Limit::new(dials.network(count), clock());
    let table = Table::new(place, watched, load.clone());
    let mut thread = MediaThread {
        readiness,
        table,
        orders,
        clock,
        load: load.clone(),
        dials,
        count,
        network,
        buffer: Box::new([0; DATAGRAM_MOST]),
    };
    let handle = std::thread::Builder::new().name(name).spawn(move || thread.run())?;
    Ok((bell, load, handle))
}

impl MediaThread {
    fn run(&mut self) {
        let mut reports = Reports::new();
        loop {
            let hurry = !self.orders.is_empty();
            if let Err(error) = self.readiness.wait(&mut reports, hurry.then_some(Duration::ZERO)) {
                tracing::error!(%error, "a media thread cannot wait for packets");
                std::thread::sleep(Duration::from_millis(10));
            }
            self.network.set(self.dials.network(self.count));
            for key in reports.tokens() {
                self.contained_read(key);
            }
            if !self.obey() {
                return;
            }
        }
    }

    /// False when it is told to stop.
    fn obey(&mut self) -> bool {
        for _ in 0..ORDERS_BATCH {
            match self.orders.try_recv() {
                Ok(Order::Stop) | Err(crossbeam_channel::TryRecvError::Disconnected) => return false,
                Err(crossbeam_channel::TryRecvError::Empty) => return true,
                Ok(order) => {
                    let now = (self.clock)();
                    if contain("relay.order", || self.table.obey(order, now).send()).is_none() {
                        shared_add(&self.load.panics, 1);
                    }
                }
            }
        }
        true
    }

    fn contained_read(&mut self, key: usize) {
        if catch_unwind(AssertUnwindSafe(|| self.read(key))).is_ok() {
            return;
        }
        shared_add(&self.load.panics, 1);
        let Some(open) = self.table.sockets.get(key) else { return };
        if let Some(line) = self.table.lines.get_mut(open.line) {
            line.broken = true;
        }
        tracing::error!("a media packet met a fault: its stream is closed");
    }

    /// Reads one packet and sends it on.
    fn read(&mut self, key: usize) {
        let MediaThread { table: Table { sockets, lines, .. }, clock, buffer, load, network, .. } = self;
        let Some(open) = sockets.get(key) else { return };
        let Some(line) = lines.get_mut(open.line) else { return };
        // Nothing there, or an ICMP error for an earlier packet: what is there besides is reported again.
        let Ok((length, source)) = open.socket.recv_from(&mut buffer[..]) else { return };
        let now = clock();
        #[cfg(test)]
        assert!(!line.sabotaged || line.broken, "sabotage");
        if length == buffer.len() {
            return line.dropped(open.leg, Reason::Malformed, now);
        }
        let Verdict::Forward { to, component } =
            line.take(open.leg, open.component, &mut buffer[..length], source, now)
        else {
            return;
        };
        if !network.take(length, now) {
            return line.dropped(open.leg, Reason::Network, now);
        }
        let out = line.sockets[open.leg.other().index()][component as usize][Family::of(to.ip()).index()];
        let sent = match out.and_then(|out| sockets.get(out as usize)) {
            Some(out) => out.socket.send_to(&buffer[..length], to).is_ok(),
            None => false,
        };
        if sent {
            shared_add(&load.forwarded, 1);
        } else {
            line.dropped(open.leg, Reason::Unsent, now);
        }
    }
}

const _: () = assert!(Component::Rtp as usize == 0 && Component::Rtcp as usize == 1);
