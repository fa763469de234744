//! What a dialled text means to this caller: an emergency, one of us, one of our numbers, or the world outside.

use tollgate_types::{DidId, E164, Refusal, Rule, UserId};

use crate::dialled::Dialled;
use crate::did::DidUri;
use crate::directory::Directory;
use crate::emergency::{self, Emergencies};
use crate::trunk::Ingress;
use crate::user::User;

/// Who dialled.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// A user.
    User(&'a User),
    /// A trunk.
    Trunk(&'a Ingress),
}

/// What the request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// `sip`, `sips`, `tel` or `urn`.
    pub scheme: &'a str,
    /// The user part as it stands, escapes and parameters included; for `tel` and `urn` what follows the scheme. A trunk's
    /// number comes without its secret prefix, see [`crate::trunk::Identified`].
    pub user: &'a str,
    /// The host without port; empty for `tel` and `urn`.
    pub host: &'a str,
}

/// Where a call leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Help: by an emergency route, whatever else holds.
    Emergency {
        /// What was dialled, as carriers take it.
        number: Box<str>,
    },
    /// One of our users.
    User {
        /// Who.
        user: UserId,
        /// The number by which he was reached, if it was one of his own.
        number: Option<E164>,
    },
    /// One of our numbers.
    Did {
        /// Which row.
        did: DidId,
        /// Whom it reaches.
        user: UserId,
        /// The number dialled.
        number: E164,
        /// What his device finds in the Request-URI.
        uri: DidUri,
    },
    /// A number elsewhere: by a trunk.
    Outside {
        /// Which.
        number: E164,
    },
    /// Nowhere.
    Invalid(Invalid),
}

/// Why a dialled text leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The host is not ours.
    ForeignDomain(Box<str>),
    /// A scheme we do not take.
    Scheme(Box<str>),
    /// Neither name nor number.
    Unreadable,
    /// Digits that can be no number, such as more than fifteen, or a star code that nobody has.
    NotDialable(Box<str>),
    /// A name that nobody has.
    NobodyNamed(Box<str>),
    /// A carrier brought a call for a number that is not one of ours.
    NotOurNumber(E164),
}

impl Destination {
    /// Does `caller` reach himself?
    pub fn is_self(&self, caller: UserId) -> bool {
        match self {
            Destination::User { user, .. } | Destination::Did { user, .. } => *user == caller,
            _ => false,
        }
    }
}

impl Invalid {
    /// As the caller, the CDR and the log are told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Invalid::ForeignDomain(host) => Refusal::new(Rule::ForeignDomain, "sip.only_hosted_domains", host, ""),
            Invalid::Scheme(scheme) => Refusal::new(Rule::NumberInvalid, None, scheme, ""),
            Invalid::Unreadable => Refusal::new(Rule::NumberInvalid, None, "an unreadable address", ""),
            Invalid::NotDialable(digits) => Refusal::new(Rule::NumberInvalid, None, digits, ""),
            Invalid::NobodyNamed(name) => Refusal::new(Rule::UserUnknown, None, name, ""),
            Invalid::NotOurNumber(number) => Refusal::new(Rule::UserUnknown, None, number, ""),
        }
    }
}

/// Says what `target` means to `caller`. In this order, the first that fits: emergency, extension of the caller's tenant,
/// user name, number of a user or DID, number outside. A DID carrier reaches numbers of ours alone; a paying trunk names and
/// numbers, no extensions.
pub fn plan(directory: &Directory, emergencies: &Emergencies, caller: Caller<'_>, target: Target<'_>) -> Destination {
    let invalid = Destination::Invalid;
    let may_call_for_help = !matches!(caller, Caller::Trunk(trunk) if trunk.account.is_none());
    let country = match caller {
        Caller::User(user) => directory.country_of(user),
        Caller::Trunk(trunk) => trunk.country,
    };
    let is = |scheme: &str| target.scheme.eq_ignore_ascii_case(scheme);
    if is("urn") {
        let asks_for_help = target.user.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("service:"))
            && emergency::is_service(&format!("urn:{}", target.user));
        return match asks_for_help && may_call_for_help {
            true => Destination::Emergency { number: emergencies.first(country.or(directory.country())).into() },
            false => invalid(Invalid::Scheme("urn".into())),
        };
    }
    if !is("tel") && !is("sip") && !is("sips") {
        return invalid(Invalid::Scheme(target.scheme.chars().take(20).collect()));
    }
    let Some(dialled) = Dialled::read(target.user) else { return invalid(Invalid::Unreadable) };
    if let (Some(digits), false, true) = (&dialled.digits, dialled.global, may_call_for_help)
        && emergencies.is(country.or(directory.country()), digits)
    {
        return Destination::Emergency { number: digits.as_str().into() };
    }
    if !is("tel") && !directory.domains().serves(target.host) {
        return invalid(Invalid::ForeignDomain(target.host.chars().take(80).collect()));
    }
    if let Some(user) = person(directory, caller, &dialled, target.host) {
        return Destination::User { user, number: None };
    }
    let Some(digits) = dialled.digits else { return invalid(Invalid::NobodyNamed(dialled.text.into())) };
    let number = match country {
        _ if !digits.bytes().all(|byte| byte.is_ascii_digit()) => None,
        Some(country) if !dialled.global => country.complete(&digits),
        _ => digits.parse().ok(),
    };
    let Some(number) = number else { return invalid(Invalid::NotDialable(digits.into())) };
    if let Some(did) = directory.did(&number) {
        return Destination::Did { did: did.id, user: did.user, number, uri: did.uri };
    }
    if let Some(user) = directory.user_with_number(&number) {
        return Destination::User { user: user.id, number: Some(number) };
    }
    match caller {
        Caller::Trunk(trunk) if trunk.account.is_none() => invalid(Invalid::NotOurNumber(number)),
        _ => Destination::Outside { number },
    }
}

/// One of us, by extension or name.
fn person(directory: &Directory, caller: Caller<'_>, dialled: &Dialled, host: &str) -> Option<UserId> {
    if dialled.global {
        return None;
    }
    let named = |domain: Option<&str>| directory.user_named(&dialled.text, domain).map(|user| user.id);
    let host = Some(host).filter(|host| !host.is_empty());
    match caller {
        Caller::User(user) => {
            let short = |text: &str| directory.extension(user.tenant, text).map(|user| user.id);
            short(&dialled.text)
                .or_else(|| dialled.digits.as_deref().and_then(short))
                .or_else(|| named(host))
                .or_else(|| named(user.domain.as_deref()))
        }
        Caller::Trunk(trunk) if trunk.account.is_some() => named(host),
        Caller::Trunk(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tollgate_types::{AccountId, Seed, TrunkId};

    use super::*;
    use crate::auth::AuthMode;
    use crate::did::{Did, DidNumbers};
    use crate::directory::Change;
    use crate::domains::Domains;

    fn user(id: i64, name: &str, tenant: i64, extension: &str) -> User {
        let mut user = User::new(UserId(id), name, AccountId(id));
        user.tenant = (tenant > 0).then_some(UserId(tenant));
        user.extension = (!extension.is_empty()).then(|| extension.into());
        user
    }

    fn directory() -> Directory {
        let seed = Seed([3; 4]);
        let domains = Domains::new("voip.test", ["acme.test", "192.0.2.1"], seed);
        let mut alice = user(1, "alice", 0, "101");
        alice.country = "HU".parse().ok();
        alice.numbers = ["3611111111".parse().unwrap()].into();
        let mut acme_bob = user(4, "bob", 9, "101");
        acme_bob.domain = Some("acme.test".into());
        let did = |id, numbers, user, uri| {
            Change::Did(Did { id: DidId(id), numbers, user: UserId(user), inbound_deck: None, uri, enabled: true })
        };
        let number = |text: &str| text.parse::<E164>().unwrap();
        Directory::new(seed, domains, None).with([
            Change::User(alice),
            Change::User(user(2, "bob", 0, "102")),
            Change::User(user(3, "carol", 9, "112")),
            Change::User(acme_bob),
            Change::User(user(5, "36301234567", 0, "*98")),
            did(1, DidNumbers::One(number("3612345678")), 2, DidUri::User),
            did(2, DidNumbers::range(number("3612345000"), number("3612345999")).unwrap(), 3, DidUri::Number),
        ])
    }

    fn shown(destination: &Destination) -> String {
        match destination {
            Destination::Emergency { number } => format!("help {number}"),
            Destination::User { user, number: None } => format!("user {user}"),
            Destination::User { user, number: Some(number) } => format!("user {user} by {number}"),
            Destination::Did { did, user, number, uri } => format!("did {did} user {user} {number} {uri:?}"),
            Destination::Outside { number } => format!("outside {number}"),
            Destination::Invalid(why) => why.refusal().to_string(),
        }
    }

    #[test]
    fn what_people_dial_leads_where_they_mean() {
        let directory = directory();
        let emergencies = Emergencies::new([]);
        //   caller, scheme, user, host → where
        for (caller, scheme, target, host, leads) in [
            // alice lives in Hungary
            (1, "sip", "112", "voip.test", "help 112"),
            (1, "sip", "112", "evil.test", "help 112"),
            (1, "tel", "107", "", "help 107"),
            (1, "urn", "service:sos", "", "help 112"),
            (1, "sip", "bob", "voip.test", "user 2"),
            (1, "sip", "BOB", "VOIP.test", "user 2"),
            (1, "sip", "bob", "acme.test", "user 4"),
            (1, "sip", "bob", "192.0.2.1", "user 2"),
            (1, "sip", "carol", "192.0.2.1", "user 3"),
            (1, "sip", "102", "voip.test", "user 2"),
            (1, "sip", "101", "voip.test", "user 1"),
            (1, "sip", "*98", "voip.test", "user 5"),
            (1, "sip", "*97", "voip.test", "number_invalid: *97 cannot be dialled"),
            (1, "sip", "36301234567", "voip.test", "user 5"),
            (1, "sip", "+36301234567", "voip.test", "outside 36301234567"),
            (1, "sip", "06301112222", "voip.test", "outside 36301112222"),
            (1, "sip", "00442079460000", "voip.test", "outside 442079460000"),
            (1, "sip", "06-1-234 5678", "voip.test", "did 1 user 2 3612345678 User"),
            (1, "tel", "12345001;phone-context=+36", "", "did 2 user 3 3612345001 Number"),
            (1, "sip", "+3611111111", "voip.test", "user 1 by 3611111111"),
            (1, "sip", "mallory", "voip.test", "user_unknown: nobody is known as mallory"),
            (1, "sip", "bob", "evil.test", "foreign_domain: evil.test is not a domain served here"),
            (1, "sip", "1234567890123456", "voip.test", "number_invalid: 1234567890123456 cannot be dialled"),
            (1, "sip", "a%0d%0a", "voip.test", "number_invalid: an unreadable address cannot be dialled"),
            (1, "mailto", "bob", "voip.test", "number_invalid: mailto cannot be dialled"),
            (1, "urn", "isbn:1", "", "number_invalid: urn cannot be dialled"),
            // bob lives nowhere: digits are what they are
            (2, "sip", "06301112222", "voip.test", "outside 06301112222"),
            (2, "sip", "911", "voip.test", "help 911"),
            (2, "sip", "107", "voip.test", "outside 107"),
            // carol's tenant has extensions of its own; its own 112 gives way to help
            (3, "sip", "101", "voip.test", "user 4"),
            (3, "sip", "102", "voip.test", "outside 102"),
            (3, "sip", "112", "voip.test", "help 112"),
        ] {
            let caller_user = directory.user(UserId(caller)).unwrap();
            let found =
                plan(&directory, &emergencies, Caller::User(caller_user), Target { scheme, user: target, host });
            assert_eq!(shown(&found), leads, "user {caller} dials {scheme}:{target}@{host}");
            assert_eq!(found.is_self(UserId(caller)), leads.starts_with(&format!("user {caller}")));
        }
    }

    #[test]
    fn trunks_reach_what_they_may() {
        let directory = directory();
        let emergencies = Emergencies::new([]);
        for (pays, target, leads) in [
            (false, "+3612345678", "did 1 user 2 3612345678 User"),
            (false, "3612345678", "did 1 user 2 3612345678 User"),
            (false, "3611111111", "user 1 by 3611111111"),
            (false, "bob", "user_unknown: nobody is known as bob"),
            (false, "101", "user_unknown: nobody is known as 101"),
            (false, "112", "user_unknown: nobody is known as 112"),
            (false, "36309999999", "user_unknown: nobody is known as 36309999999"),
            (true, "36309999999", "outside 36309999999"),
            (true, "bob", "user 2"),
            (true, "101", "outside 101"),
            (true, "112", "help 112"),
        ] {
            let mut trunk = Ingress::new(TrunkId(1), "peer", AuthMode::Ip);
            trunk.account = pays.then_some(AccountId(1));
            let found = plan(
                &directory,
                &emergencies,
                Caller::Trunk(&trunk),
                Target { scheme: "sip", user: target, host: "voip.test" },
            );
            assert_eq!(shown(&found), leads, "{target}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(scheme in "(sip|tel|urn|.{0,4})", user in ".{0,40}", host in ".{0,20}", caller in 1i64..5) {
            let directory = directory();
            let user_row = directory.user(UserId(caller)).unwrap();
            let target = Target { scheme: &scheme, user: &user, host: &host };
            let found = plan(&directory, &Emergencies::new([]), Caller::User(user_row), target);
            if let Destination::Invalid(why) = found {
                let _ = why.refusal().text();
            }
        }
    }
}
