//! Lines: calls at once, ringing and free ones included. Only asked before a call.

use tollgate_types::Rule;

use super::{Finding, Standing, Value};
use crate::account::{AccountKind, UNLIMITED_LINES};

/// `in_use` of `max` lines: one more?
pub fn find(in_use: u32, max: Option<u32>, setting: &'static str) -> Option<Finding> {
    let max = max.filter(|max| *max < UNLIMITED_LINES)?;
    Some(Finding {
        rule: Rule::Lines,
        setting: Some(setting),
        observed: Value::Count(u64::from(in_use)),
        limit: Value::Count(u64::from(max)),
        passes: in_use < max,
        day: None,
    })
}

/// Calls at a time of a tenant: the lines of the reseller at its top. One more is more than the platform takes on.
pub fn of_tenant(standing: &Standing<'_>, in_use: u32) -> Option<Finding> {
    let terms = &standing.row.terms;
    let max = standing.rules.policy.tenant_calls.filter(|_| terms.kind == AccountKind::Reseller)?;
    let finding = find(in_use, terms.parent.is_none().then_some(max), "tenant.calls_max")?;
    Some(Finding { rule: Rule::Overload, ..finding })
}

/// How many lines the account has at this hour, and what says so.
pub fn of_account(standing: &Standing<'_>) -> (Option<u32>, &'static str) {
    let terms = &standing.row.terms;
    match terms.max_lines_offpeak {
        Some(offpeak) if standing.rules.calendar.is_offpeak(standing.windows.zone, standing.now) => {
            (Some(offpeak), "account.max_lines_offpeak")
        }
        _ => (terms.max_lines, "account.max_lines"),
    }
}
