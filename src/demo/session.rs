//! The few lines of SDP that the demo's phones and carriers speak: one audio line, G.711, RFC 3264.

use std::net::SocketAddr;

use tollgate_media::sdp::{Direction, Host, MediaLine, Protocol, Session};

use super::tone::Law;

/// What the other side said of its voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Where its voice wants ours; `None` while it does not listen.
    pub to: Option<SocketAddr>,
    /// What is spoken from now on.
    pub law: Law,
    /// Who may send, as it wrote it.
    pub direction: Direction,
    /// Which of its media lines that is, and of which kinds and protocols all of them are.
    lines: Vec<(String, String)>,
    audio: usize,
}

/// Reads an offer or answer; `None` where nothing in it is audio that we speak.
pub fn read(body: &[u8]) -> Option<Heard> {
    let session = Session::parse(body).ok()?;
    let mut lines = Vec::new();
    let mut found = None;
    for index in 0..session.media_count() {
        let section = session.media(index)?;
        let line = MediaLine::parse(section.first(b'm')?)?;
        lines.push((line.media.to_owned(), line.protocol.to_owned()));
        let speakable = line.media == "audio" && line.carrier() == Protocol::Rtp && line.port != 0;
        let Some(law) = line.payload_types().find_map(Law::of_payload).filter(|_| speakable && found.is_none()) else {
            continue;
        };
        let connection = section.first(b'c').or_else(|| session.head().first(b'c'))?;
        let direction = direction(section).or_else(|| direction(session.head())).unwrap_or_default();
        let host = Host::of_connection(connection)?;
        let to = match host {
            Host::Ip(ip) if !host.is_null() && direction.receives() => Some(SocketAddr::new(ip, line.port)),
            _ => None,
        };
        found = Some((index, to, law, direction));
    }
    let (audio, to, law, direction) = found?;
    Some(Heard { to, law, direction, lines, audio })
}

/// An offer: voice at `at`, by either curve. `version` grows with each one of a call.
pub fn offer(at: SocketAddr, version: u32) -> String {
    let mut text = head(at, version);
    push_audio(&mut text, at.port(), &[Law::A, Law::Mu], Direction::SendRecv);
    text
}

/// The answer to what was heard: its audio line taken, every other one declined in its place (RFC 3264 §6).
pub fn answer(at: SocketAddr, version: u32, heard: &Heard) -> String {
    let mut text = head(at, version);
    let mirrored = match heard.direction {
        Direction::SendRecv => Direction::SendRecv,
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        Direction::Inactive => Direction::Inactive,
    };
    for (index, (media, protocol)) in heard.lines.iter().enumerate() {
        if index == heard.audio {
            push_audio(&mut text, at.port(), &[heard.law], mirrored);
        } else {
            text.push_str(&format!("m={media} 0 {protocol} 0\r\n"));
        }
    }
    text
}

fn head(at: SocketAddr, version: u32) -> String {
    let family = if at.is_ipv4() { "IP4" } else { "IP6" };
    let ip = at.ip();
    format!("v=0\r\no=- 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n")
}

fn push_audio(text: &mut String, port: u16, laws: &[Law], direction: Direction) {
    let numbers: String = laws.iter().map(|law| format!(" {}", law.payload())).collect();
    text.push_str(&format!("m=audio {port} RTP/AVP{numbers}\r\n"));
    for law in laws {
        text.push_str(&format!("a=rtpmap:{} {}/8000\r\n", law.payload(), law.name()));
    }
    text.push_str(&format!("a=ptime:20\r\na={}\r\n", direction.name()));
}

fn direction(section: tollgate_media::sdp::Section<'_>) -> Option<Direction> {
    section.lines().filter(|(kind, _)| *kind == b'a').find_map(|(_, value)| Direction::named(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> SocketAddr {
        "127.0.0.1:4000".parse().unwrap()
    }

    #[test]
    fn an_offer_is_read_back() {
        let heard = read(offer(here(), 1).as_bytes()).unwrap();
        assert_eq!((heard.to, heard.law, heard.direction), (Some(here()), Law::A, Direction::SendRecv));
        let six: SocketAddr = "[::1]:4000".parse().unwrap();
        assert_eq!(read(offer(six, 1).as_bytes()).unwrap().to, Some(six));
    }

    #[test]
    fn what_is_not_spoken_is_declined_in_its_place() {
        let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=video 6000 RTP/AVP 99\r\n\
                     m=audio 5000 RTP/AVP 111 0 101\r\na=sendonly\r\n";
        let heard = read(offer.as_bytes()).unwrap();
        assert_eq!((heard.to, heard.law), (None, Law::Mu));
        let answer = answer(here(), 2, &heard);
        assert!(answer.contains("m=video 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 0\r\n"), "{answer}");
        assert!(answer.ends_with("a=recvonly\r\n"), "{answer}");
    }

    #[test]
    fn nonsense_is_not_answered() {
        for body in [
            "",
            "hello",
            "v=0\r\nm=audio 5000 RTP/AVP 0\r\n",
            "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 0 RTP/AVP 0\r\n",
            "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 5000 RTP/SAVP 0\r\n",
            "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 5000 RTP/AVP 111\r\n",
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
