//! What one leg said in one description, in types.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::field::{self, Direction, Host, MediaLine, Protocol};
use super::session::{Section, Session};
use crate::payload::Payloads;
use crate::plan::{LineKind, Remote};
use crate::target;

/// Who speaks, and how far its word is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address its signalling comes from, as the socket sees it.
    pub signalled_from: IpAddr,
    /// May it name other hosts than itself?
    pub policy: target::Policy,
}

/// A description with its lines understood.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub session: Session,
    pub lines: Vec<Line>,
}

/// One media line of it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub media: Arc<str>,
    pub protocol: Arc<str>,
    pub formats: Arc<str>,
    pub carrier: Protocol,
    /// Its port is not zero and we can relay it.
    pub usable: bool,
    /// Its port is not zero.
    pub wanted: bool,
    pub remote: Option<Remote>,
    /// As it means it: a null address is a refusal to listen.
    pub direction: Direction,
    /// A null address stood where direction attributes should: the other side must be told by attribute.
    pub null_address: bool,
    pub mux: bool,
    pub payloads: Payloads,
    /// Milliseconds of audio a packet.
    pub ptime: u32,
}

impl Said {
    pub fn read(session: Session, peer: Peer) -> Said {
        let head = session.head();
        let lines =
            (0..session.media_count()).filter_map(|index| Line::read(head, session.media(index)?, peer)).collect();
        Said { session, lines }
    }

    /// One that names no line at all.
    pub fn anything_usable(&self) -> bool {
        self.lines.iter().any(|line| line.usable)
    }

    pub fn anything_wanted(&self) -> bool {
        self.lines.iter().any(|line| line.wanted)
    }

    /// Lines that were there before stay in their places: RFC 3264 §8 forbids fewer, and who sends fewer all the same
    /// has dropped the rest.
    pub fn pad(&mut self, earlier: &[Line]) {
        for line in earlier.iter().skip(self.lines.len()) {
            self.lines.push(line.declined());
        }
    }
}

impl Line {
    fn read(head: Section<'_>, section: Section<'_>, peer: Peer) -> Option<Line> {
        // Session::parse refuses bodies with an m= line that does not read.
        let said = MediaLine::parse(section.first(b'm')?)?;
        let carrier = said.carrier();
        let mut payloads = Payloads::default();
        if carrier == Protocol::Rtp {
            said.payload_types().for_each(|number| payloads.list(number));
            section.attributes("rtpmap").for_each(|map| payloads.map(map));
        }
        let host = section.first(b'c').or_else(|| head.first(b'c')).and_then(Host::of_connection);
        let null_address = host.is_some_and(|host| host.is_null());
        let direction = direction(section).or_else(|| direction(head)).unwrap_or_default();
        let mux = carrier == Protocol::Rtp
            && (section.attribute("rtcp-mux").is_some() || section.attribute("rtcp-mux-only").is_some());
        let wanted = said.port != 0;
        let usable = wanted
            && match carrier {
                Protocol::Rtp => !payloads.is_empty(),
                Protocol::Udptl => true,
                Protocol::Srtp | Protocol::Other => false,
            };
        Some(Line {
            media: said.media.into(),
            protocol: said.protocol.into(),
            formats: formats(&said, carrier).into(),
            carrier,
            usable,
            wanted,
            remote: usable.then(|| remote(said.port, host, section, mux, peer)),
            direction: if null_address { direction.deafened() } else { direction },
            null_address,
            mux,
            payloads,
            ptime: section.attribute("ptime").and_then(|value| value.parse().ok()).unwrap_or(20).clamp(5, 20),
        })
    }

    /// The same place, with nothing going on in it.
    pub fn declined(&self) -> Line {
        Line { usable: false, wanted: false, remote: None, mux: false, ..self.clone() }
    }

    /// Muxing was not offered to it: RTCP has a port of its own, whatever it says.
    pub fn unmux(&mut self) {
        self.mux = false;
        if let Some(remote) = &mut self.remote
            && remote.rtcp == remote.rtp
        {
            remote.rtcp = remote.rtp.and_then(|rtp| Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)));
        }
    }

    pub fn kind(&self) -> LineKind {
        match self.carrier {
            Protocol::Udptl => LineKind::Udptl,
            _ if self.media.eq_ignore_ascii_case("audio") => LineKind::Audio,
            _ => LineKind::Video,
        }
    }
}

/// The formats that may be repeated to another leg: of RTP its payload types, of the rest plain names.
fn formats(said: &MediaLine<'_>, carrier: Protocol) -> String {
    let mut out = String::with_capacity(said.formats.len());
    let mut push = |text: &str| {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(text);
    };
    match carrier {
        Protocol::Rtp | Protocol::Srtp => said.payload_types().for_each(|number| push(&number.to_string())),
        Protocol::Udptl => push("t38"),
        Protocol::Other => said
            .formats
            .split_whitespace()
            .filter(|text| *text == "*" || text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
            .for_each(push),
    }
    // RFC 8866 §9 wants at least one, declined or not.
    if out.is_empty() { "0".to_owned() } else { out }
}

fn direction(section: Section<'_>) -> Option<Direction> {
    section.lines().filter(|line| line.0 == b'a').find_map(|(_, value)| Direction::named(value))
}

fn remote(port: u16, host: Option<Host<'_>>, section: Section<'_>, mux: bool, peer: Peer) -> Remote {
    let at = |host: Option<Host<'_>>, port: u16| match host {
        Some(Host::Ip(ip)) if !ip.to_canonical().is_unspecified() => Some(SocketAddr::new(ip.to_canonical(), port)),
        _ => None,
    };
    let rtp = at(host, port);
    let rtcp = if mux {
        rtp
    } else {
        match section.attribute("rtcp").and_then(field::rtcp) {
            // Its own host is worth no more trust than RTP's, so it must be the same one.
            Some((port, own)) => at(host, port).filter(|addr| at(own, port).is_none_or(|own| own == *addr)),
            None => port.checked_add(1).and_then(|port| at(host, port)),
        }
    };
    let trusted = rtp.is_some_and(|addr| target::allowed(addr, peer.signalled_from, peer.policy).is_ok());
    let rtcp = rtcp.filter(|addr| !trusted || target::allowed(*addr, peer.signalled_from, peer.policy).is_ok());
    Remote { rtp, rtcp, trusted, signalled_from: peer.signalled_from }
}
