//! What all live calls of an account cost a minute, together, ringing ones included.

use tollgate_types::{Money, Rate, Rule};

use super::{Claim, Finding, Standing, Value, daily};
use crate::account::UNLIMITED_RATE;
use crate::calendar::Day;
use crate::currency::narrow;

pub(super) fn find(claim: &Claim<'_>) -> Option<Finding> {
    let (limit, setting) = limit(&claim.standing)?;
    let before = claim.before.map_or(Rate::ZERO, |hold| hold.rate);
    let burning = claim.standing.row.state.burning.nanos();
    let would = burning.saturating_sub(before.nanos()).saturating_add(claim.after.rate.nanos());
    Some(Finding {
        rule: Rule::BurnRate,
        setting: Some(setting),
        observed: Value::Rate(Rate::from_nanos(would)),
        limit: Value::Rate(limit),
        passes: would <= limit.nanos(),
        day: None,
    })
}

/// A rate is no amount: what it leaves room for depends on the call. Only a full one leaves none.
pub(super) fn room(standing: &Standing<'_>, _: Day) -> Option<Money> {
    let (limit, _) = limit(standing)?;
    (standing.row.state.burning >= limit).then_some(Money::ZERO)
}

/// The account's own limit, or its daily limit over the time it must last.
pub(super) fn limit(standing: &Standing<'_>) -> Option<(Rate, &'static str)> {
    if let Some(own) = standing.row.terms.burn_rate {
        return (own < UNLIMITED_RATE).then_some((own, "account.burn_rate"));
    }
    let seconds = i128::from(standing.rules.policy.burn_time?.as_secs().max(1));
    let (daily, _) = daily::limit(standing)?;
    let nanos = i128::from(daily.micros()) * 60_000 / seconds;
    Some((Rate::from_nanos(narrow(nanos)), "credit.burn_time"))
}
