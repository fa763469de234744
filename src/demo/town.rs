//! The town around the demo's platform: two carriers and the phones of its people, on one thread of their own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use actix::Arbiter;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tollgate_actors::clock::Clock;
use tollgate_types::{Seed, Transport};

use super::agent::Agent;
use super::live::{Body, Evening, live};
use super::people::{CALLED_FROM_OUTSIDE, PEOPLE};
use super::{carrier, phone};

/// How long people get to say good-bye.
const GOODBYE: Duration = Duration::from_secs(3);

/// Two carriers with their sockets bound, not yet alive.
pub struct Carriers([(Agent, Body); 2]);

/// A living town; its carriers answer until it is dropped.
pub struct Town {
    arbiter: Arbiter,
    evening: watch::Sender<bool>,
    still_here: mpsc::Receiver<()>,
}

impl Carriers {
    /// Binds them, so that trunks can name their addresses.
    pub fn bind(server: SocketAddr, domain: &str, seed: Seed) -> io::Result<Carriers> {
        let first = carrier::open(true, CALLED_FROM_OUTSIDE, server, domain, seed.child(1))?;
        let second = carrier::open(false, &[], server, domain, seed.child(2))?;
        Ok(Carriers([first, second]))
    }

    /// Where they signal, the first one first.
    pub fn at(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let [(_, first), (_, second)] = &self.0;
        Ok((first.sip()?, second.sip()?))
    }
}

impl Town {
    /// Everybody moves in. Within an actix system.
    pub fn open(carriers: Carriers, server: SocketAddr, domain: &str, seed: Seed) -> io::Result<Town> {
        let mut people = Vec::from(carriers.0);
        for (number, person) in (10..).zip(PEOPLE.iter().filter(|person| !person.errands.is_empty())) {
            people.push(phone::open(person, server, domain, seed.child(number))?);
        }
        let arbiter = Arbiter::new();
        let (evening, has_come) = watch::channel(false);
        let (sender, still_here) = mpsc::channel(1);
        let clock = Clock::real();
        for (number, (agent, body)) in (100..).zip(people) {
            let evening = Evening { has_come: has_come.clone(), still_here: Some(sender.clone()) };
            arbiter.spawn(live(agent, body, seed.child(number), clock.clone(), evening));
        }
        Ok(Town { arbiter, evening, still_here })
    }

    /// People hang up and unregister, and nobody calls any more; carriers go on answering.
    pub async fn close(&mut self) {
        self.evening.send_replace(true);
        // Nobody says anything on it: it ends when the last one is gone.
        let _ = timeout(GOODBYE, self.still_here.recv()).await;
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}

/// Where the town finds the platform: its first UDP listener, IPv4 before IPv6, on this machine.
pub fn server_of(bound: &[(Transport, SocketAddr)]) -> Option<SocketAddr> {
    let udp = || bound.iter().filter(|(transport, _)| *transport == Transport::Udp).map(|(_, at)| *at);
    let found = udp().find(SocketAddr::is_ipv4).or_else(|| udp().next())?;
    let ip = match found.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(SocketAddr::new(ip, found.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_is_found_at_its_own_machine() {
        let bound =
            |list: &[(Transport, &str)]| list.iter().map(|(kind, at)| (*kind, at.parse().unwrap())).collect::<Vec<_>>();
        for (list, found) in [
            (bound(&[(Transport::Tcp, "0.0.0.0:5060"), (Transport::Udp, "0.0.0.0:5061")]), Some("127.0.0.1:5061")),
            (bound(&[(Transport::Udp, "[::]:5060"), (Transport::Udp, "192.0.2.1:5060")]), Some("192.0.2.1:5060")),
            (bound(&[(Transport::Udp, "[::]:5060")]), Some("[::1]:5060")),
            (bound(&[(Transport::Tcp, "0.0.0.0:5060")]), None),
        ] {
            assert_eq!(server_of(&list), found.map(|at| at.parse().unwrap()), "{list:?}");
        }
    }
}
