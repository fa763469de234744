//! The messages that phones write.

use std::fmt::Write;
use std::net::SocketAddr;

/// A request outside or inside a dialog, but for what differs from method to method.
pub struct Request<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub at: SocketAddr,
    pub branch: u64,
    pub from: &'a str,
    pub to: &'a str,
    pub call_id: &'a str,
    pub cseq: u32,
    /// Whole lines with their ends: Contact, Route, credentials.
    pub more: &'a [&'a str],
    pub sdp: Option<&'a str>,
}

impl Request<'_> {
    pub fn write(&self) -> Vec<u8> {
        let mut out = String::with_capacity(900);
        let Request { method, uri, at, branch, from, to, call_id, cseq, more, sdp } = self;
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{branch:x};rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             User-Agent: tollgate-load\r\n"
        );
        more.iter().for_each(|line| out.push_str(line));
        if sdp.is_some() {
            out.push_str("Content-Type: application/sdp\r\n");
        }
        let body = sdp.unwrap_or_default();
        let _ = write!(out, "Content-Length: {}\r\n\r\n{body}", body.len());
        out.into_bytes()
    }
}

/// Two codecs and events, as phones offer and carriers answer.
pub fn sdp(media: SocketAddr) -> String {
    let (ip, port) = (media.ip(), media.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Where the other side wants its audio.
pub fn media_of(body: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(body).ok()?;
    let ip = text.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?;
    let port = text.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
    Some(SocketAddr::new(ip.trim().parse().ok()?, port.parse().ok()?))
}
