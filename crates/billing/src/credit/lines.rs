//! Lines: calls at once, ringing and free ones included. Only asked before a call.

use tollgate_types::Rule;

use super::{Finding, Standing, Value};

/// `in_use` of `max` lines: one more?
pub fn find(in_use: u32, max: Option<u32>, setting: &'static str) -> Option<Finding> {
    let max = max?;
    Some(Finding {
        rule: Rule::Lines,
        setting: Some(setting),
        observed: Value::Count(u64::from(in_use)),
        limit: Value::Count(u64::from(max)),
        passes: in_use < max,
        day: None,
    })
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
