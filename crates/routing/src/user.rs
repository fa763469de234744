//! Who registers and calls.

use std::fmt;
use std::str::FromStr;

use tollgate_types::{AccountId, E164, UserId};

use crate::auth::AuthMode;
use crate::country::Country;
use crate::ha1::{Algorithm, Algorithms, Ha1s};
use crate::trunk::Source;

/// A user. Hundreds of thousands are kept in memory, so what is rare is boxed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// His row.
    pub id: UserId,
    /// His SIP user part and digest username. Two names that differ only in case are one.
    pub name: Box<str>,
    /// The hosted domain he lives in, lower case; `None` is the platform's own.
    pub domain: Option<Box<str>>,
    /// Who pays for him.
    pub account: AccountId,
    /// The reseller he belongs to directly.
    pub parent: Option<UserId>,
    /// The reseller at the top of his tree: extensions and black lists are shared below it. `None` is the platform itself.
    pub tenant: Option<UserId>,
    /// What he is.
    pub kind: UserKind,
    /// A disabled user neither registers nor calls.
    pub enabled: bool,
    /// How he proves himself.
    pub auth: AuthMode,
    /// Where he may come from, for the modes that ask it.
    pub sources: Box<[Source]>,
    /// Digest secrets in the platform's realm; `None` where his mode needs none.
    pub ha1: Option<Ha1s>,
    /// Which algorithms he is offered.
    pub algorithms: Algorithms,
    /// What his device answered last, which is offered first.
    pub last_algorithm: Option<Algorithm>,
    /// Short number inside his tenant.
    pub extension: Option<Box<str>>,
    /// Shown to carriers and callees.
    pub caller_id: Option<E164>,
    /// Further numbers of his own: reachable, and allowed as caller id.
    pub numbers: Box<[E164]>,
    /// Numbers that were shown to be his: allowed as caller id where `call.caller_id_change` says so, and nothing more.
    pub verified: Box<[E164]>,
    /// Completes the numbers he dials; `None` inherits the platform's.
    pub country: Option<Country>,
    /// Lines at a time; `None` inherits.
    pub max_lines: Option<u32>,
    /// The same outside peak hours; `None` is as in peak hours.
    pub max_lines_offpeak: Option<u32>,
    /// Grows with every change of his secret or mode: what was proven under an older one proves nothing.
    pub credential_version: u32,
}

/// What a user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserKind {
    /// Has phones.
    #[default]
    EndUser,
    /// Sends calls by a trunk.
    TrafficSender,
    /// Has customers of his own.
    Reseller,
    /// Helps; sees much, changes little.
    Support,
    /// Runs the platform.
    Admin,
}

impl User {
    /// An enabled end user with nothing set.
    pub fn new(id: UserId, name: &str, account: AccountId) -> User {
        User {
            id,
            name: name.into(),
            domain: None,
            account,
            parent: None,
            tenant: None,
            kind: UserKind::EndUser,
            enabled: true,
            auth: AuthMode::Digest,
            sources: Box::default(),
            ha1: None,
            algorithms: Algorithms::ALL,
            last_algorithm: None,
            extension: None,
            caller_id: None,
            numbers: Box::default(),
            verified: Box::default(),
            country: None,
            max_lines: None,
            max_lines_offpeak: None,
            credential_version: 0,
        }
    }

    /// Is `number` his own, so that he may show it?
    pub fn owns(&self, number: &E164) -> bool {
        self.caller_id.as_ref() == Some(number) || self.numbers.contains(number)
    }
}

impl UserKind {
    /// All kinds.
    pub const ALL: [UserKind; 5] =
        [UserKind::EndUser, UserKind::TrafficSender, UserKind::Reseller, UserKind::Support, UserKind::Admin];

    /// As the command line and the database name it.
    pub fn name(self) -> &'static str {
        match self {
            UserKind::EndUser => "enduser",
            UserKind::TrafficSender => "traffic-sender",
            UserKind::Reseller => "reseller",
            UserKind::Support => "support",
            UserKind::Admin => "admin",
        }
    }
}

impl fmt::Display for UserKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not a kind of user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of user: enduser, traffic-sender, reseller, support or admin")]
pub struct UnknownKind(pub String);

impl FromStr for UserKind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<UserKind, UnknownKind> {
        UserKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}
