//! A URI with a name to show and parameters.

use std::borrow::Cow;

use super::param::{Params, push_quoted, unquote};
use crate::uri::{self, Uri};
use crate::wire::{find_outside, is_token, quote_end};

/// From, To, Contact, Route, Refer-To, P-Asserted-Identity, Remote-Party-ID, Diversion: `"Bob" <sip:bob@host>;tag=1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The name as written, in its quotes if it has them; empty where there is none.
    pub display_raw: &'a str,
    /// The URI as written, without brackets.
    pub uri_raw: &'a str,
    /// After the URI; none of them belong to it.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value.
    ///
    /// RFC 3261 §20: a URI with comma, question mark or semicolon must stand in brackets; without them a semicolon begins
    /// the header's parameters, and the other two make it unreadable. White space just inside the brackets is forgiven.
    pub fn parse(value: &'a str) -> Option<NameAddr<'a>> {
        let value = value.trim();
        let (display_raw, rest) = if value.starts_with('"') {
            let end = quote_end(value.as_bytes(), 0)? + 1;
            (&value[..end], value[end..].trim_start().strip_prefix('<')?)
        } else if let Some(open) = memchr::memchr(b'<', value.as_bytes()) {
            (value[..open].trim_end(), &value[open + 1..])
        } else {
            return NameAddr::bare(value);
        };
        if !display_raw.starts_with('"') && display_raw.contains('"') {
            return None;
        }
        let close = memchr::memchr(b'>', rest.as_bytes())?;
        let (uri, after) = (&rest[..close], rest[close + 1..].trim_start());
        if !(after.is_empty() || after.starts_with(';')) {
            return None;
        }
        Some(NameAddr { display_raw, uri_raw: uri.trim(), params: Params::of(after) })
    }

    fn bare(value: &'a str) -> Option<NameAddr<'a>> {
        let end = find_outside(value, b';').unwrap_or(value.len());
        let uri = value[..end].trim_end();
        if uri.is_empty() || uri.contains([',', '?', '"', ' ', '\t']) {
            return None;
        }
        Some(NameAddr { display_raw: "", uri_raw: uri, params: Params::of(&value[end..]) })
    }

    /// The name to show, without quotes and backslashes; `None` for none.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        Some(unquote(self.display_raw)).filter(|name| !name.is_empty())
    }

    /// The URI, if it is one.
    pub fn uri(&self) -> Option<Uri> {
        Uri::parse(self.uri_raw).ok()
    }

    /// Is its URI readable?
    pub fn is_readable(&self) -> bool {
        uri::check(self.uri_raw).is_ok()
    }

    /// The dialog's tag.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// A contact's weight in thousandths, 0 to 1000; `None` where it says none or nonsense.
    pub fn q(&self) -> Option<u16> {
        let text = self.params.get("q")?;
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let scale = [1000, 100, 10, 1][part.len()];
        let part = if part.is_empty() { 0 } else { part.parse::<u16>().ok()? * scale };
        match whole {
            "0" | "" if !text.is_empty() => Some(part),
            "1" if part == 0 => Some(1000),
            _ => None,
        }
    }

    /// A contact's own expiry in seconds; nonsense counts as absent, past `u32` as `u32::MAX`.
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").and_then(super::seconds)
    }

    /// `+sip.instance`: the device's own URN, without quotes and brackets (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<Cow<'a, str>> {
        let text = self.params.get("+sip.instance")?;
        let text = text.trim_matches('"');
        Some(text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text).into())
    }

    /// `reg-id`: which of the device's flows this is (RFC 5626 §4.2).
    pub fn reg_id(&self) -> Option<u32> {
        self.params.get("reg-id").and_then(|digits| digits.parse().ok())
    }

    /// Writes such a value. Whatever `display` and the parameters hold stays a name and parameters: they are quoted where
    /// needed, controls are left out, and a URI loses white space, quotes and brackets.
    pub fn write(display: Option<&str>, uri: &str, params: &[(&str, &str)]) -> String {
        let mut out = String::with_capacity(uri.len() + 64);
        if let Some(name) = display.filter(|name| !name.is_empty()) {
            push_quoted(&mut out, name);
            out.push(' ');
        }
        out.push('<');
        out.extend(uri.chars().filter(|&char| !char.is_control() && !matches!(char, ' ' | '<' | '>' | '"')));
        out.push('>');
        for (name, value) in params.iter().filter(|(name, _)| is_token(name.as_bytes())) {
            out.push(';');
            out.push_str(name);
            if value.is_empty() {
                continue;
            }
            out.push('=');
            if is_token(value.as_bytes()) { out.push_str(value) } else { push_quoted(&mut out, value) }
        }
        out
    }
}
