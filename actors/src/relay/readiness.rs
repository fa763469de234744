//! Which ports have packets: Linux's epoll, level-triggered.
//!
//! A port is reported for as long as it holds something, so one read a report is enough. Edge-triggered, every packet would
//! cost a second read that finds nothing; one that is flooded would have to be remembered by us.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

/// What a media thread waits with.
#[derive(Debug)]
pub struct Readiness {
    epoll: Arc<OwnedFd>,
    bell: Arc<Bell>,
}

/// What one wait brought.
pub struct Reports(Vec<epoll::Event>);

/// Puts ports on the list of what is waited for. A port leaves it when it is closed.
#[derive(Clone, Debug)]
pub struct Registry(Arc<OwnedFd>);

/// Ends a wait from another thread.
#[derive(Debug)]
pub struct Bell(OwnedFd);

/// What the bell is reported as.
const BELL: u64 = u64::MAX;
/// Ports told of in one wait; the others are told of in the next.
const REPORTS_MOST: usize = 1024;

impl Readiness {
    /// With nothing to wait for but the bell.
    pub fn new() -> io::Result<Readiness> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let bell = Arc::new(Bell(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        epoll::add(&*epoll, &bell.0, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        Ok(Readiness { epoll, bell })
    }

    pub fn registry(&self) -> Registry {
        Registry(self.epoll.clone())
    }

    pub fn bell(&self) -> Arc<Bell> {
        self.bell.clone()
    }

    /// Waits until a port has a packet or the bell rings; `at_most` so long.
    pub fn wait(&self, reports: &mut Reports, at_most: Option<Duration>) -> io::Result<()> {
        reports.0.clear();
        let at_most = at_most.and_then(|span| Timespec::try_from(span).ok());
        match epoll::wait(&*self.epoll, spare_capacity(&mut reports.0), at_most.as_ref()) {
            Ok(_) => {}
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(error) => return Err(error.into()),
        }
        if reports.0.iter().any(|event| event.data.u64() == BELL) {
            self.bell.hush();
        }
        Ok(())
    }
}

impl Reports {
    /// With room for the most that one wait brings.
    pub fn new() -> Reports {
        Reports(Vec::with_capacity(REPORTS_MOST))
    }

    /// The tokens of ports that have packets.
    pub fn tokens(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|event| event.data.u64()).filter(|token| *token != BELL).map(|token| token as usize)
    }
}

impl Registry {
    /// Reports what arrives at `port` under `token`.
    pub fn watch(&self, port: impl AsFd, token: usize) -> io::Result<()> {
        Ok(epoll::add(&*self.0, port, epoll::EventData::new_u64(token as u64), epoll::EventFlags::IN)?)
    }
}

impl Bell {
    pub fn ring(&self) -> io::Result<()> {
        match rustix::io::write(&self.0, &1u64.to_ne_bytes()) {
            // It rings already.
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn hush(&self) {
        // Nothing to take away means that it was taken already.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_port_is_reported_until_it_is_read_empty_and_the_bell_once() {
        let (readiness, mut reports) = (Readiness::new().unwrap(), Reports::new());
        let (port, sender) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        readiness.registry().watch(&port, 7).unwrap();
        for byte in [1, 2] {
            sender.send_to(&[byte], port.local_addr().unwrap()).unwrap();
        }
        readiness.bell().ring().unwrap();
        let mut wait = |at_most| {
            readiness.wait(&mut reports, Some(at_most)).unwrap();
            (reports.0.len(), reports.tokens().collect::<Vec<_>>())
        };
        assert_eq!(wait(Duration::from_secs(5)), (2, vec![7]), "the port and the bell");
        port.recv(&mut [0; 4]).unwrap();
        assert_eq!(wait(Duration::from_secs(5)), (1, vec![7]), "a packet is left, the bell is hushed");
        port.recv(&mut [0; 4]).unwrap();
        assert_eq!(wait(Duration::ZERO), (0, vec![]));
        sender.send_to(&[3], port.local_addr().unwrap()).unwrap();
        drop(port);
        assert_eq!(wait(Duration::ZERO), (0, vec![]), "what is closed is not reported");
    }
}
