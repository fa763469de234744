//! UDP sockets on many loopback addresses, read as they become ready.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use anyhow::Context;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams read from one socket before the next has its turn.
const BATCH: usize = 64;
const DATAGRAM_MAX: usize = 65_535;

/// Sockets with one poll.
pub struct Net {
    poll: Poll,
    events: Events,
    sockets: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
    /// Sockets that may hold more.
    again: Vec<usize>,
    buffer: Vec<u8>,
}

impl Net {
    /// Binds each address; port 0 takes any.
    pub fn bind(addresses: impl IntoIterator<Item = SocketAddrV4>) -> anyhow::Result<Net> {
        let poll = Poll::new()?;
        let (mut sockets, mut bound) = (Vec::new(), Vec::new());
        for (index, address) in addresses.into_iter().enumerate() {
            let mut socket = open(address).with_context(|| format!("{address} cannot be bound"))?;
            poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
            bound.push(socket.local_addr()?);
            sockets.push(socket);
        }
        let (events, again) = (Events::with_capacity(1024), Vec::new());
        Ok(Net { poll, events, sockets, addresses: bound, again, buffer: vec![0; DATAGRAM_MAX] })
    }

    pub fn address(&self, index: usize) -> SocketAddr {
        self.addresses[index]
    }

    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// A second handle of every socket, for another thread to send with.
    pub fn senders(&self) -> anyhow::Result<Vec<std::net::UdpSocket>> {
        use std::os::fd::AsFd;
        let clone = |socket: &UdpSocket| Ok(socket.as_fd().try_clone_to_owned()?.into());
        self.sockets.iter().map(clone).collect()
    }

    pub fn send(&self, from: usize, to: SocketAddr, bytes: &[u8]) {
        // What does not leave is lost like any datagram: it is sent again.
        let _ = self.sockets[from].send_to(bytes, to);
    }

    /// Waits at most `patience` and hands over what came in.
    pub fn receive(&mut self, patience: Duration, mut take: impl FnMut(usize, SocketAddr, &[u8])) -> io::Result<()> {
        let patience = if self.again.is_empty() { patience } else { Duration::ZERO };
        if let Err(error) = self.poll.poll(&mut self.events, Some(patience))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        let mut ready = std::mem::take(&mut self.again);
        ready.extend(self.events.iter().map(|event| event.token().0));
        for index in ready {
            let drained = self.drain(index, &mut take);
            if !drained && !self.again.contains(&index) {
                self.again.push(index);
            }
        }
        Ok(())
    }

    fn drain(&mut self, index: usize, take: &mut impl FnMut(usize, SocketAddr, &[u8])) -> bool {
        for _ in 0..BATCH {
            match self.sockets[index].recv_from(&mut self.buffer) {
                Ok((length, from)) => take(index, from, &self.buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // An ICMP error of something sent before.
                Err(_) => {}
            }
        }
        false
    }
}

fn open(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // The system may grant less; then a burst is lost sooner.
    let _ = socket.set_recv_buffer_size(4 << 20);
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::V4(address).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// `count` loopback addresses in a row.
pub fn row(first: Ipv4Addr, count: u32) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(first);
    (0..count).map(move |step| Ipv4Addr::from(first.wrapping_add(step)))
}
