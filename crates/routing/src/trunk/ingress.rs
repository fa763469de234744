//! A trunk that sends calls to us.

use std::net::IpAddr;

use tollgate_types::{AccountId, E164, TrunkId};

use super::source::Source;
use crate::auth::AuthMode;
use crate::country::Country;
use crate::ha1::{Algorithms, Ha1s};

/// A peer that sends calls: a traffic sender whose account pays, or a carrier that brings calls to our numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Its row.
    pub id: TrunkId,
    /// As admins call it.
    pub name: Box<str>,
    /// How it proves itself.
    pub auth: AuthMode,
    /// Where it may come from.
    pub sources: Box<[Source]>,
    /// Its host names, to be looked up now and then outside.
    pub hosts: Box<[Box<str>]>,
    /// What they were found to be last.
    pub resolved: Box<[IpAddr]>,
    /// What its numbers begin with, a secret between us; stripped before routing.
    pub prefix: Box<str>,
    /// Its digest user name.
    pub username: Option<Box<str>>,
    /// Its digest secrets.
    pub ha1: Option<Ha1s>,
    /// Which digest algorithms it is offered.
    pub algorithms: Algorithms,
    /// Who pays; `None` is a carrier that reaches our numbers only, for free.
    pub account: Option<AccountId>,
    /// Where the number dialled stands.
    pub number_from: NumberFrom,
    /// Completes its numbers; `None` takes them as they are.
    pub country: Option<Country>,
    /// Shown where it sends no usable caller id.
    pub default_number: Option<E164>,
    /// May it name its caller by P-Asserted-Identity?
    pub trusted_identity: bool,
    /// Calls at a time; `None` is unlimited.
    pub max_lines: Option<u32>,
    /// The same outside peak hours; `None` is as in peak hours.
    pub max_lines_offpeak: Option<u32>,
    /// A disabled one is a stranger.
    pub enabled: bool,
    /// Grows with every change of its secret.
    pub credential_version: u32,
}

/// Which header's user part is the number dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberFrom {
    /// The Request-URI, as RFC 3261 means it.
    #[default]
    Uri,
    /// The To header, as some carriers do when the Request-URI names our account with them.
    To,
}

impl Ingress {
    /// An enabled DID carrier known by its address.
    pub fn new(id: TrunkId, name: &str, auth: AuthMode) -> Ingress {
        Ingress {
            id,
            name: name.into(),
            auth,
            sources: Box::default(),
            hosts: Box::default(),
            resolved: Box::default(),
            prefix: Box::default(),
            username: None,
            ha1: None,
            algorithms: Algorithms::ALL,
            account: None,
            number_from: NumberFrom::Uri,
            country: None,
            default_number: None,
            trusted_identity: false,
            max_lines: None,
            max_lines_offpeak: None,
            enabled: true,
            credential_version: 0,
        }
    }

    /// Where it may come from, host names as they were found last.
    pub fn all_sources(&self) -> impl Iterator<Item = Source> + '_ {
        self.sources.iter().copied().chain(self.resolved.iter().map(|address| Source::host(*address)))
    }

    /// Does it lack what its way of proof asks for? Asked before it is stored: a trunk that nobody can be is a mistake, one
    /// that anybody can be is worse.
    pub fn lacks(&self, risk_accepted: bool) -> Option<Lack> {
        const PREFIX_MIN: usize = 4;
        let has_port = || self.sources.iter().any(|source| source.port.is_some());
        if self.auth.is_risky() && !risk_accepted {
            Some(Lack::Risk(self.auth))
        } else if self.auth.wants_source() && self.sources.is_empty() && self.hosts.is_empty() {
            Some(Lack::Source(self.auth))
        } else if self.auth.wants_port() && !has_port() {
            Some(Lack::Port)
        } else if self.auth.wants_prefix() && self.prefix.is_empty() {
            Some(Lack::Prefix)
        } else if self.auth == AuthMode::Prefix && self.prefix.len() < PREFIX_MIN {
            Some(Lack::LongerPrefix(PREFIX_MIN))
        } else if self.auth.wants_username() && self.username.is_none() {
            Some(Lack::Username(self.auth))
        } else if self.auth.wants_digest() && self.ha1.is_none() {
            Some(Lack::Password(self.auth))
        } else {
            None
        }
    }
}

/// What a trunk lacks for its way of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// It proves nothing.
    #[error("authentication {0} proves nothing, anyone could send calls by this trunk; it has to be forced")]
    Risk(AuthMode),
    /// No address.
    #[error("authentication {0} needs an address, network or host name")]
    Source(AuthMode),
    /// No port.
    #[error("authentication ip-port needs an address with port, such as 192.0.2.1:5060")]
    Port,
    /// No prefix.
    #[error("this authentication needs a prefix")]
    Prefix,
    /// A prefix that is guessed at once.
    #[error("a prefix that is the only proof needs at least {0} characters")]
    LongerPrefix(usize),
    /// No user name.
    #[error("authentication {0} needs a user name")]
    Username(AuthMode),
    /// No password.
    #[error("authentication {0} needs a password")]
    Password(AuthMode),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ha1::Ha1s;

    #[test]
    fn a_trunk_has_what_its_proof_asks_for() {
        //   mode, source, prefix, username, password, forced → what is missing
        for (mode, source, prefix, username, password, forced, lack) in [
            ("ip", "192.0.2.1", "", "", false, false, None),
            ("ip", "", "", "", false, false, Some(Lack::Source(AuthMode::Ip))),
            ("ip-port", "192.0.2.1", "", "", false, false, Some(Lack::Port)),
            ("ip-port", "192.0.2.1:5060", "", "", false, false, None),
            ("ip+prefix", "192.0.2.1", "", "", false, false, Some(Lack::Prefix)),
            ("ip+prefix", "192.0.2.1", "9", "", false, false, None),
            ("prefix", "", "99#", "", false, false, Some(Lack::LongerPrefix(4))),
            ("prefix", "", "7788", "", false, false, None),
            ("digest", "", "", "", true, false, Some(Lack::Username(AuthMode::Digest))),
            ("digest", "", "", "peer", false, false, Some(Lack::Password(AuthMode::Digest))),
            ("digest", "", "", "peer", true, false, None),
            ("open", "", "", "", false, false, Some(Lack::Risk(AuthMode::Open))),
            ("open", "", "", "", false, true, None),
        ] {
            let mut trunk = Ingress::new(TrunkId(1), "t", mode.parse().unwrap());
            trunk.sources = source.split_whitespace().map(|source| source.parse().unwrap()).collect();
            trunk.prefix = prefix.into();
            trunk.username = (!username.is_empty()).then(|| username.into());
            trunk.ha1 = password.then_some(Ha1s { md5: [0; 16], sha256: [0; 32], sha512_256: [0; 32] });
            assert_eq!(trunk.lacks(forced), lack, "{mode} {source} {prefix} {username}");
        }
    }
}
