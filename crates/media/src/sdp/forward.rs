//! Writing one leg's description anew for the other leg: our address, our ports, and nothing that tells where it came from.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::field::{Direction, Host, Protocol};
use super::said::Line;
use super::session::{Section, Session, attribute};
use crate::ports::Pair;

/// What a description for one leg is made from.
pub(super) struct Draft<'a> {
    /// Whose words are carried over.
    pub source: &'a Session,
    /// One for each m= line to be written.
    pub lines: Vec<Written<'a>>,
    /// Our session id toward the reader.
    pub session: u64,
    /// Our address toward the reader.
    pub address: IpAddr,
}

/// One m= line to be written.
pub(super) enum Written<'a> {
    /// Port zero, and no attributes.
    Declined { media: &'a str, protocol: &'a str, formats: &'a str },
    /// Relayed: from `line` (at `index` of the source) with the reader's protocol.
    Open { index: usize, line: &'a Line, protocol: &'a str, pair: Pair, mux: bool },
}

impl Draft<'_> {
    /// The text, as the `version`th description of its session.
    pub fn write(&self, version: u64) -> String {
        let hidden = hosts(self.source);
        let head = self.source.head();
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let mut out = String::with_capacity(1024);
        // Writing to a String cannot fail.
        let _ = write!(out, "v=0\r\no=- {} {version} IN {family} {}\r\ns=-\r\n", self.session, self.address);
        let _ = write!(out, "c=IN {family} {}\r\n", self.address);
        bandwidths(head, &mut out);
        let _ = write!(out, "t={}\r\n", head.first(b't').filter(|value| is_times(value)).unwrap_or("0 0"));
        attributes(head, &hidden, None, &mut out);
        for line in &self.lines {
            match line {
                Written::Declined { media, protocol, formats } => {
                    let _ = write!(out, "m={media} 0 {protocol} {formats}\r\n");
                }
                Written::Open { index, line, protocol, pair, mux } => {
                    let _ = write!(out, "m={} {} {protocol} {}\r\n", line.media, pair.rtp, line.formats);
                    let Some(section) = self.source.media(*index) else { continue };
                    bandwidths(section, &mut out);
                    // A null address has become a real one: what it meant is said by attribute.
                    attributes(section, &hidden, line.null_address.then_some(line.direction), &mut out);
                    if line.carrier == Protocol::Rtp {
                        if *mux {
                            out.push_str("a=rtcp-mux\r\n");
                        } else if pair.rtcp != pair.rtp.wrapping_add(1) {
                            let _ = write!(out, "a=rtcp:{}\r\n", pair.rtcp);
                        }
                    }
                }
            }
        }
        out
    }
}

/// Attributes that never cross: keying and ICE of a leg stay on that leg, and addresses and products are nobody's business.
const OWN: &[&str] = &[
    "candidate",
    "remote-candidates",
    "end-of-candidates",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-lite",
    "ice-mismatch",
    "ice-pacing",
    "crypto",
    "fingerprint",
    "setup",
    "connection",
    "tls-id",
    "key-mgmt",
    "zrtp-hash",
    "rtcp",
    "rtcp-mux",
    "rtcp-mux-only",
    "source-filter",
    "bundle-only",
    "tcap",
    "acap",
    "pcfg",
    "acfg",
    "creq",
    "csup",
    "tool",
    "direction",
    "alt",
    "sdplang",
    "charset",
    "type-url",
];

fn attributes(section: Section<'_>, hidden: &[&str], direction: Option<Direction>, out: &mut String) {
    for (kind, value) in section.lines() {
        if kind != b'a' {
            continue;
        }
        let (name, body) = attribute(value);
        let stays = OWN.iter().any(|own| own.eq_ignore_ascii_case(name))
            || (name.eq_ignore_ascii_case("group") && body.to_ascii_uppercase().starts_with("BUNDLE"))
            || (name.eq_ignore_ascii_case("ssrc") && body.contains("cname:"))
            || (direction.is_some() && Direction::named(value).is_some())
            || hidden.iter().any(|host| names(value, host))
            || holds_address(value);
        if !stays {
            let _ = write!(out, "a={value}\r\n");
        }
    }
    if let Some(direction) = direction {
        let _ = write!(out, "a={}\r\n", direction.name());
    }
}

fn bandwidths(section: Section<'_>, out: &mut String) {
    for (kind, value) in section.lines() {
        let sound = |(modifier, number): (&str, &str)| {
            !modifier.is_empty()
                && modifier.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
                && (1..=10).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        if kind == b'b' && value.split_once(':').is_some_and(sound) {
            let _ = write!(out, "b={value}\r\n");
        }
    }
}

fn is_times(value: &str) -> bool {
    let mut words = value.split(' ');
    let mut number = || {
        words
            .next()
            .is_some_and(|word| !word.is_empty() && word.len() <= 20 && word.bytes().all(|b| b.is_ascii_digit()))
    };
    number() && number() && words.next().is_none()
}

/// The hosts that a description names in the lines made for that.
fn hosts(session: &Session) -> Vec<&str> {
    let mut hosts = Vec::new();
    for (kind, value) in session.lines() {
        let (name, body) = attribute(value);
        let host = match kind {
            b'o' => value.split_whitespace().nth(5),
            b'c' => named(value),
            b'a' if name.eq_ignore_ascii_case("rtcp") => body.split_once(' ').and_then(|(_, host)| named(host)),
            b'a' if name.eq_ignore_ascii_case("candidate") => body.split_whitespace().nth(4),
            _ => None,
        };
        // Shorter ones would hide half the vocabulary of SDP, and tell nobody where anything is.
        hosts.extend(host.filter(|host| host.len() >= 4 && host.bytes().any(|byte| !byte.is_ascii_digit())));
    }
    hosts
}

fn named(connection: &str) -> Option<&str> {
    match Host::of_connection(connection)? {
        Host::Name(name) => Some(name),
        Host::Ip(_) => connection.split_whitespace().last().map(|last| last.split('/').next().unwrap_or(last)),
    }
}

/// Does `text` name `host`, as a word of its own?
fn names(text: &str, host: &str) -> bool {
    let (text, host) = (text.as_bytes(), host.as_bytes());
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.windows(host.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(host)
            && !is_word(at.checked_sub(1).and_then(|before| text.get(before)))
            && !is_word(text.get(at + host.len()))
    })
}

/// Does `text` hold an IP address, whoever's it is?
fn holds_address(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':').any(|token| {
        let token = token.trim_matches('.');
        // `nat:2001:db8::1`: the name before it may end in hexadecimal letters.
        let starts = std::iter::once(0).chain(token.match_indices(':').map(|(at, _)| at + 1));
        starts.map(|start| &token[start..]).any(|rest| rest.len() > 2 && rest.parse::<Ipv6Addr>().is_ok())
            || token.split(':').any(|part| part.trim_matches('.').parse::<Ipv4Addr>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_wherever_they_hide() {
        for (text, found) in [
            ("X-nat:192.168.1.1", true),
            ("x:[2001:db8::1]:5000", true),
            ("ts-refclk:ntp=203.0.113.10", true),
            ("candidate:1 1 UDP 1 10.0.0.1 4000 typ host", true),
            ("x:fe80::1%eth0", true),
            ("facade:2001:db8::1", true),
            ("rtpmap:0 PCMU/8000", false),
            ("fmtp:18 annexb=no", false),
            ("fmtp:96 sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==", false),
            ("extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", false),
            ("T38FaxVersion:0", false),
            ("rtcp-fb:* ccm fir", false),
            ("x:1.2.3", false),
        ] {
            assert_eq!(holds_address(text), found, "{text}");
        }
    }

    #[test]
    fn hosts_are_found_as_words() {
        for (text, host, found) in [
            ("x:pbx.example.com", "pbx.example.com", true),
            ("x:PBX.example.com:5060", "pbx.example.com", true),
            ("x:mypbx.example.com", "pbx.example.com", false),
            ("x:pbx.example.comm", "pbx.example.com", false),
            ("", "pbx.example.com", false),
        ] {
            assert_eq!(names(text, host), found, "{text}");
        }
    }
}
