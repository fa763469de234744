//! One hop of the way back.

use std::net::IpAddr;

use super::param::Params;
use crate::uri;
use crate::wire::number;

/// A Via value (RFC 3261 §20.42).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Via<'a> {
    /// Of the protocol: `2.0`.
    pub version: &'a str,
    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS`, or what else somebody calls it.
    pub transport: &'a str,
    /// Of sent-by, IPv6 in its brackets.
    pub host: &'a str,
    /// Of sent-by, where it is written.
    pub port: Option<u16>,
    /// Everything after the first `;`.
    pub params: Params<'a>,
}

/// Branches by RFC 3261 begin with this (§8.1.1.7).
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";

impl<'a> Via<'a> {
    /// Reads one value. White space may stand around each `/`, `:`, `;` and `=`.
    pub fn parse(value: &'a str) -> Option<Via<'a>> {
        let (protocol, rest) = value.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        if !protocol.trim().eq_ignore_ascii_case("SIP") {
            return None;
        }
        let (transport, rest) = rest.trim_start().split_once([' ', '\t'])?;
        let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = uri::split_host_port(sent_by.trim())?;
        if transport.is_empty() || !uri::is_host(host.trim_end()) {
            return None;
        }
        let port = match port.map(str::trim) {
            Some(digits) => Some(number(digits).and_then(|port| u16::try_from(port).ok())?),
            None => None,
        };
        Some(Via { version: version.trim(), transport, host: host.trim_end(), port, params: Params::of(params) })
    }

    /// The transaction's name, where there is one.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Is the branch one by RFC 3261, unique by itself? A bare cookie is not: match such a request as RFC 2543 did
    /// (RFC 4475 §3.2.1).
    pub fn has_unique_branch(&self) -> bool {
        self.branch().is_some_and(|branch| {
            branch.len() > MAGIC_COOKIE.len()
                && branch.as_bytes()[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE.as_bytes())
        })
    }

    /// Where the hop below saw it come from. Brackets are tolerated (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok()
    }

    /// RFC 3581: `None` when the sender does not ask for it, `Some(None)` when it asks, `Some(port)` when it was answered.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|digits| digits.parse().ok())
    }

    /// The host as an address, if it is one.
    pub fn host_ip(&self) -> Option<IpAddr> {
        uri::host_ip(self.host)
    }
}
