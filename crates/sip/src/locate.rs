//! Which servers to try for a URI, and in what order (RFC 3263), without asking anybody: a [`Locator`] says what to look up,
//! is told what was found, and ends with a list of [`Target`]s.
//!
//! Names are looked up elsewhere, never on a SIP thread. Every answer is capped, so that no zone file can keep a call busy.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use tollgate_types::Transport;

use crate::token::Tokens;
use crate::uri::{Scheme, Uri};

/// Records taken of one answer; targets in all; questions asked.
const NAPTRS_MAX: usize = 8;
const SRVS_MAX: usize = 16;
const ADDRESSES_MAX: usize = 8;
const TARGETS_MAX: usize = 32;
const QUESTIONS_MAX: usize = 40;

/// Where a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// By what.
    pub transport: Transport,
    /// To where.
    pub address: SocketAddr,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A name or an address, IPv6 without brackets or with them.
    pub host: String,
    /// The port that is written.
    pub port: Option<u16>,
    /// The transport that is written.
    pub transport: Option<Transport>,
    /// `sips`, or a trunk set to TLS: nothing else will do.
    pub secure: bool,
}

impl Wanted {
    /// What a SIP URI asks for: its `maddr` in place of its host, its port, its transport. `None` for `tel` and the like.
    pub fn of(uri: &Uri) -> Option<Wanted> {
        let secure = match uri.scheme() {
            Scheme::Sip => false,
            Scheme::Sips => true,
            _ => return None,
        };
        let host = uri.param("maddr").filter(|host| !host.is_empty()).unwrap_or(uri.host());
        let transport = uri.transport().map(|transport| if secure { over_tls(transport) } else { transport });
        Some(Wanted { host: host.to_owned(), port: uri.port(), transport, secure })
    }
}

/// What this node can do.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// Transports that it can send by, the preferred first; where DNS leaves the choice, the first of them is taken.
    pub transports: &'a [Transport],
    /// It has IPv4.
    pub v4: bool,
    /// It has IPv6.
    pub v6: bool,
}

/// Something to look up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// NAPTR records of a domain.
    Naptr(String),
    /// SRV records of a name such as `_sip._udp.example.com`.
    Srv(String),
    /// A and AAAA records of a host, as far as this node has either.
    Addresses(String),
}

/// What was found. Nothing, or no answer at all, is an empty list: the next way is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// NAPTR records.
    Naptr(Vec<Naptr>),
    /// SRV records.
    Srv(Vec<Srv>),
    /// Addresses in the resolver's order.
    Addresses(Vec<IpAddr>),
}

/// A NAPTR record (RFC 3403).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower is better, and is final.
    pub order: u16,
    /// Lower is better among equals.
    pub preference: u16,
    /// `s` for what leads to SRV records.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`, `SIP+D2W`, `SIPS+D2W`.
    pub service: String,
    /// The SRV name.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is better.
    pub priority: u16,
    /// Share among equals.
    pub weight: u16,
    /// Where it listens.
    pub port: u16,
    /// Its name.
    pub target: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look this up and [`Locator::answer`].
    Ask(Question),
    /// Try these in order; the first that answers at all has the request. Empty: there is nowhere to send it (RFC 3263 §4.3: 503).
    Done(Vec<Target>),
}

/// One search.
#[derive(Clone, Debug)]
pub struct Locator {
    wanted: Wanted,
    transports: Vec<Transport>,
    v4: bool,
    v6: bool,
    /// What is still to be looked up, in order.
    plan: VecDeque<Search>,
    asked: usize,
    found: Vec<Target>,
}

#[derive(Clone, Debug)]
enum Search {
    Naptr,
    /// SRV records of a name lead to servers of a transport.
    Srv {
        name: String,
        transport: Transport,
    },
    /// SRV records guessed for a transport, since there was no NAPTR; the plain host last.
    Guess {
        transports: VecDeque<Transport>,
    },
    Host {
        host: String,
        port: u16,
        transport: Transport,
    },
}

impl Locator {
    /// Begins a search.
    pub fn new(wanted: Wanted, means: &Means<'_>) -> Locator {
        let usable = |transport: &Transport| !wanted.secure || is_tls(*transport);
        let transports: Vec<_> = means.transports.iter().copied().filter(usable).collect();
        let mut locator = Locator {
            transports,
            v4: means.v4,
            v6: means.v6,
            plan: VecDeque::new(),
            asked: 0,
            found: Vec::new(),
            wanted,
        };
        locator.begin();
        locator
    }

    /// What to do next; the same until it is answered.
    pub fn step(&mut self) -> Step {
        if self.found.len() >= TARGETS_MAX || self.asked >= QUESTIONS_MAX {
            self.plan.clear();
        }
        match self.plan.front() {
            None => Step::Done(std::mem::take(&mut self.found)),
            Some(Search::Naptr) => Step::Ask(Question::Naptr(self.wanted.host.clone())),
            Some(Search::Srv { name, .. }) => Step::Ask(Question::Srv(name.clone())),
            Some(Search::Guess { transports }) => {
                let transport = transports.front().copied().unwrap_or(Transport::Udp);
                Step::Ask(Question::Srv(srv_name(transport, &self.wanted.host)))
            }
            Some(Search::Host { host, .. }) => Step::Ask(Question::Addresses(host.clone())),
        }
    }

    /// Takes what was found for the last question. `tokens` chooses among servers of equal priority by their weight.
    pub fn answer(&mut self, answer: Answer, tokens: &mut Tokens) {
        self.asked += 1;
        match (self.plan.pop_front(), answer) {
            (Some(Search::Naptr), Answer::Naptr(records)) => self.naptr(records),
            (Some(Search::Naptr), _) => self.guess(),
            (Some(Search::Srv { transport, .. }), Answer::Srv(records)) => self.srv(records, transport, tokens),
            (Some(Search::Guess { mut transports }), answer) => {
                let transport = transports.pop_front().unwrap_or(Transport::Udp);
                match answer {
                    Answer::Srv(records) if !records.is_empty() => self.srv(records, transport, tokens),
                    _ if transports.is_empty() => self.plain(),
                    _ => self.plan.push_front(Search::Guess { transports }),
                }
            }
            (Some(Search::Host { port, transport, .. }), Answer::Addresses(addresses)) => {
                for address in addresses.into_iter().take(ADDRESSES_MAX) {
                    self.add(address, port, transport);
                }
            }
            // An answer to something else, or to nothing: this way leads nowhere.
            (Some(Search::Srv { .. } | Search::Host { .. }) | None, _) => {}
        }
    }

    /// RFC 3263 §4.1 and §4.2: what is written down is not looked up.
    fn begin(&mut self) {
        if self.transports.is_empty() {
            return;
        }
        let host = self.wanted.host.trim_start_matches('[').trim_end_matches(']');
        let address: Option<IpAddr> = host.parse().ok();
        let allowed = |transport: Transport| self.transports.contains(&transport);
        if self.wanted.transport.is_some_and(|transport| !allowed(transport)) {
            return;
        }
        match (address, self.wanted.port, self.wanted.transport) {
            (Some(address), port, transport) => {
                let transport = transport.unwrap_or(self.usual());
                self.add(address, port.unwrap_or(transport.default_port()), transport);
            }
            (None, Some(_), _) => self.plain(),
            (None, None, Some(transport)) => {
                self.plan.push_back(Search::Guess { transports: [transport].into() });
            }
            (None, None, None) => self.plan.push_back(Search::Naptr),
        }
    }

    /// What is sent by where nothing is said: UDP for sip, TLS for sips (RFC 3263 §4.1), or what this node has.
    fn usual(&self) -> Transport {
        let usual = if self.wanted.secure { Transport::Tls } else { Transport::Udp };
        if self.transports.contains(&usual) { usual } else { self.transports.first().copied().unwrap_or(usual) }
    }

    /// RFC 3263 §4.1: the best order that names something we can do; the rest of the zone is no business of ours.
    fn naptr(&mut self, mut records: Vec<Naptr>) {
        records.sort_by_key(|record| (record.order, record.preference));
        let mut order = None;
        for record in records.into_iter().take(NAPTRS_MAX) {
            let transport = service(&record.service).filter(|transport| self.transports.contains(transport));
            let Some(transport) = transport.filter(|_| record.flags.eq_ignore_ascii_case("s")) else { continue };
            // RFC 3403 §8: once an order matched, no record of a higher one counts.
            if *order.get_or_insert(record.order) != record.order {
                break;
            }
            self.plan.push_back(Search::Srv { name: record.replacement, transport });
        }
        if self.plan.is_empty() {
            self.guess();
        }
    }

    /// No NAPTR: SRV names are tried for each transport that this node has (RFC 3263 §4.1).
    fn guess(&mut self) {
        self.plan.push_back(Search::Guess { transports: self.transports.iter().copied().collect() });
    }

    /// No SRV: the host itself at the usual port (RFC 3263 §4.2).
    fn plain(&mut self) {
        let transport = self.wanted.transport.unwrap_or(self.usual());
        let port = self.wanted.port.unwrap_or(transport.default_port());
        self.plan.push_back(Search::Host { host: self.wanted.host.clone(), port, transport });
    }

    /// RFC 2782: by priority; among equals by weight, drawn anew each time.
    fn srv(&mut self, mut records: Vec<Srv>, transport: Transport, tokens: &mut Tokens) {
        // A target of "." says: the service is decidedly not here.
        records.retain(|record| !matches!(record.target.as_str(), "." | ""));
        // Weight 0 first, so that it is drawn only when the draw is 0.
        records.sort_by_key(|record| (record.priority, record.weight));
        records.truncate(SRVS_MAX);
        while let Some(priority) = records.first().map(|record| record.priority) {
            let equals = records.iter().take_while(|record| record.priority == priority);
            let total: u64 = equals.clone().map(|record| u64::from(record.weight)).sum();
            let draw = tokens.below(total + 1);
            let mut sum = 0;
            let chosen = equals.clone().position(|record| {
                sum += u64::from(record.weight);
                sum >= draw
            });
            let record = records.remove(chosen.unwrap_or(0));
            self.plan.push_back(Search::Host { host: record.target, port: record.port, transport });
        }
    }

    fn add(&mut self, address: IpAddr, port: u16, transport: Transport) {
        let address = address.to_canonical();
        let reachable = if address.is_ipv4() { self.v4 } else { self.v6 };
        let target = Target { transport, address: SocketAddr::new(address, port) };
        if reachable && port != 0 && self.found.len() < TARGETS_MAX && !self.found.contains(&target) {
            self.found.push(target);
        }
    }
}

fn is_tls(transport: Transport) -> bool {
    matches!(transport, Transport::Tls | Transport::Wss)
}

/// `sips` with `transport=tcp` means TLS over TCP (RFC 3261 §26.2.2).
fn over_tls(transport: Transport) -> Transport {
    match transport {
        Transport::Ws | Transport::Wss => Transport::Wss,
        Transport::Udp | Transport::Tcp | Transport::Tls => Transport::Tls,
    }
}

/// RFC 3263 §4.1, RFC 7118 §8.
fn service(name: &str) -> Option<Transport> {
    let known = [
        ("SIP+D2U", Transport::Udp),
        ("SIP+D2T", Transport::Tcp),
        ("SIPS+D2T", Transport::Tls),
        ("SIP+D2W", Transport::Ws),
        ("SIPS+D2W", Transport::Wss),
    ];
    known.into_iter().find(|(service, _)| service.eq_ignore_ascii_case(name)).map(|(_, transport)| transport)
}

fn srv_name(transport: Transport, host: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp.",
        Transport::Tcp => "_sip._tcp.",
        Transport::Tls => "_sips._tcp.",
        Transport::Ws => "_sip._ws.",
        Transport::Wss => "_sips._ws.",
    };
    format!("{prefix}{host}")
}

#[cfg(test)]
mod tests;
