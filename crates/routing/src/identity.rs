//! Who a callee or carrier is told is calling. What the caller says of himself is a claim; what comes of it is decided here.

use tollgate_types::E164;

use crate::country::Country;
use crate::dialled::Dialled;
use crate::dialplan::Caller;
use crate::directory::Directory;
use crate::format::{CallerNumbers, ShownCaller, caller_id};
use crate::trunk::Egress;
use crate::user::User;

/// What the caller says of himself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    /// The user part of From.
    pub from_user: &'a str,
    /// The user part of P-Asserted-Identity or Remote-Party-ID: believed from trunks that may name their caller.
    pub asserted: Option<&'a str>,
    /// He asked not to be shown (RFC 3323).
    pub withheld: bool,
}

/// Which caller ids a user may ask for; the setting `call.caller_id_change`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MayShow {
    /// Numbers of his own, numbers that reach him, his account's main number.
    #[default]
    Own,
    /// Those and numbers he has proven to be his; until proofs are kept, the same as his own.
    Verified,
    /// Any number.
    Any,
}

/// Who is shown, and who is asserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user part of From; `None` is anonymous.
    pub shown: Option<String>,
    /// The user part of P-Asserted-Identity; with an anonymous From it goes with `Privacy: id` (RFC 3325 §7).
    pub asserted: Option<String>,
}

impl MayShow {
    /// From the setting's word; what is unknown allows least.
    pub fn from_word(word: &str) -> MayShow {
        match word {
            "free" => MayShow::Any,
            "verified" => MayShow::Verified,
            _ => MayShow::Own,
        }
    }
}

/// The numbers that may stand for `caller`.
pub fn numbers(directory: &Directory, caller: Caller<'_>, claim: Claim<'_>, may: MayShow) -> CallerNumbers {
    match caller {
        Caller::User(user) => {
            let account = directory.account(user.account).and_then(|account| account.main_number);
            let his = |number: &E164| {
                user.owns(number)
                    || account.as_ref() == Some(number)
                    || directory.did(number).is_some_and(|did| did.user == user.id)
            };
            let asked = number_of(claim.from_user, directory.country_of(user));
            let own = user.caller_id.or(user.numbers.first().copied());
            CallerNumbers { asked: asked.filter(|number| may == MayShow::Any || his(number)), own, account }
        }
        Caller::Trunk(trunk) => {
            let asserted = claim.asserted.filter(|_| trunk.trusted_identity);
            let account = trunk.account.and_then(|id| directory.account(id)).and_then(|account| account.main_number);
            let asked = asserted.and_then(|user| number_of(user, trunk.country));
            let asked = asked.or_else(|| number_of(claim.from_user, trunk.country));
            CallerNumbers { asked, own: trunk.default_number, account }
        }
    }
}

/// Who a carrier is told is calling. An emergency call always shows a number, if there is any.
pub fn to_carrier(
    directory: &Directory,
    caller: Caller<'_>,
    claim: Claim<'_>,
    may: MayShow,
    carrier: &Egress,
    emergency: bool,
) -> Identity {
    let numbers = numbers(directory, caller, claim, may);
    let show = |withheld| {
        let format = &carrier.caller_id_format;
        match caller_id(format, &numbers, carrier.default_number, carrier.country, withheld, emergency) {
            ShownCaller::Number(number) => Some(number),
            ShownCaller::Anonymous => None,
        }
    };
    let asserted = if carrier.assert_identity { show(false) } else { None };
    Identity { shown: show(claim.withheld), asserted }
}

/// Who one of our users is told is calling: an extension he shares, a number to call back, or at last a user name, which is
/// no secret among our own.
pub fn to_user(directory: &Directory, caller: Caller<'_>, claim: Claim<'_>, may: MayShow, callee: &User) -> Identity {
    if claim.withheld {
        return Identity { shown: None, asserted: None };
    }
    let numbers = numbers(directory, caller, claim, may);
    let number = || numbers.asked.or(numbers.own).or(numbers.account).map(|number| number.to_string());
    let shown = match caller {
        Caller::User(user) => {
            let extension = user.extension.as_deref().filter(|_| user.tenant == callee.tenant).map(str::to_owned);
            extension.or_else(number).or_else(|| Some(user.name.to_string()))
        }
        Caller::Trunk(_) => number(),
    };
    Identity { asserted: shown.clone(), shown }
}

fn number_of(user_part: &str, country: Option<Country>) -> Option<E164> {
    let dialled = Dialled::read(user_part)?;
    let digits = dialled.digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    match country {
        Some(country) if !dialled.global => country.complete(&digits),
        _ => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tollgate_billing::account::AccountTerms;
    use tollgate_types::{AccountId, DidId, Seed, TrunkId, UserId};

    use super::*;
    use crate::auth::AuthMode;
    use crate::did::{Did, DidNumbers};
    use crate::directory::Change;
    use crate::domains::Domains;
    use crate::{Account, Ingress};

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    fn directory() -> Directory {
        let seed = Seed([3; 4]);
        let mut alice = User::new(UserId(1), "alice", AccountId(1));
        alice.country = "HU".parse().ok();
        alice.caller_id = Some(number("3611111111"));
        alice.extension = Some("101".into());
        let did = Did {
            id: DidId(1),
            numbers: DidNumbers::One(number("3622222222")),
            user: UserId(1),
            inbound_deck: None,
            uri: Default::default(),
            enabled: true,
        };
        let account = Account {
            id: AccountId(1),
            name: "acme".into(),
            owner: None,
            terms: Arc::new(AccountTerms::default()),
            deck: None,
            local_only: false,
            main_number: Some(number("3633333333")),
            sell_max: None,
            early_media: None,
        };
        Directory::new(seed, Domains::new("voip.test", [], seed), None).with([
            Change::User(alice),
            Change::User(User::new(UserId(2), "bob", AccountId(2))),
            Change::Did(did),
            Change::Account(account),
        ])
    }

    fn said(identity: Identity) -> String {
        let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        format!("{} {}", or(identity.shown), or(identity.asserted))
    }

    #[test]
    fn a_user_shows_carriers_numbers_of_his_own_or_nobody() {
        let directory = directory();
        let mut carrier = Egress::new(TrunkId(9), "c", "carrier.example".parse().unwrap());
        carrier.assert_identity = true;
        //   user, From, may, withheld, emergency → From and P-Asserted-Identity
        for (user, from, may, withheld, emergency, shown) in [
            (1, "alice", MayShow::Own, false, false, "3611111111 3611111111"),
            (1, "06-22-222222", MayShow::Own, false, false, "3622222222 3622222222"),
            (1, "+3633333333", MayShow::Own, false, false, "3633333333 3633333333"),
            (1, "+442079460000", MayShow::Own, false, false, "3611111111 3611111111"),
            (1, "+442079460000", MayShow::Verified, false, false, "3611111111 3611111111"),
            (1, "+442079460000", MayShow::Any, false, false, "442079460000 442079460000"),
            (1, "alice", MayShow::Own, true, false, "- 3611111111"),
            (1, "alice", MayShow::Own, true, true, "3611111111 3611111111"),
            // bob has no number: his name does not take its place
            (2, "bob", MayShow::Own, false, false, "- -"),
            (2, "bob", MayShow::Any, false, false, "- -"),
            (2, "911\r\nX: y", MayShow::Any, false, false, "- -"),
        ] {
            let caller = Caller::User(directory.user(UserId(user)).unwrap());
            // An emergency's claim to be withheld is not heard.
            let claim = Claim { from_user: from, asserted: Some("666"), withheld };
            assert_eq!(said(to_carrier(&directory, caller, claim, may, &carrier, emergency)), shown, "{user} {from:?}");
        }
        carrier.assert_identity = false;
        let caller = Caller::User(directory.user(UserId(1)).unwrap());
        let claim = Claim { from_user: "alice", asserted: None, withheld: true };
        assert_eq!(said(to_carrier(&directory, caller, claim, MayShow::Own, &carrier, false)), "- -");
    }

    #[test]
    fn a_trunk_shows_what_it_sends_and_is_believed_where_it_may_be() {
        let directory = directory();
        let carrier = Egress::new(TrunkId(9), "c", "carrier.example".parse().unwrap());
        for (trusted, from, asserted, shown) in [
            (false, "36305555555", Some("36306666666"), "36305555555"),
            (true, "36305555555", Some("36306666666"), "36306666666"),
            (true, "+36305555555", None, "36305555555"),
            (false, "anonymous", None, "36307777777"),
        ] {
            let mut trunk = Ingress::new(TrunkId(1), "in", AuthMode::Ip);
            (trunk.trusted_identity, trunk.default_number) = (trusted, Some(number("36307777777")));
            let claim = Claim { from_user: from, asserted, withheld: false };
            let told = to_carrier(&directory, Caller::Trunk(&trunk), claim, MayShow::Own, &carrier, false);
            assert_eq!(told.shown.as_deref(), Some(shown), "{from} {asserted:?}");
        }
    }

    #[test]
    fn our_own_see_extensions_and_names() {
        let directory = directory();
        let (alice, bob) = (directory.user(UserId(1)).unwrap(), directory.user(UserId(2)).unwrap());
        let mut stranger = User::new(UserId(3), "carol", AccountId(3));
        stranger.tenant = Some(UserId(8));
        let told = |caller, callee: &User, withheld| {
            let claim = Claim { from_user: "x", asserted: None, withheld };
            said(to_user(&directory, Caller::User(caller), claim, MayShow::Own, callee))
        };
        assert_eq!(told(alice, bob, false), "101 101");
        assert_eq!(told(alice, &stranger, false), "3611111111 3611111111");
        assert_eq!(told(bob, alice, false), "bob bob");
        assert_eq!(told(alice, bob, true), "- -");
    }
}
