//! May this call be tried, and how? One ordered list of rules; the first that refuses is the cause.
//!
//! Nothing here has a side effect: `tollgate explain` asks the same list. Money comes last and is only priced here; what
//! takes it, lines included, is the ledger's hold.

mod capacity;
mod case;
mod destination;
mod facts;
mod identity;
mod plan;
mod price;
mod profit;
mod reach;
mod route;
pub mod rows;
mod state;
mod suspicion;
#[cfg(test)]
mod tests;

pub use facts::{Facts, Load};
pub use plan::{Admission, Candidate, Cost, Plan, PlanAsk};

use tollgate_routing::dialplan::Destination;
use tollgate_routing::directory::Directory;
use tollgate_routing::emergency::Emergencies;
use tollgate_types::{Refusal, Rule};

use crate::party::Party;
use case::{Case, Finding, Who};

/// The list, in the order of [`Rule`]. A rule that needs more facts gets them into [`Facts`]; a new one gets a line here.
const RULES: &[(Rule, Judge)] = &[
    (Rule::Overload, capacity::platform_has_room),
    (Rule::NotAuthorised, state::caller_is_known),
    (Rule::UserDisabled, state::user_is_enabled),
    (Rule::AccountDisabled, state::accounts_are_enabled),
    (Rule::CallerId, identity::caller_may_hide),
    (Rule::NumberInvalid, reach::number_is_valid),
    (Rule::UserUnknown, reach::callee_is_enabled),
    (Rule::UserOffline, reach::callee_is_online),
    (Rule::SelfCall, reach::callee_is_another),
    (Rule::LocalOnly, reach::stays_local),
    (Rule::DestinationBlocked, destination::may_be_called),
    (Rule::ListBlocked, destination::callee_is_not_listed),
    (Rule::ListBlocked, destination::caller_is_not_listed),
    (Rule::CallerBanned, suspicion::caller_is_welcome),
    (Rule::NoRoute, route::there_is_a_way),
    (Rule::NoPrice, price::every_level_has_a_price),
    (Rule::Fraud, suspicion::is_no_fraud),
    (Rule::Unprofitable, profit::some_route_gains),
    (Rule::TooDear, profit::nothing_is_too_dear),
];

/// Looks at a case, and may add to it what it found on the way.
type Judge = fn(&mut Case<'_>) -> Finding;

/// Rules that an emergency call meets too: what they do is needed to make it.
const ALWAYS: &[Rule] = &[Rule::NotAuthorised, Rule::NumberInvalid, Rule::NoRoute, Rule::NoPrice];

/// Does `caller` call for help? Asked before a call is born: what keeps others out lets it in. `dialled` is the Request-URI,
/// `to` the URI in To.
pub fn asks_for_help(
    directory: &Directory,
    emergencies: &Emergencies,
    caller: &Party,
    dialled: &str,
    to: &str,
) -> bool {
    let who = Who::find(caller, directory);
    who.is_some_and(|who| matches!(who.dial(dialled, to, directory, emergencies), Destination::Emergency { .. }))
}

/// Judges an attempt.
pub fn judge(ask: &PlanAsk, facts: &Facts<'_>) -> Admission {
    let mut case = Case::new(ask, facts);
    let mut refusal: Option<Refusal> = None;
    for (rule, judge) in RULES {
        let exempt = case.is_emergency() && !ALWAYS.contains(rule);
        let finding = if exempt { Finding::Skip } else { judge(&mut case) };
        refusal = case.record(*rule, finding);
        if refusal.is_some() {
            break;
        }
    }
    let callee = case.callee_text();
    let caller = identity::caller_text(&case);
    let payer = price::payer(&case);
    let verdict = match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(Box::new(price::plan(&mut case))),
    };
    Admission { verdict, trace: case.trace, callee, caller, payer }
}
