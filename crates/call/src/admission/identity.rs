//! What the callee is told of the caller. A claim is worth only what its maker is trusted with; a user's name never
//! reaches a carrier.

use tollgate_routing::format::{self, CallerNumbers, ShownCaller};
use tollgate_routing::trunk::{Egress, Ingress};
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
    match &case.shown {
        Some(Who::User(user)) => asked_number(case, user).or(user.caller_id),
        Some(Who::Trunk(trunk)) => trunk_number(case, trunk),
        None => None,
    }
}

/// Who called, for the CDR.
pub(super) fn caller_text(case: &Case<'_>) -> Box<str> {
    match &case.shown {
        Some(Who::User(user)) => user.name.clone(),
        Some(Who::Trunk(trunk)) => {
            trunk_number(case, trunk).map_or_else(|| clean(&case.ask.claim.user), |number| number.digits().into())
        }
        None => clean(&case.ask.claim.user),
    }
}

/// What a device of ours is told: a number or name that it can call back.
pub(super) fn for_user(case: &Case<'_>, callee: &User) -> Identity {
    let claim = &case.ask.claim;
    let (user, display): (Box<str>, Box<str>) = match &case.shown {
        Some(Who::User(caller)) => {
            let same_house = caller.tenant == callee.tenant;
            let short = caller.extension.clone().filter(|_| same_house);
            let number = caller.caller_id.map(|number| Box::<str>::from(number.digits()));
            let name = short.or_else(|| if same_house { Some(caller.name.clone()) } else { number });
            (name.unwrap_or_else(|| caller.name.clone()), clean(&claim.display))
        }
        Some(Who::Trunk(trunk)) => {
            let number = trunk_number(case, trunk).map_or_else(|| "anonymous".into(), |number| number.digits().into());
            (number, clean(&claim.display))
        }
        None => ("anonymous".into(), Box::default()),
    };
    Identity { user, display, asserted: None, withheld: claim.withheld }
}

/// What a carrier is told: a number in its format, or nobody.
pub(super) fn for_trunk(case: &Case<'_>, trunk: &Egress) -> Identity {
    let emergency = case.is_emergency();
    let account = case.chain.first().and_then(|account| account.main_number);
    let numbers = match &case.shown {
        Some(Who::User(user)) => CallerNumbers { asked: asked_number(case, user), own: user.caller_id, account },
        Some(Who::Trunk(ingress)) => CallerNumbers { asked: trunk_number(case, ingress), own: None, account },
        None => CallerNumbers { account, ..CallerNumbers::default() },
    };
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

/// The number that a user asks to show, if it may be shown.
fn asked_number(case: &Case<'_>, user: &User) -> Option<E164> {
    let claim = &case.ask.claim;
    let text = claim.asserted.as_deref().unwrap_or(&claim.user);
    let country = case.facts.directory.country_of(user);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number = match country {
        Some(country) if !text.starts_with('+') => country.complete(digits),
        _ => digits.parse().ok(),
    }?;
    let may_show = match case.facts.values.word(&CALLER_ID_CHANGE) {
        "free" => true,
        "verified" => user.owns(&number) || user.verified.contains(&number),
        _ => user.owns(&number),
    };
    may_show.then_some(number)
}

/// The caller's number as a trunk tells it.
fn trunk_number(case: &Case<'_>, trunk: &Ingress) -> Option<E164> {
    let claim = &case.ask.claim;
    let asserted = claim.asserted.as_deref().filter(|_| trunk.trusted_identity);
    let text = asserted.unwrap_or(&claim.user);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number = match trunk.country {
        Some(country) if !text.starts_with('+') => country.complete(digits),
        _ => digits.parse().ok(),
    };
    number.or(trunk.default_number)
}

/// Text of a stranger's, fit to be shown: no controls, not endless.
fn clean(text: &str) -> Box<str> {
    text.chars().filter(|char| !char.is_control()).take(64).collect::<String>().into()
}
