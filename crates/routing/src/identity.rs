//! The numbers that may stand for a caller. What he says of himself is a claim; what of it is believed is decided here.

use tollgate_types::E164;

use crate::country::Country;
use crate::dialled::Dialled;
use crate::dialplan::Caller;
use crate::directory::Directory;
use crate::format::CallerNumbers;

/// What the caller says of himself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    /// The user part of From.
    pub from_user: &'a str,
    /// The user part of P-Asserted-Identity or Remote-Party-ID: believed from trunks that may name their caller; of a user it is
    /// what he would rather show.
    pub asserted: Option<&'a str>,
}

/// Which caller ids a user may ask for; the setting `call.caller_id_change`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MayShow {
    /// Numbers of his own, numbers that reach him, his account's main number.
    #[default]
    Own,
    /// Those and numbers he has proven to be his.
    Verified,
    /// Any number.
    Any,
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
            let said = claim.asserted.unwrap_or(claim.from_user);
            let asked = number_of(said, directory.country_of(user));
            let may_show = |number: &E164| match may {
                MayShow::Own => his(number),
                MayShow::Verified => his(number) || user.verified.contains(number),
                MayShow::Any => true,
            };
            let own = user.caller_id.or(user.numbers.first().copied());
            CallerNumbers { asked: asked.filter(|number| may_show(number)), own, account }
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
    use crate::{Account, Ingress, User};

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    fn directory() -> Directory {
        let seed = Seed([3; 4]);
        let mut alice = User::new(UserId(1), "alice", AccountId(1));
        alice.country = "HU".parse().ok();
        alice.caller_id = Some(number("3611111111"));
        alice.verified = [number("442079461111")].into();
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

    /// Asked for, own, account's.
    fn told(numbers: CallerNumbers) -> String {
        let or = |number: Option<E164>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        format!("{} {} {}", or(numbers.asked), or(numbers.own), or(numbers.account))
    }

    #[test]
    fn a_user_may_show_numbers_of_his_own() {
        let directory = directory();
        //   user, From, asserted, may → asked, own, account's
        for (user, from_user, asserted, may, numbers_are) in [
            (1, "alice", None, MayShow::Own, "- 3611111111 3633333333"),
            (1, "06-1-1111111", None, MayShow::Own, "3611111111 3611111111 3633333333"),
            // a number that reaches him
            (1, "06-22-222222", None, MayShow::Own, "3622222222 3611111111 3633333333"),
            // his account's
            (1, "+3633333333", None, MayShow::Own, "3633333333 3611111111 3633333333"),
            // what he would rather show
            (1, "alice", Some("+3622222222"), MayShow::Own, "3622222222 3611111111 3633333333"),
            (1, "+442079460000", None, MayShow::Own, "- 3611111111 3633333333"),
            (1, "+442079460000", None, MayShow::Verified, "- 3611111111 3633333333"),
            (1, "+442079461111", None, MayShow::Verified, "442079461111 3611111111 3633333333"),
            (1, "+442079461111", None, MayShow::Own, "- 3611111111 3633333333"),
            (1, "+442079460000", None, MayShow::Any, "442079460000 3611111111 3633333333"),
            // bob has no number: his name does not take its place
            (2, "bob", None, MayShow::Any, "- - -"),
            (2, "911\r\nX: y", None, MayShow::Any, "- - -"),
        ] {
            let caller = Caller::User(directory.user(UserId(user)).unwrap());
            let claim = Claim { from_user, asserted };
            assert_eq!(told(numbers(&directory, caller, claim, may)), numbers_are, "{user} {from_user:?}");
        }
    }

    #[test]
    fn a_trunk_shows_what_it_sends_and_is_believed_where_it_may_be() {
        let directory = directory();
        for (trusted, from_user, asserted, numbers_are) in [
            (false, "36305555555", Some("36306666666"), "36305555555 36307777777 3633333333"),
            (true, "36305555555", Some("36306666666"), "36306666666 36307777777 3633333333"),
            (true, "+36305555555", None, "36305555555 36307777777 3633333333"),
            (false, "anonymous", None, "- 36307777777 3633333333"),
        ] {
            let mut trunk = Ingress::new(TrunkId(1), "in", AuthMode::Ip);
            (trunk.trusted_identity, trunk.default_number) = (trusted, Some(number("36307777777")));
            trunk.account = Some(AccountId(1));
            let claim = Claim { from_user, asserted };
            let own = numbers(&directory, Caller::Trunk(&trunk), claim, MayShow::Own);
            assert_eq!(told(own), numbers_are, "{from_user} {asserted:?}");
        }
    }
}
