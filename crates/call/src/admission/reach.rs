//! Whom the call is for: a number or name that exists, somebody who can be reached, and may be.

use tollgate_routing::dialplan::Destination;
use tollgate_settings::rows::call::SELF_CALL;
use tollgate_types::{Refusal, Rule};

use super::case::{Case, Compared, Finding};

/// The dial plan made something of what was dialled.
pub(super) fn number_is_valid(case: &mut Case<'_>) -> Finding {
    match &case.destination {
        Destination::Invalid(invalid) => Finding::Refuse(invalid.refusal()),
        _ => Finding::Pass(Compared::of(None, case.callee_text(), "")),
    }
}

/// A disabled user is as good as none.
pub(super) fn callee_is_enabled(case: &mut Case<'_>) -> Finding {
    match (&case.destination, &case.callee) {
        (Destination::Outside { .. } | Destination::Emergency { .. } | Destination::Invalid(_), _) => Finding::Skip,
        (_, Some(user)) if user.enabled => Finding::Pass(Compared::of(None, &user.name, "")),
        _ => Finding::Refuse(Refusal::new(Rule::UserUnknown, None, case.callee_text(), "")),
    }
}

/// Where it is known already that no device is there.
pub(super) fn callee_is_online(case: &mut Case<'_>) -> Finding {
    let Some(user) = &case.callee else { return Finding::Skip };
    match (case.facts.devices)(user.id) {
        Some(0) => Finding::Refuse(Refusal::new(Rule::UserOffline, None, &user.name, "")),
        Some(count) => Finding::Pass(Compared::of(None, count, 1)),
        None => Finding::Skip,
    }
}

/// One's own number is busy (`call.self_call`).
pub(super) fn callee_is_another(case: &mut Case<'_>) -> Finding {
    let (Some(user), Some(callee)) = (case.ask.payer.user(), &case.callee) else { return Finding::Skip };
    let allowed = case.facts.values.bool(&SELF_CALL);
    match case.destination.is_self(user) && !allowed {
        true => Finding::Refuse(Refusal::new(Rule::SelfCall, SELF_CALL.name, &callee.name, "")),
        false => Finding::Pass(Compared::of(SELF_CALL.name, &callee.name, allowed)),
    }
}

/// An account, or a redirection, that may reach users of this platform only.
pub(super) fn stays_local(case: &mut Case<'_>) -> Finding {
    let Destination::Outside { number } = &case.destination else { return Finding::Skip };
    if case.ask.local_only {
        let setting = tollgate_settings::rows::call::REDIRECTS.name;
        return Finding::Refuse(Refusal::new(Rule::LocalOnly, setting, number, "local"));
    }
    match case.chain.iter().find(|account| account.local_only) {
        Some(_) => Finding::Refuse(Refusal::new(Rule::LocalOnly, None, number, "local")),
        None => Finding::Pass(Compared::of(None, number, "anywhere")),
    }
}
