//! SIP over UDP: one socket a listener, drained in batches.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tollgate_types::{ConnId, Flow, Transport};

use super::{EdgeCounts, Raw, Unsendable};
use crate::placement::Front;

/// The kernel charges truesize: 208 KB hold only ninety INVITEs of 1 KB. This holds a burst.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
const SEND_BUFFER_BYTES: usize = 1 << 20;
/// Datagrams taken at one wake-up before other tasks of the thread get their turn.
const BATCH_MAX: usize = 64;
const DATAGRAM_MAX: usize = 65_535;

/// A bound UDP socket.
pub struct UdpListening {
    socket: UdpSocket,
    local: SocketAddr,
}

impl UdpListening {
    /// Binds, with buffers that hold a burst. An IPv6 listener takes IPv6 only: IPv4 has a listener of its own.
    pub fn bind(at: SocketAddr) -> io::Result<UdpListening> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The kernel may grant less than asked; that is no reason not to start.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        Ok(UdpListening { socket, local })
    }

    /// The address bound.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// One datagram out, now or never: a full socket buffer loses it as the network might.
    pub fn send(&self, peer: SocketAddr, bytes: &[u8]) -> Result<(), Unsendable> {
        match self.socket.send_to(bytes, peer) {
            Ok(_) => Ok(()),
            // Retransmission heals a full buffer; an unreachable network is the transaction's to know.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            // An ICMP error of an earlier datagram to anybody is reported here; ours was not sent, so once more.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.socket.send_to(bytes, peer).map(|_| ()).map_err(|_| Unsendable::Blocked)
            }
            Err(_) => Err(Unsendable::Blocked),
        }
    }

    /// Reads on the thread of shard `index mod shards`, until the process ends.
    pub fn read_into(&self, front: Front, index: usize) {
        let local = self.local;
        let socket = match self.socket.try_clone() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(%local, %error, "a UDP listener cannot be read");
                return;
            }
        };
        front.clone().spawn_on(index, async move {
            match tokio::net::UdpSocket::from_std(socket) {
                Ok(socket) => read(socket, local, front).await,
                Err(error) => tracing::error!(%local, %error, "a UDP listener cannot be read"),
            }
        });
    }
}

async fn read(socket: tokio::net::UdpSocket, local: SocketAddr, front: Front) {
    let mut buffer = vec![0u8; DATAGRAM_MAX];
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        let mut batch = Vec::with_capacity(8);
        let mut empty = false;
        while batch.len() < BATCH_MAX && !empty {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, peer)) => {
                    EdgeCounts::bump(&front.counts().received, 1);
                    let flow = Flow { transport: Transport::Udp, local, peer, conn: ConnId(0) };
                    if !front.hears(&flow, &buffer[..length]) {
                        EdgeCounts::bump(&front.counts().banned, 1);
                        continue;
                    }
                    if length > front.tuned().message_max {
                        EdgeCounts::bump(&front.counts().oversized, 1);
                        continue;
                    }
                    if is_keep_alive(&buffer[..length]) {
                        continue;
                    }
                    batch.push(Raw { bytes: Bytes::copy_from_slice(&buffer[..length]), flow });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => empty = true,
                // ICMP errors of what we sent surface on reads; the transactions' timers know better whose they are.
                Err(_) => continue,
            }
        }
        if !batch.is_empty() {
            front.deliver(batch);
        }
        // Where nothing is left the wait for more is pause enough.
        if !empty {
            tokio::task::yield_now().await;
        }
    }
}

/// CRLFs and empty datagrams keep a NAT binding open (RFC 5626 §3.5.1 gives CRLFCRLF to streams; phones send it on UDP too).
fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.len() <= 4 && datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0 | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blank_datagrams_are_keep_alives() {
        for (datagram, verdict) in
            [(&b""[..], true), (b"\r\n\r\n", true), (b"\0", true), (b"BYE ", false), (b"\r\n\r\n\r\n", false)]
        {
            assert_eq!(is_keep_alive(datagram), verdict, "{datagram:?}");
        }
    }
}
