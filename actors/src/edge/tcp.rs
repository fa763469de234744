//! SIP over TCP: one task a connection, frames in, a short bounded queue out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tollgate_sip::wire::stream::{Frame, Framer};
use tollgate_types::{ConnId, Flow, Map, Seed, Transport};

use super::{EdgeCounts, Raw, Unsendable};
use crate::placement::Front;

/// Connections held at once; later ones are closed at the door until the gate's finer caps decide.
const CONNECTIONS_MAX: usize = 20_000;
/// Connections from one address.
const PER_SOURCE_MAX: usize = 2_000;
/// Messages waiting for one peer; one that does not read is cut off.
const QUEUE_MAX: usize = 256;
/// A connection that says nothing at all for so long is closed; keep-alives count.
const IDLE: Duration = Duration::from_secs(3_900);
/// A started message must be complete by then (slowloris).
const MESSAGE_DEADLINE: Duration = Duration::from_secs(20);
const CONNECT_DEADLINE: Duration = Duration::from_secs(8);

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// A listening socket and the connections it knows, accepted and made.
pub struct TcpListening {
    listener: std::net::TcpListener,
    local: SocketAddr,
    table: Arc<Mutex<Table>>,
}

struct Table {
    by_id: Map<ConnId, Connection>,
    per_source: Map<std::net::IpAddr, usize>,
    /// Set when reading starts: new connections need a thread to live on.
    front: Option<Front>,
}

struct Connection {
    peer: SocketAddr,
    out: mpsc::Sender<Bytes>,
}

impl TcpListening {
    /// Binds and listens; nothing is accepted yet.
    pub fn bind(at: SocketAddr) -> io::Result<TcpListening> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        socket.listen(1024)?;
        let listener = std::net::TcpListener::from(socket);
        let local = listener.local_addr()?;
        let seed = Seed([5, 0, 6, 0]);
        let table = Table { by_id: seed.map(), per_source: seed.map(), front: None };
        Ok(TcpListening { listener, local, table: Arc::new(Mutex::new(table)) })
    }

    /// The address bound.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Queues one message. By its connection if that lives, else by any to the same peer, else by a new one.
    pub fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), Unsendable> {
        let mut table = self.table.lock();
        let queue = match table.by_id.get(&flow.conn) {
            Some(connection) => Some(connection.out.clone()),
            None => table.by_id.values().find(|known| known.peer == flow.peer).map(|known| known.out.clone()),
        };
        if let Some(queue) = queue {
            return queue.try_send(bytes).map_err(|_| Unsendable::Blocked);
        }
        if flow.conn != ConnId(0) {
            return Err(Unsendable::ConnectionGone);
        }
        let front = table.front.clone().ok_or(Unsendable::NoListener)?;
        let (id, queued) = table.admit(flow.peer).ok_or(Unsendable::Blocked)?;
        if let Some(connection) = table.by_id.get(&id) {
            let _ = connection.out.try_send(bytes);
        }
        drop(table);
        let (local, peer, table) = (self.local, flow.peer, self.table.clone());
        front.clone().spawn_on(id.0 as usize, async move {
            match tokio::time::timeout(CONNECT_DEADLINE, TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => {
                    converse(stream, Flow { transport: Transport::Tcp, local, peer, conn: id }, queued, &front).await
                }
                _ => front.unreachable(Flow { transport: Transport::Tcp, local, peer, conn: ConnId(0) }),
            }
            table.lock().forget(id);
        });
        Ok(())
    }

    /// Accepts on the thread of shard `index mod shards`; connections are spread over all.
    pub fn accept_into(&self, front: Front, index: usize) {
        self.table.lock().front = Some(front.clone());
        let (local, table) = (self.local, self.table.clone());
        let listener = match self.listener.try_clone() {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%local, %error, "a TCP listener cannot be read");
                return;
            }
        };
        front.clone().spawn_on(index, async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => accept(listener, local, table, front).await,
                Err(error) => tracing::error!(%local, %error, "a TCP listener cannot be read"),
            }
        });
    }
}

impl Table {
    /// A place for one more connection with `peer`, or none when it, or all together, have too many.
    fn admit(&mut self, peer: SocketAddr) -> Option<(ConnId, mpsc::Receiver<Bytes>)> {
        let from_here = self.per_source.entry(peer.ip()).or_insert(0);
        if self.by_id.len() >= CONNECTIONS_MAX || *from_here >= PER_SOURCE_MAX {
            return None;
        }
        *from_here += 1;
        let id = ConnId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
        let (out, queued) = mpsc::channel(QUEUE_MAX);
        self.by_id.insert(id, Connection { peer, out });
        Some((id, queued))
    }

    fn forget(&mut self, id: ConnId) {
        let Some(connection) = self.by_id.remove(&id) else { return };
        let source = connection.peer.ip();
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }
}

async fn accept(listener: TcpListener, local: SocketAddr, table: Arc<Mutex<Table>>, front: Front) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of descriptors, most likely: breathe until some are returned.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if front.is_banned(peer) {
            EdgeCounts::bump(&front.counts().banned, 1);
            continue;
        }
        let Some((id, queued)) = table.lock().admit(peer) else {
            EdgeCounts::bump(&front.counts().overload, 1);
            continue;
        };
        let (front_there, table) = (front.clone(), table.clone());
        // The stream belongs to the reactor that reads it, so it crosses as a plain socket.
        let Ok(stream) = stream.into_std() else {
            table.lock().forget(id);
            continue;
        };
        front.clone().spawn_on(id.0 as usize, async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                converse(stream, Flow { transport: Transport::Tcp, local, peer, conn: id }, queued, &front_there).await;
            }
            table.lock().forget(id);
        });
    }
}

/// Reads and writes one connection until either side ends it.
async fn converse(stream: TcpStream, flow: Flow, mut queued: mpsc::Receiver<Bytes>, front: &Front) {
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let mut framer = Framer::new();
    let mut buffer = vec![0u8; 8 * 1024];
    let mut half_since: Option<tokio::time::Instant> = None;
    loop {
        let wait_until =
            half_since.map_or_else(|| tokio::time::Instant::now() + IDLE, |since| since + MESSAGE_DEADLINE);
        tokio::select! {
            outgoing = queued.recv() => {
                let Some(bytes) = outgoing else { break };
                if !matches!(tokio::time::timeout(MESSAGE_DEADLINE, writer.write_all(&bytes)).await, Ok(Ok(()))) {
                    break;
                }
            }
            read = reader.read(&mut buffer) => {
                let Ok(length) = read else { break };
                if length == 0 {
                    break;
                }
                framer.push(&buffer[..length]);
                let pongs = match deliver_frames(&mut framer, &flow, front) {
                    Ok(pongs) => pongs,
                    Err(last) => {
                        let _ = tokio::time::timeout(MESSAGE_DEADLINE, writer.write_all(&last)).await;
                        break;
                    }
                };
                for _ in 0..pongs {
                    if writer.write_all(b"\r\n").await.is_err() {
                        break;
                    }
                }
                half_since = if framer.pending() == 0 { None } else { half_since.or_else(|| Some(tokio::time::Instant::now())) };
            }
            () = tokio::time::sleep_until(wait_until) => break,
        }
        if front.is_banned(flow.peer) {
            EdgeCounts::bump(&front.counts().banned, 1);
            break;
        }
    }
    front.unreachable(flow);
}

/// Hands on what is complete; tells how many pings want a pong (RFC 5626 §4.4.1). When the stream has lost its frame, what is
/// still to be said before it is closed.
fn deliver_frames(framer: &mut Framer, flow: &Flow, front: &Front) -> Result<usize, Bytes> {
    let (mut batch, mut pongs) = (Vec::new(), 0);
    let mut farewell = None;
    while let Some(frame) = framer.poll() {
        match frame {
            Frame::Message(bytes) => {
                EdgeCounts::bump(&front.counts().received, 1);
                batch.push(Raw { bytes, flow: *flow });
            }
            Frame::Ping => pongs += 1,
            Frame::Broken(malformed) => {
                farewell = Some(malformed.answer.map(|answer| answer.build(flow, "broken")).unwrap_or_default());
                break;
            }
        }
    }
    if !batch.is_empty() {
        front.deliver(batch);
    }
    match farewell {
        Some(last) => Err(last),
        None => Ok(pongs.min(16)),
    }
}
