//! Why a call ended, in somebody's numbers (RFC 3326).

use std::borrow::Cow;

use super::param::{Params, push_quoted};

/// `Q.850;cause=16;text="Normal call clearing"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850`, `preemption`, …
    pub protocol: &'a str,
    /// The number in that protocol.
    pub cause: Option<u16>,
    /// Words.
    pub text: Option<Cow<'a, str>>,
}

impl<'a> Reason<'a> {
    /// Reads one value.
    pub fn parse(value: &'a str) -> Option<Reason<'a>> {
        let (protocol, params) = value.split_once(';').unwrap_or((value, ""));
        let (protocol, params) = (protocol.trim(), Params::of(params));
        let cause = params.get("cause").and_then(|digits| digits.parse().ok());
        (!protocol.is_empty()).then(|| Reason { protocol, cause, text: params.unquoted("text") })
    }

    /// Writes one value.
    pub fn write(protocol: &str, cause: u16, text: &str) -> String {
        let mut out = format!("{protocol};cause={cause}");
        if !text.is_empty() {
            out.push_str(";text=");
            push_quoted(&mut out, text);
        }
        out
    }
}
