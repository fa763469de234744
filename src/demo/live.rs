//! An agent's body: its socket, its lines, its clock. The agent thinks; this only moves bytes.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tollgate_actors::clock::Clock;
use tollgate_types::Seed;

use super::agent::{Agent, Deed};
use super::line::{self, Voice};
use super::tone::Stream;

/// A socket for signalling, and one for each line.
pub struct Body {
    sip: StdSocket,
    lines: Vec<StdSocket>,
}

/// When the town stops, and who waits for that.
#[derive(Clone)]
pub struct Evening {
    /// True once it is time.
    pub has_come: watch::Receiver<bool>,
    /// Dropped by whoever is gone.
    pub still_here: Option<mpsc::Sender<()>>,
}

/// Longest wait for anything: an agent looks at its clock now and then.
const GLANCE: Duration = Duration::from_secs(5);
/// The largest datagram.
const DATAGRAM_MAX: usize = 65_535;

impl Body {
    /// Binds all of it at free ports.
    pub fn bind(at: IpAddr, lines: usize) -> io::Result<Body> {
        let sip = StdSocket::bind((at, 0))?;
        sip.set_nonblocking(true)?;
        let lines = (0..lines).map(|_| line::bind(at)).collect::<io::Result<_>>()?;
        Ok(Body { sip, lines })
    }

    /// Where it signals.
    pub fn sip(&self) -> io::Result<SocketAddr> {
        self.sip.local_addr()
    }

    /// Where its lines listen.
    pub fn lines(&self) -> io::Result<Vec<SocketAddr>> {
        self.lines.iter().map(StdSocket::local_addr).collect()
    }
}

/// Until the evening has come and the agent is gone; within a tokio runtime's local set.
pub async fn live(mut agent: Agent, body: Body, seed: Seed, clock: Clock, mut evening: Evening) {
    let server = agent.server();
    let Ok(socket) = UdpSocket::from_std(body.sip) else { return };
    let mut orders: Vec<watch::Sender<Option<Voice>>> = Vec::new();
    for (number, socket) in (1..).zip(body.lines) {
        let Ok(socket) = UdpSocket::from_std(socket) else { return };
        let (order, heard) = watch::channel(None);
        actix::spawn(line::play(socket, Stream::new(seed.child(number)), heard));
        orders.push(order);
    }
    let mut datagram = vec![0; DATAGRAM_MAX];
    let mut deeds = Vec::new();
    agent.begin(clock.mono());
    let mut is_evening = false;
    loop {
        let now = clock.mono();
        agent.handle_timeout(now, &mut deeds);
        for deed in deeds.drain(..) {
            match deed {
                // What cannot be sent is repeated, as if it were lost on its way.
                Deed::Send(bytes) => drop(socket.send_to(&bytes, server).await),
                Deed::Speak(line, voice) => {
                    if let Some(order) = orders.get(line) {
                        order.send_replace(voice);
                    }
                }
            }
        }
        if is_evening && agent.is_gone() {
            evening.still_here = None;
        }
        let wait = agent.poll_timeout().map_or(GLANCE, |due| due.since(clock.mono()).min(GLANCE));
        tokio::select! {
            changed = evening.has_come.changed(), if !is_evening => {
                is_evening = true;
                agent.close(clock.mono(), &mut deeds);
                if changed.is_err() {
                    return;
                }
            }
            received = timeout(wait, socket.recv_from(&mut datagram)) => {
                // Time is up, or an ICMP error of an earlier datagram.
                let Ok(Ok((length, from))) = received else { continue };
                agent.handle_datagram(datagram.get(..length).unwrap_or_default(), from, clock.mono(), &mut deeds);
            }
        }
    }
}
