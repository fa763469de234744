//! Finding the parts of a URI.

use super::host::{is_host, split_host_port};
use super::{BadUri, Scheme};
use crate::wire::number;

/// Start and end within the text.
pub(super) type Span = (u16, u16);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(super) scheme: Scheme,
    pub(super) user: Option<Span>,
    pub(super) password: Option<Span>,
    pub(super) host: Span,
    pub(super) port: Option<u16>,
    pub(super) params: Span,
    pub(super) headers: Span,
}

/// Is it a readable URI, and has it headers? Nothing is kept.
pub(crate) fn check(text: &str) -> Result<bool, BadUri> {
    scan(text).map(|parts| parts.headers.0 < parts.headers.1)
}

pub(super) fn scan(text: &str) -> Result<Parts, BadUri> {
    if text.len() > usize::from(u16::MAX) {
        return Err(BadUri::Length);
    }
    let colon = text.bytes().position(|byte| !is_scheme(byte)).filter(|&at| text.as_bytes()[at] == b':');
    let colon = colon.filter(|_| text.as_bytes()[0].is_ascii_alphabetic()).ok_or(BadUri::Scheme)?;
    // No early exit, so that it runs as vector code.
    let is_forbidden = |byte: u8| (byte <= b' ') | (byte == 0x7f) | (byte == b'<') | (byte == b'>') | (byte == b'"');
    if text.bytes().fold(false, |any, byte| any | is_forbidden(byte)) {
        return Err(BadUri::Character);
    }
    let start = colon + 1;
    match &text[..colon] {
        scheme if scheme.eq_ignore_ascii_case("sip") => sip(text, start, Scheme::Sip),
        scheme if scheme.eq_ignore_ascii_case("sips") => sip(text, start, Scheme::Sips),
        scheme if scheme.eq_ignore_ascii_case("tel") => tel(text, start),
        _ if start == text.len() => Err(BadUri::Host),
        scheme if scheme.eq_ignore_ascii_case("urn") => Ok(opaque(Scheme::Urn)),
        _ => Ok(opaque(Scheme::Other)),
    }
}

fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

pub(super) fn opaque(scheme: Scheme) -> Parts {
    let none = (0, 0);
    Parts { scheme, user: None, password: None, host: none, port: None, params: none, headers: none }
}

/// `user:password@host:port;params?headers`. The user may hold `;` and `?` (RFC 3261 §25.1), so the first `@` decides.
fn sip(text: &str, start: usize, scheme: Scheme) -> Result<Parts, BadUri> {
    let mut parts = opaque(scheme);
    let bytes = text.as_bytes();
    let mut from = start;
    if let Some(at) = memchr::memchr(b'@', &bytes[start..]).map(|at| start + at) {
        let user_end = memchr::memchr(b':', &bytes[start..at]).map_or(at, |colon| start + colon);
        if user_end == start {
            return Err(BadUri::User);
        }
        parts.user = Some(span(start, user_end));
        parts.password = (user_end < at).then(|| span(user_end + 1, at));
        from = at + 1;
    }
    let place_end = memchr::memchr2(b';', b'?', &bytes[from..]).map_or(text.len(), |end| from + end);
    let (host, port) = split_host_port(&text[from..place_end]).ok_or(BadUri::Host)?;
    if !is_host(host) {
        return Err(BadUri::Host);
    }
    parts.host = span(from, from + host.len());
    parts.port = match port.map(number) {
        None => None,
        Some(Some(port @ 1..=65_535)) => u16::try_from(port).ok(),
        Some(_) => return Err(BadUri::Port),
    };
    let headers = memchr::memchr(b'?', &bytes[place_end..]).map_or(text.len(), |mark| place_end + mark);
    parts.params = span((place_end + 1).min(headers), headers);
    parts.headers = span((headers + 1).min(text.len()), text.len());
    Ok(parts)
}

/// `+358-555-1234567;postd=pp22`.
fn tel(text: &str, start: usize) -> Result<Parts, BadUri> {
    let end = memchr::memchr(b';', &text.as_bytes()[start..]).map_or(text.len(), |end| start + end);
    let digits = text[start..end].strip_prefix('+').unwrap_or(&text[start..end]);
    let is_dialled = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#');
    let is_mark = |byte: u8| matches!(byte, b'-' | b'.' | b'(' | b')');
    if !digits.bytes().any(is_dialled) || !digits.bytes().all(|byte| is_dialled(byte) || is_mark(byte)) {
        return Err(BadUri::Number);
    }
    let mut parts = opaque(Scheme::Tel);
    parts.user = Some(span(start, end));
    parts.params = span((end + 1).min(text.len()), text.len());
    Ok(parts)
}

fn span(start: usize, end: usize) -> Span {
    (start as u16, end as u16)
}
