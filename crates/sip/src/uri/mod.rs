//! Who is meant, and where: sip, sips, tel, urn, and whatever else somebody sends.

mod build;
mod compare;
mod escape;
mod host;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use tollgate_types::Transport;

use crate::header::Params;
use scan::{Parts, Span, scan};

pub use build::UriBuilder;
pub use escape::{escape_header, escape_param, escape_user, unescape};
pub(crate) use host::{host_ip, is_host, split_host_port};
pub(crate) use scan::check;

/// A URI as somebody wrote it, and where its parts are. Equality is literal; [`Uri::matches`] is RFC 3261's.
#[derive(Clone)]
pub struct Uri {
    text: Arc<str>,
    parts: Parts,
}

/// What a URI begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RFC 3261 §19.1.
    Sip,
    /// RFC 3261 §19.1, over TLS at every hop.
    Sips,
    /// A telephone number, RFC 3966.
    Tel,
    /// A name: `urn:service:sos`, RFC 5031.
    Urn,
    /// Kept as it is.
    Other,
}

/// Why text is no URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUri {
    /// Nothing before a colon, or no colon.
    #[error("no scheme")]
    Scheme,
    /// White space, a control, a quote or a bracket where none may be.
    #[error("forbidden character")]
    Character,
    /// Nothing before the `@`.
    #[error("empty user")]
    User,
    /// Neither a name nor an address; IPv6 without brackets.
    #[error("malformed host")]
    Host,
    /// Not 1 to 65535.
    #[error("malformed port")]
    Port,
    /// A `tel` URI without digits.
    #[error("no number")]
    Number,
    /// Longer than a message may be.
    #[error("too long")]
    Length,
}

impl Uri {
    /// Reads a URI; brackets around it are not part of it.
    pub fn parse(text: &str) -> Result<Uri, BadUri> {
        Ok(Uri { parts: scan(text)?, text: text.into() })
    }

    /// Starts a `sip` URI.
    pub fn sip(host: &str) -> UriBuilder {
        UriBuilder::new("sip", host)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it begins with.
    pub fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// `sip` or `sips`?
    pub fn is_sip(&self) -> bool {
        matches!(self.parts.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user part as written, its own parameters included, without password; the number of a `tel` URI.
    pub fn user_raw(&self) -> Option<&str> {
        self.parts.user.map(|span| self.str(span))
    }

    /// The user without its own parameters (`+358;phone-context=x` in RFC 3966 notation) and without escapes.
    pub fn user(&self) -> Option<Cow<'_, str>> {
        self.user_raw().map(|user| unescape(user.split(';').next().unwrap_or_default()))
    }

    /// Parameters within the user part: `;phone-context=…`, `;isub=…`, `;npdi`, `;rn=…`.
    pub fn user_params(&self) -> Params<'_> {
        let user = self.user_raw().unwrap_or_default();
        Params::of(user.split_once(';').map(|(_, params)| params).unwrap_or_default())
    }

    /// The deprecated password, as written.
    pub fn password(&self) -> Option<&str> {
        self.parts.password.map(|span| self.str(span))
    }

    /// The host as written, IPv6 in its brackets; empty for what has none.
    pub fn host(&self) -> &str {
        self.str(self.parts.host)
    }

    /// The host as an address, if it is one.
    pub fn host_ip(&self) -> Option<IpAddr> {
        host_ip(self.host())
    }

    /// The port, where it is written.
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The URI's own parameters.
    pub fn params(&self) -> Params<'_> {
        Params::of(self.str(self.parts.params))
    }

    /// One parameter; `Some("")` when it is there without a value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().get(name)
    }

    /// The `transport` parameter, if it is one we know.
    pub fn transport(&self) -> Option<Transport> {
        self.param("transport").and_then(|word| word.parse().ok())
    }

    /// `;lr`: the proxy it names leaves the Request-URI alone (RFC 3261 §16.12).
    pub fn is_loose(&self) -> bool {
        self.params().has("lr")
    }

    /// Headers that a request to it should carry, names and values as written: see [`unescape`].
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = self.str(self.parts.headers);
        text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// One of those headers, unescaped.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers().find(|(own, _)| unescape(own).eq_ignore_ascii_case(name)).map(|(_, value)| unescape(value))
    }

    /// The same resource by RFC 3261 §19.1.4, or RFC 3966 §4 for `tel`? Symmetric, but not transitive.
    pub fn matches(&self, other: &Uri) -> bool {
        compare::matches(self, other)
    }

    /// A builder that holds what this URI holds, headers left out.
    pub fn edit(&self) -> UriBuilder {
        UriBuilder::of(self)
    }

    fn str(&self, span: Span) -> &str {
        self.text.get(usize::from(span.0)..usize::from(span.1)).unwrap_or_default()
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Uri) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri {}

impl std::hash::Hash for Uri {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl FromStr for Uri {
    type Err = BadUri;
    fn from_str(text: &str) -> Result<Uri, BadUri> {
        Uri::parse(text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}
