//! `;name=value` after a value or in a URI.

use std::borrow::Cow;

use crate::wire::split_outside;

/// Parameters as written, read on demand. Names are compared in any case; the first of a name counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// `text` is what follows the first `;`, with or without it.
    pub fn of(text: &'a str) -> Params<'a> {
        Params(text)
    }

    /// Each parameter; `None` for one without `=`. Quoted values keep their quotes.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        split_outside(self.0, b';').map(str::trim).filter(|param| !param.is_empty()).map(|param| {
            match param.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
                None => (param, None),
            }
        })
    }

    /// The value of a parameter; `Some("")` when it is there without one.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or_default())
    }

    /// The value without its quotes.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).map(unquote)
    }

    /// Is it there at all?
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// As written.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

/// A `quoted-string` (RFC 3261 §25.1) without quotes and backslashes; anything else as it is.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return text.into() };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        out.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    out.into()
}

/// Appends `text` as a `quoted-string`; controls are left out.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars().filter(|char| !char.is_control()) {
        if matches!(char, '"' | '\\') {
            out.push('\\');
        }
        out.push(char);
    }
    out.push('"');
}
