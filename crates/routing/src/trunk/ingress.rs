//! A trunk that sends calls to us.

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
    /// Where it may come from: addresses and networks, and what its host names were resolved to.
    pub sources: Box<[Source]>,
    /// Its host names, to be looked up again outside.
    pub hosts: Box<[Box<str>]>,
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
            enabled: true,
            credential_version: 0,
        }
    }
}
