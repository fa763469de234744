//! What one source address may do within a period. Calls and seconds are only asked before a call, money as long as it lasts.

use tollgate_types::{Money, Rule};

use super::{Finding, Value};
use crate::source::{CALLS_MAX, COST_MAX, IpLimits, SECONDS_MAX, Sums};

/// An address as its limits look at it.
#[derive(Clone, Copy, Debug)]
pub struct AddressStanding<'a> {
    /// The limits.
    pub limits: &'a IpLimits,
    /// What it used within the period.
    pub sums: Sums,
    /// What its live calls hold, in the platform's currency.
    pub held: Money,
    /// A new call, and not a leg that somebody's redirect or transfer adds to one.
    pub is_new: bool,
}

/// Calls and seconds, as far as they are limited. Reached means spent.
pub fn counts(standing: &AddressStanding<'_>) -> impl Iterator<Item = Finding> + use<> {
    let AddressStanding { limits, sums, is_new, .. } = *standing;
    let finding = |rule, setting, observed: u64, limit: u64, passes| Finding {
        rule,
        setting: Some(setting),
        observed: Value::Count(observed),
        limit: Value::Count(limit),
        passes,
        day: None,
    };
    let calls = limits.calls_max.filter(|_| is_new);
    let seconds = limits.seconds_max.filter(|_| is_new);
    [
        calls.map(|max| finding(Rule::IpCalls, CALLS_MAX.name, sums.calls, max, sums.calls < max)),
        seconds.map(|max| {
            let passes = sums.talk_ms < max.saturating_mul(1000);
            finding(Rule::IpSeconds, SECONDS_MAX.name, sums.talk_ms / 1000, max, passes)
        }),
    ]
    .into_iter()
    .flatten()
}

/// `asked` more money.
pub fn cost(standing: &AddressStanding<'_>, asked: Money) -> Option<Finding> {
    let limit = standing.limits.cost_max?;
    let would = standing.sums.spend.saturating_add(standing.held).saturating_add(asked);
    Some(Finding {
        rule: Rule::IpCost,
        setting: Some(COST_MAX.name),
        observed: Value::Money(would),
        limit: Value::Money(limit),
        passes: would <= limit || asked <= Money::ZERO,
        day: None,
    })
}

/// What it may still spend; `None` when that is not limited.
pub fn room(standing: &AddressStanding<'_>) -> Option<Money> {
    let used = standing.sums.spend.saturating_add(standing.held);
    Some(standing.limits.cost_max?.saturating_sub(used).max(Money::ZERO))
}
