//! Which domains are ours.

use tollgate_types::{Seed, Set};

/// The platform's domain, further hosted ones, and our own addresses as hosts.
#[derive(Clone, Debug)]
pub struct Domains {
    realm: Box<str>,
    hosts: Set<Box<str>>,
    only_hosted: bool,
}

impl Domains {
    /// `domain` is the platform's and its digest realm; `others` are hosted beside it; `addresses` are what peers write
    /// instead of a name: listeners' and advertised addresses, without port.
    pub fn new<'a>(domain: &str, others: impl IntoIterator<Item = &'a str>, seed: Seed) -> Domains {
        let mut hosts = seed.set();
        hosts.insert(canonical(domain));
        hosts.extend(others.into_iter().map(canonical));
        Domains { realm: domain.into(), hosts, only_hosted: true }
    }

    /// When it is not `only` those: whatever host is named, we are meant (`sip.only_hosted_domains`).
    pub fn only_hosted(mut self, only: bool) -> Domains {
        self.only_hosted = only;
        self
    }

    /// The platform's domain, which is the digest realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Is `host` (a name or an address, without port) ours?
    pub fn serves(&self, host: &str) -> bool {
        if host.len() > 255 {
            return false;
        }
        !self.only_hosted || self.hosts.contains(&canonical(host))
    }
}

fn canonical(host: &str) -> Box<str> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().to_string().into(),
        // RFC 1034 §3.1: the root's dot may be written, and case means nothing.
        Err(_) => bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_ours_in_any_spelling() {
        let domains = Domains::new("voip.test", ["other.test", "192.0.2.1", "2001:db8::1"], Seed([1; 4]));
        for (host, ours) in [
            ("voip.test", true),
            ("VoIP.Test.", true),
            ("other.test", true),
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("[2001:DB8:0::1]", true),
            ("evil.test", false),
            ("voip.test.evil.test", false),
            ("", false),
            ("[", false),
        ] {
            assert_eq!(domains.serves(host), ours, "{host}");
        }
    }
}
