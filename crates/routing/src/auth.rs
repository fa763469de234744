//! How a user or trunk proves itself: factors that must all hold.

use std::fmt;
use std::str::FromStr;

/// A way of proof. The guide's number of each is what imports carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthMode {
    /// Nothing at all: anyone may call. Needs the risk flag; never in the profile `hardened`.
    Open,
    /// The address.
    Ip,
    /// A secret prefix of the number.
    Prefix,
    /// The address and the prefix.
    IpPrefix,
    /// User name and password.
    #[default]
    Digest,
    /// The user name alone, without proof. Needs the risk flag; never in the profile `hardened`.
    Username,
    /// The address and its port.
    IpPort,
    /// The address and the user name.
    IpUsername,
    /// The address, user name and password.
    IpDigest,
    /// A network.
    Range,
    /// A network, user name and password.
    RangeDigest,
}

impl AuthMode {
    /// All modes, each at the place of its number in the guide.
    pub const ALL: [AuthMode; 11] = [
        AuthMode::Open,
        AuthMode::Ip,
        AuthMode::Prefix,
        AuthMode::IpPrefix,
        AuthMode::Digest,
        AuthMode::Username,
        AuthMode::IpPort,
        AuthMode::IpUsername,
        AuthMode::IpDigest,
        AuthMode::Range,
        AuthMode::RangeDigest,
    ];

    /// As the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            AuthMode::Open => "open",
            AuthMode::Ip => "ip",
            AuthMode::Prefix => "prefix",
            AuthMode::IpPrefix => "ip+prefix",
            AuthMode::Digest => "digest",
            AuthMode::Username => "username",
            AuthMode::IpPort => "ip-port",
            AuthMode::IpUsername => "ip+username",
            AuthMode::IpDigest => "ip+digest",
            AuthMode::Range => "range",
            AuthMode::RangeDigest => "range+digest",
        }
    }

    /// The mode with this number in the guide.
    pub fn from_number(number: u8) -> Option<AuthMode> {
        AuthMode::ALL.get(usize::from(number)).copied()
    }

    /// Must the source address be one of the known ones?
    pub fn wants_source(self) -> bool {
        matches!(
            self,
            AuthMode::Ip
                | AuthMode::IpPrefix
                | AuthMode::IpPort
                | AuthMode::IpUsername
                | AuthMode::IpDigest
                | AuthMode::Range
                | AuthMode::RangeDigest
        )
    }

    /// Must the source port match as well?
    pub fn wants_port(self) -> bool {
        self == AuthMode::IpPort
    }

    /// Must the number begin with the secret prefix?
    pub fn wants_prefix(self) -> bool {
        matches!(self, AuthMode::Prefix | AuthMode::IpPrefix)
    }

    /// Must the user name be given?
    pub fn wants_username(self) -> bool {
        matches!(self, AuthMode::Username | AuthMode::IpUsername) || self.wants_digest()
    }

    /// Must a challenge be answered?
    pub fn wants_digest(self) -> bool {
        matches!(self, AuthMode::Digest | AuthMode::IpDigest | AuthMode::RangeDigest)
    }

    /// Proves nothing: to be set only by one who says that he knows.
    pub fn is_risky(self) -> bool {
        matches!(self, AuthMode::Open | AuthMode::Username)
    }
}

impl fmt::Display for AuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not a mode of proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no way of authentication: {}", AuthMode::ALL.map(AuthMode::name).join(", "))]
pub struct UnknownMode {
    /// What was given.
    pub given: String,
}

impl FromStr for AuthMode {
    type Err = UnknownMode;
    /// By name or by the guide's number.
    fn from_str(text: &str) -> Result<AuthMode, UnknownMode> {
        let named = AuthMode::ALL.into_iter().find(|mode| mode.name().eq_ignore_ascii_case(text));
        let numbered = || text.parse().ok().and_then(AuthMode::from_number);
        named.or_else(numbered).ok_or_else(|| UnknownMode { given: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_asks_for_its_factors() {
        //     number, name, source, port, prefix, username, digest, risky
        for (number, name, factors) in [
            (0, "open", "-----R"),
            (1, "ip", "s-----"),
            (2, "prefix", "--x---"),
            (3, "ip+prefix", "s-x---"),
            (4, "digest", "---ud-"),
            (5, "username", "---u-R"),
            (6, "ip-port", "sp----"),
            (7, "ip+username", "s--u--"),
            (8, "ip+digest", "s--ud-"),
            (9, "range", "s-----"),
            (10, "range+digest", "s--ud-"),
        ] {
            let mode = AuthMode::from_number(number).unwrap();
            let flags = [
                (mode.wants_source(), 's'),
                (mode.wants_port(), 'p'),
                (mode.wants_prefix(), 'x'),
                (mode.wants_username(), 'u'),
                (mode.wants_digest(), 'd'),
                (mode.is_risky(), 'R'),
            ];
            let shown: String = flags.iter().map(|(on, letter)| if *on { *letter } else { '-' }).collect();
            assert_eq!((mode.name(), shown.as_str()), (name, factors));
            assert_eq!(name.parse::<AuthMode>().unwrap(), mode);
            assert_eq!(number.to_string().parse::<AuthMode>().unwrap(), mode);
        }
        assert!("11".parse::<AuthMode>().is_err());
    }
}
