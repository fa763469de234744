//! What opens ports: the system, or in a story nobody.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::readiness::Registry;

/// Opens sockets for the table.
pub trait Binder {
    /// What it opens.
    type Socket;
    /// Opens `port` and reports what arrives there under `token`.
    fn open(&mut self, ip: IpAddr, port: u16, token: usize) -> io::Result<Self::Socket>;
    /// Closes it.
    fn close(&mut self, socket: Self::Socket);
}

/// The system's sockets, watched by a media thread.
#[derive(Debug)]
pub struct Watched(pub Registry);

/// No sockets, only their addresses: every port can be opened. Packets are handed in by whoever tells the story.
#[derive(Debug)]
pub struct Told;

/// Two dozen packets of G.711 under load, as the kernel charges them; more would only be delay.
const RECEIVE_BUFFER: usize = 128 * 1024;

impl Binder for Watched {
    type Socket = UdpSocket;

    fn open(&mut self, ip: IpAddr, port: u16, token: usize) -> io::Result<UdpSocket> {
        let address = SocketAddr::new(ip, port);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        self.0.watch(&socket, token)?;
        Ok(socket)
    }

    fn close(&mut self, socket: UdpSocket) {
        // The system forgets to watch what is closed (epoll(7)).
        drop(socket);
    }
}

impl Binder for Told {
    type Socket = SocketAddr;

    fn open(&mut self, ip: IpAddr, port: u16, _: usize) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(ip, port))
    }

    fn close(&mut self, _: SocketAddr) {}
}
