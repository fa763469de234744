//! A limit on a day's spend learned from history: so many times the highest usual day, but never below a floor.
//!
//! The baseline is frozen when the day begins, else the limit would run away from the spend it is to stop. A day on which
//! this limit refused teaches only what was usual before, until an admin accepts it: an attack never raises tomorrow's limit.

use tollgate_types::{Money, Rule};

use super::{Claim, Finding, Standing, Value};
use crate::account::AccountKind;
use crate::calendar::Day;
use crate::currency::narrow;

const SETTING: &str = "credit.dynamic.multiplier";

pub(super) fn find(claim: &Claim<'_>) -> Option<Finding> {
    let standing = &claim.standing;
    let mut finding = None;
    for (day, _) in &claim.after.days {
        let limit = limit(standing, *day)?;
        let asked = claim.grows_on(*day);
        let review = standing.windows.needs_review && standing.rules.policy.dynamic_review;
        let would = standing.windows.used_on(*day).saturating_add(asked);
        let passes = (would <= limit && !review) || asked <= Money::ZERO;
        finding = Some(Finding {
            rule: Rule::DynamicLimit,
            setting: Some(if review { "credit.dynamic.review" } else { SETTING }),
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
    let limit = limit(standing, day)?;
    if standing.windows.needs_review && standing.rules.policy.dynamic_review {
        return Some(Money::ZERO);
    }
    Some(limit.saturating_sub(standing.windows.used_on(day)))
}

/// The limit on `day`; `None` when the account has none. For a day yet to begin it is what is certain already.
pub fn limit(standing: &Standing<'_>, day: Day) -> Option<Money> {
    let floor = floor(standing)?;
    let multiplier = i128::from(standing.rules.policy.dynamic_multiplier_millionths.max(0));
    let product = i128::from(baseline(standing, day).micros()) * multiplier / 1_000_000;
    Some(floor.max(Money::from_micros(narrow(product))))
}

/// The setting that gives the limit on `day`: the floor, as long as the usual does not pass it.
pub fn limit_from(standing: &Standing<'_>, day: Day) -> Option<&'static str> {
    let (limit, floor) = (limit(standing, day)?, floor(standing)?);
    Some(match standing.row.terms.kind {
        _ if limit > floor => SETTING,
        AccountKind::EndUser => "credit.dynamic.floor.enduser",
        AccountKind::TrafficSender | AccountKind::Reseller => "credit.dynamic.floor.traffic_sender",
    })
}

/// The highest usual day before `day`: learned, or as agreed to start from.
pub fn baseline(standing: &Standing<'_>, day: Day) -> Money {
    let windows = standing.windows;
    let learned = if day <= windows.today {
        windows.baseline
    } else {
        windows.peaks.highest(day, standing.rules.policy.dynamic_window)
    };
    learned.max(standing.row.terms.dynamic_baseline.unwrap_or(Money::ZERO))
}

/// What counts as usual on `day`, for the lesson of a capped day.
pub fn usual(standing: &Standing<'_>, day: Day) -> Option<Money> {
    Some(baseline(standing, day).max(floor(standing)?))
}

/// The floor in the account's currency; `None` when the limit is off for it.
fn floor(standing: &Standing<'_>) -> Option<Money> {
    let (terms, policy) = (&standing.row.terms, &standing.rules.policy);
    let on = policy.dynamic.includes(terms.kind)
        || (terms.kind == AccountKind::Reseller && terms.dynamic_baseline.is_some());
    let floor = match terms.kind {
        AccountKind::EndUser => policy.dynamic_floor_enduser,
        AccountKind::TrafficSender | AccountKind::Reseller => policy.dynamic_floor_traffic_sender,
    };
    on.then(|| standing.rules.in_currency(floor, terms.currency, standing.now))
}
