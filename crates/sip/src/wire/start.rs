//! The first line: who is asked for what, or how it went.

use super::limit::{METHOD_BYTES_MAX, URI_BYTES_MAX};
use super::text::{has_bare_control, is_token};

/// What the first line says, as slices of it.
pub(crate) enum Line<'a> {
    Request { method: &'a str, uri: &'a str },
    Response { status: u16, reason: &'a str },
}

/// Why a first line is no good.
pub(crate) enum Bad {
    /// Nothing that speaks SIP wrote it: no answer.
    Junk(&'static str),
    /// A request's line with a fault worth telling, as status and words.
    Request(u16, &'static str),
}

/// Reads the first line, without its CRLF.
///
/// RFC 3261 §7.1: single spaces between the parts, none inside, none at either end.
pub(crate) fn read(line: &[u8]) -> Result<Line<'_>, Bad> {
    if let Some(rest) = line.strip_prefix(b"SIP/") {
        return response(rest);
    }
    let (Some(first), Some(last)) = (memchr::memchr(b' ', line), last_word(line)) else {
        return Err(Bad::Junk("no request line"));
    };
    let method = &line[..first];
    let version = &line[last.0..last.1];
    if !is_token(method) || method.len() > METHOD_BYTES_MAX || !is_version(version) || last.0 <= first {
        return Err(Bad::Junk("no request line"));
    }
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Err(Bad::Request(505, "Version Not Supported"));
    }
    if last.1 != line.len() {
        return Err(Bad::Request(400, "Space After SIP Version"));
    }
    let uri = &line[(first + 1).min(last.0 - 1)..last.0 - 1];
    if uri.is_empty() || uri[0] == b' ' || uri[uri.len() - 1] == b' ' {
        return Err(Bad::Request(400, "Malformed Request Line"));
    }
    if uri.len() > URI_BYTES_MAX {
        return Err(Bad::Request(414, "Request-URI Too Long"));
    }
    if uri.iter().any(|&byte| byte == b' ' || byte == b'\t') || has_bare_control(uri) {
        return Err(Bad::Request(400, "White Space in Request-URI"));
    }
    match (std::str::from_utf8(method), std::str::from_utf8(uri)) {
        (Ok(method), Ok(uri)) => Ok(Line::Request { method, uri }),
        _ => Err(Bad::Request(400, "Malformed Request-URI")),
    }
}

/// `rest` follows `SIP/`. A broken response has nobody to be told, so all faults are junk.
fn response(rest: &[u8]) -> Result<Line<'_>, Bad> {
    let rest = rest.strip_prefix(b"2.0 ").ok_or(Bad::Junk("response of another version"))?;
    let (digits, reason) = match memchr::memchr(b' ', rest) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &rest[rest.len()..]), // the space before an empty reason is often forgotten
    };
    let status = match digits {
        [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => return Err(Bad::Junk("status is not 100 to 699")),
    };
    if has_bare_control(reason) {
        return Err(Bad::Junk("control character in reason"));
    }
    // A reason in another charset is dropped: it means nothing to a machine (RFC 3261 §7.2).
    Ok(Line::Response { status, reason: std::str::from_utf8(reason).unwrap_or_default() })
}

/// Start and end of the last run without spaces.
fn last_word(line: &[u8]) -> Option<(usize, usize)> {
    let end = line.iter().rposition(|&byte| byte != b' ')? + 1;
    let start = memchr::memrchr(b' ', &line[..end])? + 1;
    Some((start, end))
}

/// `SIP/` digits `.` digits.
fn is_version(word: &[u8]) -> bool {
    let Some((b"SIP/", number)) =
        word.split_at_checked(4).map(|(a, b)| if a.eq_ignore_ascii_case(b"SIP/") { (&b"SIP/"[..], b) } else { (a, b) })
    else {
        return false;
    };
    let mut parts = number.split(|&byte| byte == b'.');
    let digits = |part: Option<&[u8]>| {
        part.is_some_and(|part| !part.is_empty() && part.len() <= 8 && part.iter().all(u8::is_ascii_digit))
    };
    digits(parts.next()) && digits(parts.next()) && parts.next().is_none()
}
