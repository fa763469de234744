//! A message for human eyes: no secret in it, and no way out of its line.
//!
//! Works on bytes, so that what could not be parsed can be shown as well. Masked are the secrets of digest
//! authentication, passwords in URIs, SRTP and ICE keys; bodies that are not SDP are not shown at all.

use std::fmt::Write as _;

use crate::wire::{Name, is_token, split_outside};

/// Lines of a dump; what follows is counted, not shown.
const LINES_MAX: usize = 300;

/// Characters of one shown line.
const LINE_CHARS_MAX: usize = 1_024;

/// Parameters of credentials and challenges that are nobody's business.
const SECRET_PARAMS: [&str; 7] = ["response", "nonce", "cnonce", "nextnonce", "rspauth", "opaque", "auts"];

/// The message line by line, for a call's ladder. No line holds a control character, or one that changes direction.
pub fn lines(message: &[u8]) -> Vec<String> {
    let head_end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    let head = String::from_utf8_lossy(&message[..head_end]);
    let body = message.get(head_end + 2..).unwrap_or_default();
    let mut out = Vec::new();
    for line in unfolded(&head) {
        out.push(shown(&header_line(&line)));
    }
    if body.starts_with(b"v=0") {
        out.push(String::new());
        out.extend(String::from_utf8_lossy(body).split('\n').map(|line| shown(&sdp_line(line.trim_end_matches('\r')))));
    } else if !body.is_empty() {
        out.push(format!("[{} bytes]", body.len()));
    }
    if out.len() > LINES_MAX {
        let more = out.len() - LINES_MAX;
        out.truncate(LINES_MAX);
        out.push(format!("[{more} more lines]"));
    }
    out
}

/// The message on one line, for a log event's field.
pub fn line(message: &[u8]) -> String {
    lines(message).join(" | ")
}

/// Stranger's text for a log field: control characters escaped, overlong text cut.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, char) in text.chars().enumerate() {
        if count == LINE_CHARS_MAX {
            out.push('…');
            break;
        }
        if is_treacherous(char) {
            let _ = write!(out, "{}", char.escape_default()); // a String takes everything
        } else {
            out.push(char);
        }
    }
    out
}

/// Controls, line and paragraph separators, and what turns the writing direction.
fn is_treacherous(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Header lines with their continuations joined: a secret on a folded line is still one.
fn unfolded(head: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in head.split('\n') {
        let line = line.trim_end_matches('\r');
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim_start());
            }
            _ if line.is_empty() => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

fn header_line(line: &str) -> String {
    let Some((name, value)) = line.split_once(':') else { return mask_passwords(line) };
    match Name::of(name.trim()) {
        Name::Authorization
        | Name::ProxyAuthorization
        | Name::WwwAuthenticate
        | Name::ProxyAuthenticate
        | Name::AuthenticationInfo
        | Name::ProxyAuthenticationInfo => format!("{name}: {}", mask_params(value.trim())),
        _ => mask_passwords(line),
    }
}

/// Everything but the secrets of a digest. What is no digest, or is not cleanly written, is hidden whole: a misplaced
/// quote would make a secret look like part of a harmless value.
fn mask_params(value: &str) -> String {
    let (scheme, params) = match value.split_once(' ') {
        Some((word, rest)) if !word.contains('=') => (word, rest),
        _ => ("", value),
    };
    let masked = split_outside(params, b',').map(|param| {
        let (name, value) = param.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        if !is_token(name.as_bytes())
            || !quoted.map_or(is_token(value.as_bytes()), |inner| !inner.contains(['"', '\\']))
        {
            return None;
        }
        let is_secret = SECRET_PARAMS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
        Some(if is_secret { format!("{name}=***") } else { mask_passwords(&format!("{name}={value}")) })
    });
    let is_digest = scheme.is_empty() || scheme.eq_ignore_ascii_case("Digest");
    let shown =
        masked.collect::<Option<Vec<_>>>().filter(|_| is_digest).map_or("***".to_owned(), |params| params.join(", "));
    format!("{scheme} {shown}").trim_start().to_owned()
}

/// `sip:user:password@host` without the password.
fn mask_passwords(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = find_scheme(rest) {
        let (before, uri) = rest.split_at(at);
        out.push_str(before);
        let end =
            uri.find(|char: char| char.is_whitespace() || matches!(char, '<' | '>' | '"' | '@')).unwrap_or(uri.len());
        let (user, after) = uri.split_at(end);
        match user.find(':').filter(|_| after.starts_with('@')) {
            Some(colon) => {
                out.push_str(&user[..colon]);
                out.push_str(":***");
            }
            None => out.push_str(user),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Just past the next `sip:` or `sips:`.
fn find_scheme(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    [("sip:", 4), ("sips:", 5)]
        .into_iter()
        .filter_map(|(scheme, length)| lower.find(scheme).map(|at| at + length))
        .min()
}

fn sdp_line(line: &str) -> String {
    let lower = line.trim_start().to_ascii_lowercase();
    for secret in ["a=crypto:", "a=ice-pwd:", "a=key-mgmt:", "k="] {
        if lower.starts_with(secret) {
            let keep = if secret == "a=crypto:" { line.find("inline:").unwrap_or(secret.len()) } else { secret.len() };
            return format!("{}***", line.get(..keep).unwrap_or_default());
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_masked() {
        //     line                                                      shown
        for (line, shown) in [
            (
                "Authorization: Digest username=\"bob\", nonce=\"n1\", uri=\"sip:a:pw@b\", response=\"r1\", qop=auth",
                "Authorization: Digest username=\"bob\", nonce=***, uri=\"sip:a:***@b\", response=***, qop=auth",
            ),
            (
                "proxy-authorization : Digest username=\"a,b\",\r\n\tResponse = \"r1\"",
                "proxy-authorization : Digest username=\"a,b\", Response=***",
            ),
            ("Authorization: Digest username=\"open, response=\"r1", "Authorization: Digest ***"),
            ("Authorization: Digest username=\"open, response=r1", "Authorization: Digest ***"),
            ("Authorization: Basic c2VjcmV0", "Authorization: Basic ***"),
            ("WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"", "WWW-Authenticate: Digest realm=\"r\", nonce=***"),
            ("Contact: <sip:a:pw@b>, <SIPS:c:d@e>", "Contact: <sip:a:***@b>, <SIPS:c:***@e>"),
            ("Route: <sip:host:5060;lr>", "Route: <sip:host:5060;lr>"),
            ("Subject: a\x1b[2Jb\u{202e}c", "Subject: a\\u{1b}[2Jb\\u{202e}c"),
        ] {
            let message = format!("OPTIONS sip:a@b SIP/2.0\r\n{line}\r\n\r\n");
            assert_eq!(lines(message.as_bytes())[1], shown);
        }
    }

    #[test]
    fn keys_and_private_words_stay_out() {
        let sdp = "A: b\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:S3cr3t|2^20\r\na=ice-pwd:S3cr3t\r\nm=audio 1 RTP/AVP 0\r\n";
        let shown = line(sdp.as_bytes());
        assert!(
            shown.contains("AES_CM_128_HMAC_SHA1_80 ***") && shown.contains("m=audio") && !shown.contains("S3cr3t"),
            "{shown}"
        );
        assert_eq!(line(b"A: b\r\n\r\nmeet me"), "A: b | [7 bytes]");
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(!line(&bytes).chars().any(is_treacherous));
        }
    }
}
