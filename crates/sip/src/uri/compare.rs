//! Are two URIs the same resource? RFC 3261 §19.1.4 and RFC 3966 §4.

use std::borrow::Cow;

use super::escape::{hex_at, is_unreserved};
use super::{Scheme, Uri};

pub(super) fn matches(a: &Uri, b: &Uri) -> bool {
    if a == b {
        return true; // whatever is in it, a parameter named twice for one
    }
    if a.scheme() != b.scheme() {
        return false;
    }
    match a.scheme() {
        Scheme::Sip | Scheme::Sips => sip_matches(a, b),
        Scheme::Tel => tel_matches(a, b),
        Scheme::Urn => a.as_str().eq_ignore_ascii_case(b.as_str()),
        Scheme::Other => a == b,
    }
}

fn sip_matches(a: &Uri, b: &Uri) -> bool {
    same_user(a.user_raw(), b.user_raw())
        && same_user(a.password(), b.password())
        && same_host(a, b)
        && a.port() == b.port()
        && shared_params_agree(a, b)
        && shared_params_agree(b, a)
        && headers_are_in(a, b)
        && headers_are_in(b, a)
}

/// Case counts in user and password; escapes of characters that need none do not.
fn same_user(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => normal(a) == normal(b),
        (None, None) => true,
        _ => false,
    }
}

fn same_host(a: &Uri, b: &Uri) -> bool {
    match (a.host_ip(), b.host_ip()) {
        (Some(a), Some(b)) => a == b,
        _ => a.host().eq_ignore_ascii_case(b.host()),
    }
}

/// These never match when only one side has them, not even with the default value.
const DECISIVE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn shared_params_agree(a: &Uri, b: &Uri) -> bool {
    a.params().iter().all(|(name, value)| match b.param(&normal(name)) {
        Some(other) => normal(value.unwrap_or_default()).eq_ignore_ascii_case(&normal(other)),
        None => !DECISIVE.iter().any(|decisive| decisive.eq_ignore_ascii_case(name)),
    })
}

fn headers_are_in(a: &Uri, b: &Uri) -> bool {
    a.headers().all(|(name, value)| {
        b.headers()
            .any(|(own, other)| normal(own).eq_ignore_ascii_case(&normal(name)) && normal(other) == normal(value))
    })
}

/// All parameters count; order, case and visual separators do not.
fn tel_matches(a: &Uri, b: &Uri) -> bool {
    let number = |uri: &Uri| -> String {
        let raw = uri.user_raw().unwrap_or_default();
        raw.chars()
            .filter(|char| !matches!(char, '-' | '.' | '(' | ')'))
            .map(|char| char.to_ascii_lowercase())
            .collect()
    };
    let params_are_in = |a: &Uri, b: &Uri| {
        a.params().iter().all(|(name, value)| {
            b.param(name).is_some_and(|other| other.eq_ignore_ascii_case(value.unwrap_or_default()))
        })
    };
    number(a) == number(b) && params_are_in(a, b) && params_are_in(b, a)
}

/// Escapes of unreserved characters undone, hex digits of the others in capitals.
fn normal(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match hex_at(bytes, at) {
            Some(byte) if is_unreserved(byte) => out.push(byte),
            Some(_) => out.extend(bytes[at..at + 3].iter().map(u8::to_ascii_uppercase)),
            None => {
                out.push(bytes[at]);
                at += 1;
                continue;
            }
        }
        at += 3;
    }
    String::from_utf8(out).map_or(text.into(), Cow::Owned)
}
