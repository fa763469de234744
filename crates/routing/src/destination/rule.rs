//! One line of an operator's policy: whose calls, to what, may or may not be made.

use std::fmt;
use std::str::FromStr;

use tollgate_types::{AccountId, Prefix};

use super::book::CountryCode;
use super::kind::{Kind, Risk, UnknownWord};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its row.
    pub id: i64,
    /// Whose calls: an account's, or those of a reseller's whole tree; `None` is everybody's.
    pub account: Option<AccountId>,
    /// To what.
    pub target: Target,
    /// May they?
    pub allows: bool,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All numbers.
    All,
    /// Numbers that begin so.
    Prefix(Prefix),
    /// Numbers of a country.
    Country(CountryCode),
    /// Numbers of a kind.
    Kind(Kind),
    /// Numbers of a risk.
    Risk(Risk),
    /// Numbers of a group.
    Group(Box<str>),
}

/// What a group is made of, or what a risk is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Numbers that begin so.
    Prefix(Prefix),
    /// Numbers of a country.
    Country(CountryCode),
}

/// Neither prefix nor country.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a prefix such as 44 nor a country such as GB")]
pub struct NoMember(pub String);

impl Target {
    /// Reads what an operator writes: `all`, a kind, a risk, `group:NAME`, a country's two letters, or digits.
    pub fn parse(text: &str) -> Option<Target> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("all") {
            return Some(Target::All);
        }
        if let Some(name) = text.strip_prefix("group:") {
            return (!name.is_empty()).then(|| Target::Group(name.into()));
        }
        let lower = text.to_ascii_lowercase();
        let kind = lower.parse().map(Target::Kind);
        kind.or_else(|_: UnknownWord| lower.parse().map(Target::Risk)).ok().or_else(|| {
            text.parse().ok().map(|member| match member {
                Member::Prefix(prefix) => Target::Prefix(prefix),
                Member::Country(country) => Target::Country(country),
            })
        })
    }
}

impl FromStr for Member {
    type Err = NoMember;
    fn from_str(text: &str) -> Result<Member, NoMember> {
        let text = text.trim();
        let bad = || NoMember(text.chars().take(40).collect());
        if let Ok(letters) = <[u8; 2]>::try_from(text.as_bytes())
            && letters.iter().all(u8::is_ascii_alphabetic)
        {
            return Ok(Member::Country(letters.map(|letter| letter.to_ascii_uppercase())));
        }
        match text.parse::<Prefix>() {
            Ok(prefix) if !prefix.digits().is_empty() => Ok(Member::Prefix(prefix)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::All => f.write_str("all"),
            Target::Prefix(prefix) => write!(f, "{prefix}"),
            Target::Country(country) => f.write_str(std::str::from_utf8(country).unwrap_or("??")),
            Target::Kind(kind) => write!(f, "{kind}"),
            Target::Risk(risk) => write!(f, "{risk}"),
            Target::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Member::Prefix(prefix) => write!(f, "{prefix}"),
            Member::Country(country) => f.write_str(std::str::from_utf8(country).unwrap_or("??")),
        }
    }
}
