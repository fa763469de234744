//! The values of single lines: m=, c=, a=rtcp, direction.

use std::net::IpAddr;

/// `m=<media> <port>[/<count>] <protocol> <formats>` (RFC 8866 §5.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaLine<'a> {
    /// `audio`, `video`, `image`…
    pub media: &'a str,
    /// Zero declines the line (RFC 3264 §6).
    pub port: u16,
    /// `RTP/AVP`, `udptl`… as written.
    pub protocol: &'a str,
    /// Payload types or names, separated by blanks.
    pub formats: &'a str,
}

/// What carries a media line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RTP/AVP, RTP/AVPF.
    Rtp,
    /// RTP/SAVP, RTP/SAVPF and both under DTLS: refused until SRTP is spoken here.
    Srtp,
    /// T.38 fax datagrams.
    Udptl,
    /// TCP, SCTP and whatever else.
    Other,
}

/// Who may send on a line, seen from the one who writes it (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// It sends and does not listen: a hold with music.
    SendOnly,
    /// It listens only.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// Where a c= or a=rtcp line points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// An address.
    Ip(IpAddr),
    /// A name; nobody asks the DNS for it.
    Name(&'a str),
}

impl<'a> MediaLine<'a> {
    /// Reads the value of an m= line.
    pub fn parse(value: &'a str) -> Option<MediaLine<'a>> {
        let (media, rest) = word(value)?;
        let (port, rest) = word(rest)?;
        let (protocol, formats) = word(rest)?;
        // `/2` means two ports in a row; nobody who says so in SIP needs the second.
        let port = port.split('/').next()?.parse().ok()?;
        let sound =
            |text: &str, more: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
        (sound(media, b"-_.+") && sound(protocol, b"-_.+/")).then_some(MediaLine { media, port, protocol, formats })
    }

    /// What carries it.
    pub fn carrier(&self) -> Protocol {
        let is = |name: &str| self.protocol.eq_ignore_ascii_case(name);
        if is("RTP/AVP") || is("RTP/AVPF") {
            Protocol::Rtp
        } else if is("RTP/SAVP") || is("RTP/SAVPF") || is("UDP/TLS/RTP/SAVP") || is("UDP/TLS/RTP/SAVPF") {
            Protocol::Srtp
        } else if is("udptl") {
            Protocol::Udptl
        } else {
            Protocol::Other
        }
    }

    /// The payload types among the formats, each once, in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        let mut seen = 0u128;
        self.formats.split_whitespace().filter_map(|text| text.parse::<u8>().ok()).filter(move |number| {
            let fresh = *number < 128 && seen >> number & 1 == 0;
            if fresh {
                seen |= 1 << number;
            }
            fresh
        })
    }
}

impl Direction {
    /// From an attribute's name.
    pub fn named(name: &str) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| direction.name().eq_ignore_ascii_case(name))
    }

    /// As an attribute.
    pub fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Does it send?
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Does it listen?
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same without listening.
    pub fn deafened(self) -> Direction {
        if self.sends() { Direction::SendOnly } else { Direction::Inactive }
    }
}

impl<'a> Host<'a> {
    /// From `IN IP4 192.0.2.1[/ttl]`, also short of its first words; `None` where no host is named.
    pub fn of_connection(value: &'a str) -> Option<Host<'a>> {
        let last = value.split_whitespace().find(|part| {
            !part.eq_ignore_ascii_case("IN") && !part.eq_ignore_ascii_case("IP4") && !part.eq_ignore_ascii_case("IP6")
        })?;
        let host = last.split('/').next().filter(|host| !host.is_empty())?;
        Some(host.parse().map_or(Host::Name(host), Host::Ip))
    }

    /// The null address of RFC 2543's hold, or its IPv6 stand-ins.
    pub fn is_null(&self) -> bool {
        match self {
            Host::Ip(ip) => ip.to_canonical().is_unspecified(),
            // RFC 6157 §4.
            Host::Name(name) => name.to_ascii_lowercase().ends_with(".invalid"),
        }
    }
}

/// Reads the value of `a=rtcp`: `53020 [IN IP6 2001:db8::1]` (RFC 3605).
pub(super) fn rtcp(value: &str) -> Option<(u16, Option<Host<'_>>)> {
    let (port, rest) = word(value)?;
    Some((port.parse().ok().filter(|port| *port != 0)?, Host::of_connection(rest)))
}

/// The first word and what follows it.
pub(super) fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
    (end > 0).then(|| (&text[..end], text[end..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_lines_are_read() {
        for (value, media, port, carrier, types) in [
            ("audio 4000 RTP/AVP 0 8 0 101", "audio", 4000, Protocol::Rtp, vec![0, 8, 101]),
            ("audio 4000/2 rtp/avpf 0 200 x", "audio", 4000, Protocol::Rtp, vec![0]),
            ("video 0 RTP/SAVP 96", "video", 0, Protocol::Srtp, vec![96]),
            ("audio 9 UDP/TLS/RTP/SAVPF 111", "audio", 9, Protocol::Srtp, vec![111]),
            ("image 5000 UDPTL t38", "image", 5000, Protocol::Udptl, vec![]),
            ("message 9 TCP/MSRP *", "message", 9, Protocol::Other, vec![]),
        ] {
            let line = MediaLine::parse(value).unwrap();
            assert_eq!((line.media, line.port, line.carrier()), (media, port, carrier));
            assert_eq!(line.payload_types().collect::<Vec<_>>(), types, "{value}");
        }
        for bad in ["", "audio", "audio 1", "audio x RTP/AVP 0", "audio 70000 RTP/AVP 0", "au<dio 1 RTP/AVP 0"] {
            assert_eq!(MediaLine::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn connections_are_read_even_when_cut_short() {
        let ip = |text: &str| Some(Host::Ip(text.parse().unwrap()));
        for (value, host, null) in [
            ("IN IP4 192.0.2.1", ip("192.0.2.1"), false),
            ("IN IP4 224.2.1.1/127/3", ip("224.2.1.1"), false),
            ("192.0.2.1", ip("192.0.2.1"), false),
            ("IN IP6 2001:db8::1", ip("2001:db8::1"), false),
            ("IN IP4 0.0.0.0", ip("0.0.0.0"), true),
            ("IN IP6 ::", ip("::"), true),
            ("IN IP4 pbx.example.com", Some(Host::Name("pbx.example.com")), false),
            ("IN IP6 none.invalid", Some(Host::Name("none.invalid")), true),
            ("IN", None, false),
            ("", None, false),
        ] {
            let got = Host::of_connection(value);
            assert_eq!((got, got.is_some_and(|host| host.is_null())), (host, null), "{value}");
        }
    }

    #[test]
    fn rtcp_ports_are_read() {
        assert_eq!(rtcp("53020"), Some((53020, None)));
        assert_eq!(rtcp("53020 IN IP4 192.0.2.1"), Some((53020, Some(Host::Ip("192.0.2.1".parse().unwrap())))));
        assert_eq!(rtcp("0"), None);
        assert_eq!(rtcp("x"), None);
    }
}
