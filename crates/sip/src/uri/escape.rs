//! `%41` and back.

use std::borrow::Cow;

/// Never need escaping: `unreserved` of RFC 3261 §25.1.
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

/// Escapes what a user part may not hold. `;` is escaped too, for it would begin a parameter of the user.
pub fn escape_user(text: &str) -> String {
    escape(text, b"&=+$,?/")
}

/// Escapes what a URI parameter's value may not hold.
pub fn escape_param(text: &str) -> String {
    escape(text, b"[]/:&+$")
}

/// Escapes what a URI header's value may not hold: `Replaces` in a Refer-To.
pub fn escape_header(text: &str) -> String {
    escape(text, b"[]/?:+$")
}

/// Turns `%HH` into bytes. Broken escapes stay as they are, bytes that are not UTF-8 become U+FFFD.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match hex_at(bytes, at) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()).into()
}

/// The byte that `%HH` at `at` stands for.
pub(super) fn hex_at(bytes: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = *bytes.get(at..at + 3)? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn escape(text: &str, allowed: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) || allowed.contains(&byte) {
            out.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}
