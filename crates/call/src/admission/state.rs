//! Who asks: known, enabled, with accounts in order.

use tollgate_types::{Refusal, Rule};

use super::case::{Case, Compared, Finding, Who};

/// The party that the gate has proven must still be in the directory.
pub(super) fn caller_is_known(case: &mut Case<'_>) -> Finding {
    match &case.who {
        Some(_) => Finding::Pass(Compared::of(None, case.ask.payer.name(), "")),
        None => Finding::Refuse(Refusal::new(Rule::NotAuthorised, None, case.ask.payer.name(), "")),
    }
}

/// A disabled user starts nothing; a disabled trunk is a stranger.
pub(super) fn user_is_enabled(case: &mut Case<'_>) -> Finding {
    match &case.who {
        Some(Who::User(user)) if !user.enabled => {
            Finding::Refuse(Refusal::new(Rule::UserDisabled, None, &user.name, ""))
        }
        Some(Who::User(user)) => Finding::Pass(Compared::of(None, &user.name, "")),
        Some(Who::Trunk(trunk)) if !trunk.enabled => {
            Finding::Refuse(Refusal::new(Rule::NotAuthorised, None, &trunk.name, ""))
        }
        _ => Finding::Skip,
    }
}

/// Every account of the paying chain.
pub(super) fn accounts_are_enabled(case: &mut Case<'_>) -> Finding {
    match case.chain.iter().find(|account| account.terms.disabled) {
        Some(account) => Finding::Refuse(Refusal::new(Rule::AccountDisabled, None, &account.name, "")),
        None if case.chain.is_empty() => Finding::Skip,
        None => Finding::Pass(Compared::of(None, &case.chain[0].name, "")),
    }
}
