//! What all live calls of an account cost a minute, together, ringing ones included.

use tollgate_types::{Money, Rate, Rule};

use super::{Claim, Finding, Standing, Value};
use crate::calendar::Day;

pub(super) fn find(claim: &Claim<'_>) -> Option<Finding> {
    let limit = claim.standing.row.terms.burn_rate?;
    let before = claim.before.map_or(Rate::ZERO, |hold| hold.rate);
    let burning = claim.standing.row.state.burning.nanos();
    let would = burning.saturating_sub(before.nanos()).saturating_add(claim.after.rate.nanos());
    Some(Finding {
        rule: Rule::BurnRate,
        setting: Some("account.burn_rate"),
        observed: Value::Rate(Rate::from_nanos(would)),
        limit: Value::Rate(limit),
        passes: would <= limit.nanos(),
        day: None,
    })
}

/// A rate is no amount: what it leaves room for depends on the call. Only a full one leaves none.
pub(super) fn room(standing: &Standing<'_>, _: Day) -> Option<Money> {
    let limit = standing.row.terms.burn_rate?;
    (standing.row.state.burning >= limit).then_some(Money::ZERO)
}
