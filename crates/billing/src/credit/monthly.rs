//! A limit on a month's spend, which grows with each month the account is used.

use tollgate_types::{Money, Rule};

use super::{Claim, Finding, Standing, Value};
use crate::calendar::Day;

const SETTING: &str = "account.monthly_limit";

pub(super) fn find(claim: &Claim<'_>) -> Option<Finding> {
    let limit = limit(&claim.standing)?;
    let before = claim.before.map(|hold| hold.by_month()).unwrap_or_default();
    let mut finding = None;
    for (month, money) in claim.after.by_month() {
        let held = before.iter().find(|(known, _)| *known == month).map_or(Money::ZERO, |(_, money)| *money);
        let asked = money.saturating_sub(held);
        let would = claim.standing.windows.used_in(month).saturating_add(asked);
        let passes = would <= limit || asked <= Money::ZERO;
        finding = Some(Finding {
            rule: Rule::MonthlyLimit,
            setting: Some(SETTING),
            observed: Value::Money(would),
            limit: Value::Money(limit),
            passes,
            day: None,
        });
        if !passes {
            break;
        }
    }
    finding
}

pub(super) fn room(standing: &Standing<'_>, day: Day) -> Option<Money> {
    Some(limit(standing)?.saturating_sub(standing.windows.used_in(day.month())))
}

/// The limit as it has grown.
pub fn limit(standing: &Standing<'_>) -> Option<Money> {
    standing.row.terms.monthly_limit_after(standing.windows.active_months)
}
