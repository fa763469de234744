//! Writing a URI.

use std::net::{IpAddr, SocketAddr};

use super::escape::{escape_header, escape_param, escape_user};
use super::{Scheme, Uri};

/// Puts a URI together from parts; each part is escaped, so that none can become another.
#[derive(Clone, Debug)]
pub struct UriBuilder {
    scheme: String,
    /// Escaped already.
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// Escaped already.
    params: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl UriBuilder {
    pub(super) fn new(scheme: &str, host: &str) -> UriBuilder {
        let (scheme, host) = (scheme.to_owned(), safe_host(host));
        UriBuilder { scheme, user: None, host, port: None, params: Vec::new(), headers: Vec::new() }
    }

    pub(super) fn of(uri: &Uri) -> UriBuilder {
        let scheme = uri.as_str().split(':').next().unwrap_or_default().to_ascii_lowercase();
        let params = uri.params().iter().map(|(name, value)| (name.to_owned(), value.unwrap_or_default().to_owned()));
        let user = uri.user_raw().map(str::to_owned);
        let headers = Vec::new();
        UriBuilder { scheme, user, host: uri.host().to_owned(), port: uri.port(), params: params.collect(), headers }
    }

    /// `sips` instead of `sip`.
    pub fn secure(mut self) -> UriBuilder {
        self.scheme = "sips".to_owned();
        self
    }

    /// Sets the user; empty means none. `;` in it is escaped: see [`UriBuilder::user_raw`].
    pub fn user(mut self, user: &str) -> UriBuilder {
        self.user = Some(escape_user(user)).filter(|user| !user.is_empty());
        self
    }

    /// Sets the user part as another URI has it, parameters and escapes included.
    pub fn user_raw(mut self, user: &str) -> UriBuilder {
        let is_plain = |char: &char| char.is_ascii_graphic() && !matches!(char, '@' | ':' | '<' | '>' | '"');
        self.user = Some(user.chars().filter(is_plain).collect::<String>()).filter(|user| !user.is_empty());
        self
    }

    /// Sets the host: a name, or an address with or without brackets.
    pub fn host(mut self, host: &str) -> UriBuilder {
        self.host = safe_host(host);
        self
    }

    /// Sets the port, `None` for the scheme's own.
    pub fn port(mut self, port: impl Into<Option<u16>>) -> UriBuilder {
        self.port = port.into();
        self
    }

    /// Sets host and port.
    pub fn address(mut self, address: SocketAddr) -> UriBuilder {
        self.host = match address.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        self.port = Some(address.port());
        self
    }

    /// Sets a parameter, in the place of one of that name; an empty value writes the name alone (`;lr`, `;ob`).
    pub fn param(mut self, name: &str, value: &str) -> UriBuilder {
        let (name, value) = (escape_param(name), escape_param(value));
        match self.params.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(&name)) {
            Some((_, own)) => *own = value,
            None => self.params.push((name, value)),
        }
        self
    }

    /// Takes a parameter away.
    pub fn without_param(mut self, name: &str) -> UriBuilder {
        self.params.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self
    }

    /// Takes all parameters away.
    pub fn without_params(mut self) -> UriBuilder {
        self.params.clear();
        self
    }

    /// Adds a header: `Replaces` in a Refer-To.
    pub fn header(mut self, name: &str, value: &str) -> UriBuilder {
        self.headers.push((escape_header(name), escape_header(value)));
        self
    }

    /// The finished URI.
    pub fn build(self) -> Uri {
        let mut text = self.scheme;
        text.push(':');
        if let Some(user) = &self.user {
            text.push_str(user);
            if !self.host.is_empty() {
                text.push('@');
            }
        }
        text.push_str(&self.host);
        if let Some(port) = self.port {
            text.push(':');
            text.push_str(itoa::Buffer::new().format(port));
        }
        push_pairs(&mut text, &self.params, [';', ';']);
        push_pairs(&mut text, &self.headers, ['?', '&']);
        Uri::parse(&text).unwrap_or_else(|_| Uri { text: text.into(), parts: super::scan::opaque(Scheme::Other) })
    }
}

fn push_pairs(text: &mut String, pairs: &[(String, String)], [mut mark, next]: [char; 2]) {
    for (name, value) in pairs {
        text.push(mark);
        text.push_str(name);
        if !value.is_empty() {
            text.push('=');
            text.push_str(value);
        }
        mark = next;
    }
}

/// A host that cannot end before it ends; anything strange in it becomes `invalid`.
fn safe_host(host: &str) -> String {
    match host.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ if super::is_host(host) => host.to_owned(),
        _ => "invalid".to_owned(),
    }
}
