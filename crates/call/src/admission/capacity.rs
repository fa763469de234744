//! What the platform takes on at all: calls at a time, and new ones a second.

use tollgate_billing::cdr::CallKind;
use tollgate_settings::rows::platform::{CALLS, PACE, TENANT_PACE};
use tollgate_types::{Refusal, Rule};

use super::case::{Case, Compared, Finding, Who};

/// Only new calls are asked: a redirect or transfer belongs to one that was let in. The calls of a tenant are lines, which the
/// ledger counts over all nodes.
pub(super) fn platform_has_room(case: &mut Case<'_>) -> Finding {
    if case.ask.kind != CallKind::Internal {
        return Finding::Skip;
    }
    let load = case.facts.load;
    let is_tenants = match &case.who {
        Some(Who::User(user)) => user.tenant.is_some(),
        Some(Who::Trunk(trunk)) => trunk.account.is_some(),
        None => false,
    };
    let asked =
        [(&CALLS, load.calls, true), (&PACE, load.begun, true), (&TENANT_PACE, load.begun_by_tenant, is_tenants)];
    for (row, seen, applies) in asked {
        let Some(most) = case.facts.values.integer_or_off(row).filter(|_| applies) else { continue };
        let most = u64::try_from(most).unwrap_or(0);
        if seen > most {
            return Finding::Refuse(Refusal::new(Rule::Overload, row.name, seen, most));
        }
    }
    Finding::Pass(Compared::of(CALLS.name, load.calls, ""))
}
