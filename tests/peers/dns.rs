//! A name server with a zone that the case writes: A, AAAA, SRV and NAPTR over UDP (RFC 1035, 2782, 3403).

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::network::{Network, udp_at};

/// Where it stands in every network.
const HOST: u8 = 53;
const PORT: u16 = 15053;

/// How long its answers hold, in seconds.
const TTL: u32 = 1;

const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// One record's data.
#[derive(Clone, Debug)]
pub enum Record {
    /// An address of either family.
    Address(IpAddr),
    /// A server: priority, weight, port, its name.
    Srv(u16, u16, u16, String),
    /// How a domain is reached: order, preference, service, and the name of its SRV records.
    Naptr(u16, u16, &'static str, String),
}

#[derive(Default)]
struct Zone {
    records: Vec<(String, Record)>,
    broken: bool,
    asked: Vec<(String, u16)>,
    over: bool,
}

/// A running name server; its port is free again when it is dropped.
pub struct Dns {
    zone: Arc<Mutex<Zone>>,
    at: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    /// Starts one with an empty zone.
    pub fn start(net: &Network) -> Dns {
        let socket = udp_at((net.host(HOST), PORT));
        let zone = Arc::new(Mutex::new(Zone::default()));
        let served = zone.clone();
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let thread = thread::spawn(move || serve(&socket, &served));
        Dns { zone, at: (net.host(HOST), PORT).into(), thread: Some(thread) }
    }

    /// Where it is asked.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// From now on `name` has these records, and no others.
    pub fn set(&self, name: &str, records: impl IntoIterator<Item = Record>) {
        let mut zone = self.zone();
        zone.records.retain(|(known, _)| known != name);
        zone.records.extend(records.into_iter().map(|record| (name.to_owned(), record)));
    }

    /// From now on every question is answered by SERVFAIL, or no longer so.
    pub fn break_down(&self, broken: bool) {
        self.zone().broken = broken;
    }

    /// How often a name was asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.zone().asked.iter().filter(|(asked, _)| asked == name).count()
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().expect("the server's thread does not panic")
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        if let Ok(mut zone) = self.zone.lock() {
            zone.over = true;
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Record {
    fn kind(&self) -> u16 {
        match self {
            Record::Address(IpAddr::V4(_)) => 1,
            Record::Address(IpAddr::V6(_)) => 28,
            Record::Srv(..) => 33,
            Record::Naptr(..) => 35,
        }
    }

    fn data(&self) -> Vec<u8> {
        let numbers = |all: &[u16]| all.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
        let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
        match self {
            Record::Address(IpAddr::V4(address)) => address.octets().to_vec(),
            Record::Address(IpAddr::V6(address)) => address.octets().to_vec(),
            Record::Srv(priority, weight, port, target) => {
                [numbers(&[*priority, *weight, *port]), labels(target)].concat()
            }
            Record::Naptr(order, preference, service, replacement) => {
                [numbers(&[*order, *preference]), text("s"), text(service), text(""), labels(replacement)].concat()
            }
        }
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>) {
    let mut question = [0; 512];
    while zone.lock().is_ok_and(|zone| !zone.over) {
        let Ok((length, peer)) = socket.recv_from(&mut question) else { continue };
        let answer = zone.lock().ok().and_then(|mut zone| answer(&question[..length], &mut zone));
        if let Some(answer) = answer {
            let _ = socket.send_to(&answer, peer);
        }
    }
}

/// The whole answer to one question; `None` to what is none.
fn answer(question: &[u8], zone: &mut Zone) -> Option<Vec<u8>> {
    let (mut name, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        name.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let name = name.join(".");
    let kind = u16::from_be_bytes(question.get(at..at + 2)?.try_into().ok()?);
    let asked = question.get(12..at + 4)?;
    zone.asked.push((name.clone(), kind));
    let here: Vec<&Record> =
        zone.records.iter().filter(|(known, _)| *known == name).map(|(_, record)| record).collect();
    let (code, found): (u8, Vec<&Record>) = match (zone.broken, here.is_empty()) {
        (true, _) => (SERVER_FAILURE, Vec::new()),
        (false, true) => (NO_SUCH_NAME, Vec::new()),
        (false, false) => (NO_ERROR, here.into_iter().filter(|record| record.kind() == kind).collect()),
    };
    let mut bytes = question[..2].to_vec();
    // A response, with authority and recursion.
    bytes.extend([0x85, 0x80 | code, 0, 1, 0, found.len() as u8, 0, 0, 0, 0]);
    bytes.extend(asked);
    for record in found {
        let data = record.data();
        // The name is the question's, which stands at byte 12.
        bytes.extend([0xc0, 12]);
        bytes.extend(record.kind().to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(TTL.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    Some(bytes)
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}
