//! One line of a phone or carrier: an RTP socket that plays a tone or echoes while a call uses it.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::tone::{Law, Stream};

/// 50 packets a second.
const PACE: Duration = Duration::from_millis(20);
/// Larger than any packet of voice.
const PACKET_MAX: usize = 2048;
/// How often an even port is looked for.
const TRIES: usize = 64;

/// What a line does for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Where the other side wants it.
    pub to: SocketAddr,
    /// What it speaks.
    pub law: Law,
    /// What it says.
    pub sound: Sound,
}

/// What is heard on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A tone of so many hertz.
    Tone(u16),
    /// What the other side says.
    Echo,
}

/// A socket at an even port: the odd one above would be its RTCP's (RFC 3550 §11).
pub fn bind(at: IpAddr) -> io::Result<StdSocket> {
    let mut tried = Vec::new();
    for _ in 0..TRIES {
        let socket = StdSocket::bind((at, 0))?;
        if socket.local_addr()?.port().is_multiple_of(2) {
            socket.set_nonblocking(true)?;
            return Ok(socket);
        }
        // Kept until one is found, or the system might offer it again.
        tried.push(socket);
    }
    Err(io::ErrorKind::AddrNotAvailable.into())
}

/// Does what it is told until nobody can tell it any more.
pub async fn play(socket: UdpSocket, mut stream: Stream, mut orders: watch::Receiver<Option<Voice>>) {
    let mut packet = vec![0; PACKET_MAX];
    loop {
        let order = *orders.borrow_and_update();
        if let Some(voice) = order {
            stream.begin();
            // What came in between calls belongs to none.
            while socket.try_recv(&mut packet).is_ok() {}
            if !speak(&socket, &mut stream, voice, &mut orders, &mut packet).await {
                return;
            }
        } else if orders.changed().await.is_err() {
            return;
        }
    }
}

/// Until the next order; says whether there will be one. A packet that cannot be sent is a packet lost.
async fn speak(
    socket: &UdpSocket,
    stream: &mut Stream,
    voice: Voice,
    orders: &mut watch::Receiver<Option<Voice>>,
    packet: &mut [u8],
) -> bool {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            changed = orders.changed() => return changed.is_ok(),
            _ = pace.tick() => {
                if let Sound::Tone(hertz) = voice.sound {
                    let _ = socket.send_to(&stream.tone(voice.law, hertz), voice.to).await;
                }
            }
            received = socket.recv_from(packet) => {
                let Ok((length, _)) = received else { continue };
                if voice.sound == Sound::Echo && let Some(back) = packet.get(..length).and_then(|packet| stream.echo(packet)) {
                    let _ = socket.send_to(&back, voice.to).await;
                }
            }
        }
    }
}
