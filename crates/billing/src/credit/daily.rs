//! A fixed limit on a day's spend: the account's own, or its class's.

use tollgate_types::{Money, Rule};

use super::{Claim, Finding, Standing, Value};
use crate::account::{AccountKind, UNLIMITED};
use crate::calendar::Day;

pub(super) fn find(claim: &Claim<'_>) -> Option<Finding> {
    let (limit, setting) = limit(&claim.standing)?;
    let mut finding = None;
    for (day, _) in &claim.after.days {
        let asked = claim.grows_on(*day);
        let would = claim.standing.windows.used_on(*day).saturating_add(asked);
        let passes = would <= limit || asked <= Money::ZERO;
        finding = Some(Finding {
            rule: Rule::DailyLimit,
            setting: Some(setting),
            observed: Value::Money(would),
            limit: Value::Money(limit),
            passes,
            day: Some(*day),
        });
        if !passes {
            break;
        }
    }
    finding
}

pub(super) fn room(standing: &Standing<'_>, day: Day) -> Option<Money> {
    Some(limit(standing)?.0.saturating_sub(standing.windows.used_on(day)))
}

/// The limit in force and what sets it.
pub fn limit(standing: &Standing<'_>) -> Option<(Money, &'static str)> {
    let terms = &standing.row.terms;
    if let Some(own) = terms.daily_limit {
        return (own < UNLIMITED).then_some((own, "account.daily_limit"));
    }
    let (default, setting) = match terms.kind {
        AccountKind::EndUser => (standing.rules.policy.daily_enduser, "credit.daily.enduser"),
        AccountKind::TrafficSender => (standing.rules.policy.daily_traffic_sender, "credit.daily.traffic_sender"),
        AccountKind::Reseller => return None,
    };
    Some((standing.rules.in_currency(default?, terms.currency, standing.now), setting))
}
