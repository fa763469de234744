//! A media thread: waits for packets, asks [`tollgate_media::relay`] about each, sends it on.
//!
//! No actor, no lock, no allocation a packet. Edge-triggered poll, so each ready socket is read until it is empty; one
//! that is flooded waits for the next turn after [`BATCH`] packets. A fault met in a packet costs its stream, not the
//! thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use tollgate_media::Family;
use tollgate_media::limit::Limit;
use tollgate_media::relay::{Component, Reason, Verdict};

use crate::relay::socket::Watched;
use crate::relay::table::{Place, Table};
use crate::relay::{Clock, Dials, Load, Order, shared_add};
use crate::supervision::contain;

struct MediaThread {
    poll: Poll,
    table: Table<Watched>,
    orders: crate::relay::Orders,
    clock: Clock,
    load: Arc<Load>,
    dials: Arc<Dials>,
    /// How many threads share the network.
    count: usize,
    network: Limit,
    /// Sockets that may hold more packets.
    again: Vec<usize>,
    buffer: Box<[u8; DATAGRAM_MOST]>,
}

const ORDERS_AWAIT: Token = Token(usize::MAX);
/// Packets read from one socket in a turn.
const BATCH: usize = 64;
/// Orders obeyed in a turn.
const ORDERS_BATCH: usize = 256;
/// No media packet is longer; one that fills the buffer may have been cut and is dropped.
const DATAGRAM_MOST: usize = 4096;

/// Starts one thread; the channel's far end, the waker and the load belong to those who give orders.
pub(crate) fn start(
    place: Place<'_>,
    clock: Clock,
    orders: crate::relay::Orders,
) -> io::Result<(Arc<Waker>, Arc<Load>, JoinHandle<()>)> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), ORDERS_AWAIT)?);
    let load = Arc::new(Load::default());
    let watched = Watched(poll.registry().try_clone()?);
    let (dials, count, name) = (place.dials.clone(), place.count, format!("media-{}", place.index));
    let network = Limit::new(dials.network(count), clock());
    let table = Table::new(place, watched, load.clone());
    let mut thread = MediaThread {
        poll,
        table,
        orders,
        clock,
        load: load.clone(),
        dials,
        count,
        network,
        again: Vec::with_capacity(256),
        buffer: Box::new([0; DATAGRAM_MOST]),
    };
    let handle = std::thread::Builder::new().name(name).spawn(move || thread.run())?;
    Ok((waker, load, handle))
}

impl MediaThread {
    fn run(&mut self) {
        let mut events = Events::with_capacity(1024);
        let mut turn = Vec::with_capacity(256);
        loop {
            let hurry = !self.again.is_empty() || !self.orders.is_empty();
            if let Err(error) = self.poll.poll(&mut events, hurry.then_some(Duration::ZERO))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a media thread cannot wait for packets");
                std::thread::sleep(Duration::from_millis(10));
            }
            self.network.set(self.dials.network(self.count));
            for event in &events {
                if event.token() != ORDERS_AWAIT {
                    self.contained_drain(event.token().0);
                }
            }
            std::mem::swap(&mut self.again, &mut turn);
            for key in turn.drain(..) {
                self.contained_drain(key);
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

    fn contained_drain(&mut self, key: usize) {
        if catch_unwind(AssertUnwindSafe(|| self.drain(key))).is_ok() {
            return;
        }
        shared_add(&self.load.panics, 1);
        let Some(open) = self.table.sockets.get(key) else { return };
        if let Some(line) = self.table.lines.get_mut(open.line) {
            line.broken = true;
        }
        tracing::error!("a media packet met a fault: its stream is closed");
        self.again.push(key);
    }

    /// Reads a socket until it is empty or its turn is over.
    fn drain(&mut self, key: usize) {
        let MediaThread { table: Table { sockets, lines, .. }, clock, buffer, again, load, network, .. } = self;
        let Some(open) = sockets.get_mut(key) else { return };
        open.again = false;
        let Some(open) = sockets.get(key) else { return };
        let Some(line) = lines.get_mut(open.line) else { return };
        for _ in 0..BATCH {
            let (length, source) = match open.socket.recv_from(&mut buffer[..]) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error for an earlier packet; the next read tells of the next packet.
                Err(_) => continue,
            };
            let now = clock();
            #[cfg(test)]
            assert!(!line.sabotaged || line.broken, "sabotage");
            if length == buffer.len() {
                line.dropped(open.leg, Reason::Malformed, now);
                continue;
            }
            let Verdict::Forward { to, component } =
                line.take(open.leg, open.component, &mut buffer[..length], source, now)
            else {
                continue;
            };
            if !network.take(length, now) {
                line.dropped(open.leg, Reason::Network, now);
                continue;
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
        if let Some(open) = sockets.get_mut(key).filter(|open| !open.again) {
            open.again = true;
            again.push(key);
        }
    }
}

const _: () = assert!(Component::Rtp as usize == 0 && Component::Rtcp as usize == 1);
