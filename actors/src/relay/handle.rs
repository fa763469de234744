//! How actors talk to the media threads: orders through a bounded channel, answers through a callback.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use tollgate_media::latch::Policy;
use tollgate_media::relay::{Gate, Verdict};
use tollgate_media::{Families, Family, Leg, Plan, Ports};
use tollgate_types::{CallId, Mono, Seed};

use super::address::Addresses;
use super::config::{Clock, RelayConfig};
use super::dials::{Dials, Tuning};
use super::readiness::Bell;
use super::shared::{CallStats, Load, SharedCall};
use super::socket::Told;
use super::table::{Place, Table};
use crate::relay_loop;
use crate::supervision::contain;

/// What a call asks for. Asked again with more lines or families, it gets those in addition.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Media lines, [`tollgate_media::sdp::exchange::Offered::lines`].
    pub lines: usize,
    /// By [`Leg::index`]: the versions of IP each leg may turn out to need.
    pub families: [Families; 2],
    /// When forwarding ends. For a call already open: unchanged.
    pub open_until: Mono,
}

/// What it gets.
#[derive(Clone, Debug)]
pub struct Opened {
    /// All ports of the call.
    pub ports: Ports,
    /// The record it shares with its media thread.
    pub shared: Arc<SharedCall>,
}

/// Why it gets nothing. What it had stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// Too many orders wait.
    #[error("the media relay has too many orders waiting")]
    Busy,
    /// Every port is open or resting.
    #[error("no media port is free")]
    NoPorts,
    /// As many sockets as may be.
    #[error("no more media sockets may be opened")]
    NoSockets,
    /// `media.bind` has no address of that version.
    #[error("media over {0:?} is not configured")]
    NoFamily(Family),
    /// The system will not open sockets at all.
    #[error("the system refuses media sockets: {0}")]
    System(io::ErrorKind),
    /// The relay is shut down.
    #[error("the media relay is shut down")]
    Stopped,
}

/// The media threads' owner. When it is dropped they end, and every port closes.
#[derive(Debug)]
pub struct Relay {
    handle: RelayHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Gives orders to the media threads. Orders of one call are obeyed in the order they are given.
#[derive(Clone, Debug)]
pub struct RelayHandle {
    addresses: Arc<Addresses>,
    dials: Arc<Dials>,
    threads: Arc<[Thread]>,
}

#[derive(Debug)]
enum Thread {
    Running { orders: Sender<Order>, bell: Arc<Bell>, load: Arc<Load> },
    Told(Bench),
}

/// The relay of a story: no thread, no socket. Orders are obeyed at once; packets are handed in, verdicts handed out.
#[derive(Clone)]
pub struct Bench {
    table: Arc<Mutex<Table<Told>>>,
    clock: Clock,
}

type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// What a media thread is told.
pub(crate) enum Order {
    Open(CallId, Ask, Reply<Result<Opened, RelayError>>),
    Apply(CallId, Box<Plan>, [Policy; 2]),
    Gate(CallId, Gate),
    Relatch(CallId, Leg),
    Close(CallId, Reply<Option<CallStats>>),
    Stop,
    #[cfg(test)]
    Sabotage(CallId),
}

/// Orders that may wait for one thread. Half of them at most are `open`: what belongs to calls under way always fits.
const ORDERS_MOST: usize = 8192;

impl Relay {
    /// Starts the threads. `seed` decides the order in which ports are used.
    pub fn start(config: &RelayConfig, clock: Clock, seed: Seed) -> io::Result<Relay> {
        let addresses = Arc::new(Addresses::new(config));
        let count = config.threads.max(1);
        let dials = Arc::new(Dials::new(&Tuning::default()));
        let handle = RelayHandle { addresses: addresses.clone(), dials: dials.clone(), threads: Arc::new([]) };
        let mut relay = Relay { handle, threads: Vec::new() };
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let (orders, waiting) = bounded::<Order>(ORDERS_MOST);
            let place = Place { config, index, count, seed, addresses: addresses.clone(), dials: dials.clone() };
            let (bell, load, thread) = relay_loop::start(place, clock.clone(), waiting)?;
            threads.push(Thread::Running { orders, bell, load });
            relay.threads.push(thread);
        }
        relay.handle.threads = threads.into();
        Ok(relay)
    }

    /// For those who give orders.
    pub fn handle(&self) -> RelayHandle {
        self.handle.clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for thread in self.handle.threads.iter() {
            thread.give(Order::Stop);
        }
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so in the log.
            let _ = thread.join();
        }
    }
}

impl RelayHandle {
    /// A relay without threads and sockets, and the bench that plays the network to it.
    pub fn bench(config: &RelayConfig, clock: Clock, seed: Seed) -> (RelayHandle, Bench) {
        let addresses = Arc::new(Addresses::new(config));
        let dials = Arc::new(Dials::new(&Tuning::default()));
        let place = Place { config, index: 0, count: 1, seed, addresses: addresses.clone(), dials: dials.clone() };
        let table = Table::new(place, Told, Arc::default());
        let bench = Bench { table: Arc::new(Mutex::new(table)), clock };
        (RelayHandle { addresses, dials, threads: Arc::new([Thread::Told(bench.clone())]) }, bench)
    }

    /// Opens ports for every line, leg and family asked for: all of them or none.
    ///
    /// `reply` is called on the media thread, or at once if the order cannot be given. It must be quick, and it must not
    /// give orders itself.
    pub fn open(&self, call: CallId, ask: Ask, reply: impl FnOnce(Result<Opened, RelayError>) + Send + 'static) {
        let order = Order::Open(call, ask, Box::new(reply));
        match self.thread(call) {
            Some(thread) => thread.ask(order),
            None => refuse(order, RelayError::Stopped),
        }
    }

    /// What offer and answer agreed on: remote addresses, payload types, hold. `policies` by [`Leg::index`].
    ///
    /// A side whose address is unchanged keeps the source it has latched; after a re-INVITE from behind a translator call
    /// [`RelayHandle::relatch`] as well.
    pub fn apply(&self, call: CallId, plan: Plan, policies: [Policy; 2]) {
        self.give(call, Order::Apply(call, Box::new(plan), policies));
    }

    /// Which way packets pass; at first only to the caller.
    pub fn gate(&self, call: CallId, gate: Gate) {
        self.give(call, Order::Gate(call, gate));
    }

    /// The leg may send from elsewhere now.
    pub fn relatch(&self, call: CallId, leg: Leg) {
        self.give(call, Order::Relatch(call, leg));
    }

    /// Closes the call's ports. `reply` gets what it carried, `None` if it was not open; it is called on the media thread.
    pub fn close(&self, call: CallId, reply: impl FnOnce(Option<CallStats>) + Send + 'static) {
        let order = Order::Close(call, Box::new(reply));
        match self.thread(call) {
            Some(thread) => thread.give(order),
            None => refuse(order, RelayError::Stopped),
        }
    }

    /// Our address as `peer` must see it in an SDP; see [`Addresses::toward`]. Asks the system's routing table: a few µs.
    pub fn address_toward(&self, peer: IpAddr) -> Option<IpAddr> {
        self.addresses.toward(peer)
    }

    /// Limits from now on: the network's at once, a stream's when its SDP is next applied.
    pub fn tune(&self, tuning: &Tuning) {
        self.dials.turn(tuning);
    }

    /// The families that media can be relayed over.
    pub fn families(&self) -> Families {
        self.addresses.families()
    }

    /// What each media thread has on its hands.
    pub fn loads(&self) -> impl Iterator<Item = &Load> {
        self.threads.iter().filter_map(|thread| match thread {
            Thread::Running { load, .. } => Some(&**load),
            Thread::Told(_) => None,
        })
    }

    #[cfg(test)]
    pub(super) fn sabotage(&self, call: CallId) {
        self.give(call, Order::Sabotage(call));
    }

    fn give(&self, call: CallId, order: Order) {
        if let Some(thread) = self.thread(call) {
            thread.give(order);
        }
    }

    /// All lines of a call live on one thread. Ids of one millisecond differ in their low bits.
    fn thread(&self, call: CallId) -> Option<&Thread> {
        let spread = (call.to_i64() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.threads.get((spread as usize).checked_rem(self.threads.len())?)
    }
}

impl Thread {
    /// An order that may be refused.
    fn ask(&self, order: Order) {
        match self {
            Thread::Running { orders, .. } if orders.len() >= ORDERS_MOST / 2 => refuse(order, RelayError::Busy),
            Thread::Running { orders, bell, .. } => match orders.try_send(order) {
                Ok(()) => wake(bell),
                Err(TrySendError::Full(order)) => refuse(order, RelayError::Busy),
                Err(TrySendError::Disconnected(order)) => refuse(order, RelayError::Stopped),
            },
            Thread::Told(bench) => bench.obey(order),
        }
    }

    /// An order that belongs to an open call. It waits for room, which the thread makes within microseconds: it never
    /// blocks, and it cannot die of a packet.
    fn give(&self, order: Order) {
        match self {
            Thread::Running { orders, bell, .. } => match orders.send(order) {
                Ok(()) => wake(bell),
                Err(gone) => refuse(gone.0, RelayError::Stopped),
            },
            Thread::Told(bench) => bench.obey(order),
        }
    }
}

impl Bench {
    /// A datagram comes `from` a peer `to` a port of ours; `None` where none is open.
    pub fn arrive(&self, to: SocketAddr, from: SocketAddr, bytes: &mut [u8]) -> Option<Verdict> {
        let now = (self.clock)();
        self.table.lock().arrive(to, from, bytes, now)
    }

    /// Calls and ports that are open.
    pub fn open_now(&self) -> (usize, usize) {
        self.table.lock().open_now()
    }

    fn obey(&self, order: Order) {
        let now = (self.clock)();
        // The reply may give the next order: it is called after the lock is gone.
        if let Some(reply) = contain("relay.order", || self.table.lock().obey(order, now)) {
            reply.send();
        }
    }
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bench")
    }
}

/// An answer, with the one who waits for it.
#[must_use]
pub(crate) enum Answer {
    None,
    Opened(Reply<Result<Opened, RelayError>>, Result<Opened, RelayError>),
    Closed(Reply<Option<CallStats>>, Option<CallStats>),
}

impl Answer {
    pub(crate) fn send(self) {
        match self {
            Answer::None => {}
            Answer::Opened(reply, answer) => reply(answer),
            Answer::Closed(reply, stats) => reply(stats),
        }
    }
}

/// Orders as a media thread takes them.
pub(crate) type Orders = Receiver<Order>;

fn refuse(order: Order, why: RelayError) {
    match order {
        Order::Open(_, _, reply) => reply(Err(why)),
        Order::Close(_, reply) => reply(None),
        _ => {}
    }
}

fn wake(bell: &Bell) {
    if let Err(error) = bell.ring() {
        // It still sees the order when the next packet wakes it.
        tracing::error!(%error, "a media thread could not be woken");
    }
}
