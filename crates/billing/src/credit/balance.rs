//! Balance less what live calls hold never falls below the floor: zero for prepaid, minus the credit limit for postpaid.

use tollgate_types::{Money, Rule};

use super::{Claim, Finding, Standing, Value};
use crate::account::Mode;
use crate::calendar::Day;

pub(super) fn find(claim: &Claim<'_>) -> Option<Finding> {
    let needed = claim.after.held.saturating_sub(claim.before.map_or(Money::ZERO, |hold| hold.held));
    let free = room(&claim.standing, claim.standing.windows.today)?;
    Some(Finding {
        rule: Rule::Credit,
        setting: match claim.standing.row.terms.mode {
            Mode::Prepaid => None,
            Mode::Postpaid => Some("account.credit_limit"),
        },
        observed: Value::Money(needed),
        limit: Value::Money(free.max(Money::ZERO)),
        passes: needed <= free || needed == Money::ZERO,
        day: None,
    })
}

pub(super) fn room(standing: &Standing<'_>, _: Day) -> Option<Money> {
    let state = &standing.row.state;
    let floor = standing.row.terms.floor()?;
    Some(state.balance.saturating_sub(state.held).saturating_sub(floor))
}
