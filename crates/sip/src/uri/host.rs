//! Hosts and ports.

use std::net::{IpAddr, Ipv6Addr};

/// Parts `host:port` at the colon that is not IPv6's own. `None` when a bracket never closes or something but a port follows.
pub(crate) fn split_host_port(text: &str) -> Option<(&str, Option<&str>)> {
    let host_end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let rest = text[host_end..].trim_start();
    match rest.strip_prefix(':') {
        Some(port) => Some((&text[..host_end], Some(port))),
        None if rest.is_empty() => Some((&text[..host_end], None)),
        None => None,
    }
}

/// A name (underscores forgiven), an IPv4 address, or an IPv6 address in brackets?
pub(crate) fn is_host(text: &str) -> bool {
    if text.starts_with('[') {
        return bracketed(text).is_some();
    }
    let is_name = text.bytes().all(|byte| NAME[usize::from(byte)]);
    is_name && !matches!(text.as_bytes(), [] | [b'.' | b'-', ..]) && text.len() <= 255
}

/// May stand in a name.
const NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.' | b'_');
        byte += 1;
    }
    table
};

/// The host as an address, if it is one.
pub(crate) fn host_ip(text: &str) -> Option<IpAddr> {
    if text.starts_with('[') { bracketed(text).map(IpAddr::V6) } else { text.parse().ok().filter(IpAddr::is_ipv4) }
}

fn bracketed(text: &str) -> Option<Ipv6Addr> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}
