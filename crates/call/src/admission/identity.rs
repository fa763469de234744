//! What the callee is told of the caller. A claim is worth only what its maker is trusted with; a user's name never
//! reaches a carrier.

use tollgate_routing::dialplan;
use tollgate_routing::format::{self, CallerNumbers, ShownCaller};
use tollgate_routing::identity::{self, MayShow};
use tollgate_routing::trunk::Egress;
use tollgate_routing::user::User;
use tollgate_settings::rows::call::{ANONYMOUS, CALLER_ID_CHANGE};
use tollgate_types::{E164, Refusal, Rule};

use super::case::{Case, Compared, Finding, Who};
use crate::party::Identity;

/// An authenticated caller may withhold his number where the operator lets him.
pub(super) fn caller_may_hide(case: &mut Case<'_>) -> Finding {
    let allowed = case.facts.values.bool(&ANONYMOUS);
    if case.ask.claim.withheld && !allowed {
        return Finding::Refuse(Refusal::new(Rule::CallerId, ANONYMOUS.name, "anonymous", ""));
    }
    Finding::Pass(Compared::of(ANONYMOUS.name, if case.ask.claim.withheld { "anonymous" } else { "shown" }, allowed))
}

/// The number that calls, as it is shown and listed.
pub(super) fn caller_number(case: &Case<'_>) -> Option<E164> {
    let CallerNumbers { asked, own, .. } = numbers(case);
    asked.or(own)
}

/// Who called, for the CDR.
pub(super) fn caller_text(case: &Case<'_>) -> Box<str> {
    match &case.shown {
        Some(Who::User(user)) => user.name.clone(),
        Some(Who::Trunk(_)) => {
            caller_number(case).map_or_else(|| clean(&case.ask.claim.user), |number| number.digits().into())
        }
        None => clean(&case.ask.claim.user),
    }
}

/// What a device of ours is told: a number or name that it can call back.
pub(super) fn for_user(case: &Case<'_>, callee: &User) -> Identity {
    let claim = &case.ask.claim;
    let CallerNumbers { asked, own, account } = numbers(case);
    let (user, display): (Box<str>, Box<str>) = match &case.shown {
        Some(Who::User(caller)) => {
            let same_house = caller.tenant == callee.tenant;
            let short = caller.extension.clone().filter(|_| same_house);
            let number = asked.or(own).or(account).map(|number| Box::<str>::from(number.digits()));
            let name = short.or_else(|| if same_house { Some(caller.name.clone()) } else { number });
            (name.unwrap_or_else(|| caller.name.clone()), clean(&claim.display))
        }
        Some(Who::Trunk(_)) => {
            let number = asked.or(own).map_or_else(|| "anonymous".into(), |number| number.digits().into());
            (number, clean(&claim.display))
        }
        None => ("anonymous".into(), Box::default()),
    };
    Identity { user, display, asserted: None, withheld: claim.withheld }
}

/// What a carrier is told: a number in its format, or nobody.
pub(super) fn for_trunk(case: &Case<'_>, trunk: &Egress) -> Identity {
    let emergency = case.is_emergency();
    let numbers = numbers(case);
    let withheld = case.ask.claim.withheld;
    let shown = |withheld| {
        format::caller_id(&trunk.caller_id_format, &numbers, trunk.default_number, trunk.country, withheld, emergency)
    };
    match shown(withheld) {
        ShownCaller::Number(number) => {
            let number: Box<str> = number.into();
            let asserted = trunk.assert_identity.then(|| number.clone());
            Identity { user: number, display: Box::default(), asserted, withheld: false }
        }
        // RFC 3325 §7: a carrier of our trust domain still learns who pays for the call, and is asked to tell nobody.
        ShownCaller::Anonymous => {
            let asserted = match shown(false) {
                ShownCaller::Number(number) if withheld && trunk.assert_identity => Some(number.into()),
                _ => None,
            };
            Identity { user: "anonymous".into(), display: Box::default(), asserted, withheld: true }
        }
    }
}

/// The numbers that may stand for the caller.
fn numbers(case: &Case<'_>) -> CallerNumbers {
    let claim = &case.ask.claim;
    let claim = identity::Claim { from_user: &claim.user, asserted: claim.asserted.as_deref() };
    let caller = match &case.shown {
        Some(Who::User(user)) => dialplan::Caller::User(user),
        Some(Who::Trunk(trunk)) => dialplan::Caller::Trunk(trunk),
        None => return CallerNumbers::default(),
    };
    identity::numbers(
        case.facts.directory,
        caller,
        claim,
        MayShow::from_word(case.facts.values.word(&CALLER_ID_CHANGE)),
    )
}

/// Text of a stranger's, fit to be shown: no controls, not endless.
fn clean(text: &str) -> Box<str> {
    text.chars().filter(|char| !char.is_control()).take(64).collect::<String>().into()
}
