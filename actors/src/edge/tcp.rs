//! SIP over TCP: one task a connection, frames in, a short bounded queue out.

mod table;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tollgate_sip::wire::stream::{Frame, Framer};
use tollgate_types::{ConnId, Flow, Seed, Transport, UserId};

use self::table::Table;
use super::{EdgeCounts, Raw, Unsendable};
use crate::placement::Front;

/// One that a device is registered by may be silent longer than `sip.stream_idle`: as long as a usual registration, and some.
const IDLE_RELIED_ON: Duration = Duration::from_secs(3_900);
/// How soon a change of the rules reaches a connection on which nothing happens.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// A started message must be complete by then (slowloris).
const MESSAGE_DEADLINE: Duration = Duration::from_secs(20);

/// A listening socket and the connections it knows, accepted and made.
pub struct TcpListening {
    listener: std::net::TcpListener,
    local: SocketAddr,
    table: Arc<Mutex<Table>>,
    /// Set when reading starts: new connections need a thread to live on.
    front: OnceLock<Front>,
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
        let table = Table::new(Seed([5, 0, 6, 0]));
        Ok(TcpListening { listener, local, table: Arc::new(Mutex::new(table)), front: OnceLock::new() })
    }

    /// The address bound.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Queues one message. By its connection if that lives, else by the newest to the same peer, else by a new one.
    pub fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), Unsendable> {
        let mut table = self.table.lock();
        if let Some(queue) = table.queue(flow) {
            return queue.try_send(bytes).map_err(|_| Unsendable::Blocked);
        }
        if flow.conn != ConnId(0) {
            return Err(Unsendable::ConnectionGone);
        }
        let front = self.front.get().ok_or(Unsendable::NoListener)?.clone();
        // Who is called by us does not use up what he may open himself.
        let (id, queued) = table.admit(flow.peer, usize::MAX).ok_or(Unsendable::Blocked)?;
        let flow = Flow { conn: id, ..*flow };
        if let Some(queue) = table.queue(&flow) {
            let _ = queue.try_send(bytes);
        }
        drop(table);
        let table = self.table.clone();
        front.clone().spawn_on(id.0 as usize, async move {
            let wait = front.tuned().stream_connect;
            match tokio::time::timeout(wait, TcpStream::connect(flow.peer)).await {
                Ok(Ok(stream)) => converse(stream, flow, queued, &table, &front).await,
                _ => drop(queued),
            }
            part(flow, &table, &front);
        });
        Ok(())
    }

    /// Is there a connection for this flow?
    pub fn is_open(&self, flow: &Flow) -> bool {
        self.table.lock().is_open(flow)
    }

    /// See [`super::Outlet::rely`].
    pub fn rely(&self, flow: &Flow, user: UserId) -> bool {
        self.table.lock().rely(flow.conn, user)
    }

    /// See [`super::Outlet::release`].
    pub fn release(&self, flow: &Flow, user: UserId) {
        self.table.lock().release(flow.conn, user);
    }

    /// Accepts on the thread of shard `index mod shards`; connections are spread over all.
    pub fn accept_into(&self, front: Front, index: usize) {
        let _ = self.front.set(front.clone());
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

/// A connection is over: its place is free, and whoever waits for something on it or is reached by it hears so. The place goes
/// first, so that what is sent in answer to the news takes another way.
fn part(flow: Flow, table: &Mutex<Table>, front: &Front) {
    let users = table.lock().forget(flow.conn);
    front.unreachable(flow);
    front.lost(flow, users);
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
        if !front.admits(peer, local) {
            EdgeCounts::bump(&front.counts().banned, 1);
            continue;
        }
        let admitted = table.lock().admit(peer, front.tuned().streams_per_source);
        let Some((id, queued)) = admitted else {
            EdgeCounts::bump(&front.counts().overload, 1);
            continue;
        };
        let (front_there, table) = (front.clone(), table.clone());
        // The stream belongs to the reactor that reads it, so it crosses as a plain socket.
        let Ok(stream) = stream.into_std() else {
            table.lock().forget(id);
            continue;
        };
        let flow = Flow { transport: Transport::Tcp, local, peer, conn: id };
        front.clone().spawn_on(id.0 as usize, async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                converse(stream, flow, queued, &table, &front_there).await;
            }
            part(flow, &table, &front_there);
        });
    }
}

/// Reads and writes one connection until either side ends it.
async fn converse(
    stream: TcpStream,
    flow: Flow,
    mut queued: mpsc::Receiver<Bytes>,
    table: &Mutex<Table>,
    front: &Front,
) {
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let mut framer = Framer::new();
    let mut buffer = vec![0u8; 8 * 1024];
    let mut half_since: Option<tokio::time::Instant> = None;
    let mut heard_at = tokio::time::Instant::now();
    loop {
        // The setting may have changed meanwhile, and devices may have come or gone: who sleeps here looks again.
        let idle = front.tuned().stream_idle;
        let wait_until = half_since.map_or(heard_at + idle, |since| since + MESSAGE_DEADLINE);
        tokio::select! {
            outgoing = queued.recv() => {
                let Some(bytes) = outgoing else { break };
                heard_at = tokio::time::Instant::now();
                if !matches!(tokio::time::timeout(MESSAGE_DEADLINE, writer.write_all(&bytes)).await, Ok(Ok(()))) {
                    break;
                }
            }
            read = reader.read(&mut buffer) => {
                let Ok(length) = read else { break };
                if length == 0 {
                    break;
                }
                heard_at = tokio::time::Instant::now();
                framer.limit(front.tuned().stream_message_max);
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
            () = tokio::time::sleep_until(wait_until.min(tokio::time::Instant::now() + LOOK_AGAIN)) => {
                let now = tokio::time::Instant::now();
                let relied_on = half_since.is_none() && table.lock().is_relied_on(flow.conn);
                let until = if relied_on { heard_at + IDLE_RELIED_ON.max(idle) } else { wait_until };
                if now >= until {
                    break;
                }
            }
        }
        if front.is_banned(flow.peer) {
            EdgeCounts::bump(&front.counts().banned, 1);
            break;
        }
    }
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
                if !front.hears(flow, &bytes) {
                    EdgeCounts::bump(&front.counts().banned, 1);
                    farewell = Some(Bytes::new());
                    break;
                }
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
