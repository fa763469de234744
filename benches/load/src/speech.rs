//! RTP: every stream sends a packet of G.711 each 20 ms, stamped with its time; what arrives tells how long it took.
//!
//! Two threads beside the one that signals: one sends, one listens. Streams share sockets, one a source address: what tells
//! calls apart is the relay's port.

use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::net::Net;

/// Names a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId(u32);

/// Orders to the sender, and what both threads count.
pub struct Speech {
    orders: SyncSender<Order>,
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    next: u32,
}

enum Order {
    Start(StreamId, usize, SocketAddr),
    Stop(StreamId),
}

#[derive(Default)]
struct Shared {
    /// Packets carry the number of the measurement they belong to; 0 belongs to none.
    measurement: AtomicU32,
    sent: AtomicU64,
    heard: AtomicU64,
    /// Microseconds from sender to listener.
    delays: Mutex<Vec<u32>>,
}

struct Stream {
    id: StreamId,
    socket: usize,
    to: SocketAddr,
    sequence: u16,
}

const FRAME: Duration = Duration::from_millis(20);
/// Streams take turns within a frame, so that packets come as evenly as from phones that know nothing of each other.
const SLICES: u32 = 80;
const PACKET: usize = 172;
const HEADER: usize = 12;
const ORDERS_MOST: usize = 65_536;

impl Speech {
    pub fn start(at: impl IntoIterator<Item = SocketAddrV4>) -> anyhow::Result<Speech> {
        let net = Net::bind(at)?;
        let addresses = (0..net.len()).map(|index| net.address(index)).collect();
        let sockets = net.senders()?;
        let (orders, given) = sync_channel(ORDERS_MOST);
        let shared = Arc::new(Shared::default());
        let birth = Instant::now();
        let (says, hears) = (shared.clone(), shared.clone());
        std::thread::Builder::new().name("speak".into()).spawn(move || speak(&sockets, &given, &says, birth))?;
        std::thread::Builder::new().name("listen".into()).spawn(move || listen(net, &hears, birth))?;
        Ok(Speech { orders, shared, addresses, next: 0 })
    }

    pub fn address(&self, socket: usize) -> SocketAddr {
        self.addresses[socket % self.addresses.len()]
    }

    pub fn speak(&mut self, socket: usize, to: SocketAddr) -> Option<StreamId> {
        self.next += 1;
        let id = StreamId(self.next);
        let order = Order::Start(id, socket % self.addresses.len(), to);
        self.orders.send(order).is_ok().then_some(id)
    }

    pub fn stop(&self, id: StreamId) {
        // A sender that is gone sends nothing.
        let _ = self.orders.send(Order::Stop(id));
    }

    /// Begins to count.
    pub fn measure(&self, measurement: u32) {
        self.shared.sent.store(0, Relaxed);
        self.shared.heard.store(0, Relaxed);
        if let Ok(mut delays) = self.shared.delays.lock() {
            delays.clear();
        }
        self.shared.measurement.store(measurement, Relaxed);
    }

    /// Stops counting what is sent; what is on its way still counts.
    pub fn rest(&self) {
        self.shared.measurement.store(0, Relaxed);
    }

    /// Packets sent, packets heard, and how long they took.
    pub fn counted(&self) -> (u64, u64, Vec<u32>) {
        let delays = self.shared.delays.lock().map(|mut delays| std::mem::take(&mut *delays)).unwrap_or_default();
        (self.shared.sent.load(Relaxed), self.shared.heard.load(Relaxed), delays)
    }
}

fn speak(sockets: &[UdpSocket], orders: &Receiver<Order>, shared: &Shared, birth: Instant) {
    let mut slices: Vec<Vec<Stream>> = (0..SLICES).map(|_| Vec::new()).collect();
    let mut packet = [0xd5; PACKET];
    let mut turn = 0u64;
    let start = Instant::now();
    loop {
        loop {
            match orders.try_recv() {
                Ok(Order::Start(id, socket, to)) => {
                    slices[(id.0 % SLICES) as usize].push(Stream { id, socket, to, sequence: 0 })
                }
                Ok(Order::Stop(id)) => slices[(id.0 % SLICES) as usize].retain(|stream| stream.id != id),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let measurement = shared.measurement.load(Relaxed);
        let slice = &mut slices[(turn % u64::from(SLICES)) as usize];
        for stream in slice.iter_mut() {
            stream.sequence = stream.sequence.wrapping_add(1);
            packet[..2].copy_from_slice(&[0x80, 8]);
            packet[2..4].copy_from_slice(&stream.sequence.to_be_bytes());
            packet[4..8].copy_from_slice(&(u32::from(stream.sequence) * 160).to_be_bytes());
            packet[8..12].copy_from_slice(&stream.id.0.to_be_bytes());
            packet[HEADER..HEADER + 4].copy_from_slice(&measurement.to_be_bytes());
            packet[HEADER + 4..HEADER + 12].copy_from_slice(&(birth.elapsed().as_nanos() as u64).to_be_bytes());
            // What does not leave counts as lost.
            let _ = sockets[stream.socket].send_to(&packet, stream.to);
        }
        if measurement > 0 {
            shared.sent.fetch_add(slice.len() as u64, Relaxed);
        }
        turn += 1;
        let due = start + FRAME / SLICES * u32::try_from(turn).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn listen(mut net: Net, shared: &Shared, birth: Instant) {
    let mut delays = Vec::with_capacity(4096);
    loop {
        let measurement = shared.measurement.load(Relaxed);
        let mut heard = 0;
        let received = net.receive(Duration::from_millis(100), |_, _, packet| {
            let Some(stamp) = packet.get(HEADER..HEADER + 12) else { return };
            let number = stamp[..4].iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte));
            let sent = stamp[4..].iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
            if number > 0 && (number == measurement || measurement == 0) {
                heard += 1;
                let delay = (birth.elapsed().as_nanos() as u64).saturating_sub(sent) / 1000;
                delays.push(u32::try_from(delay).unwrap_or(u32::MAX));
            }
        });
        if received.is_err() {
            return;
        }
        if heard > 0 {
            shared.heard.fetch_add(heard, Relaxed);
            if let Ok(mut all) = shared.delays.lock() {
                all.append(&mut delays);
            }
        }
    }
}
