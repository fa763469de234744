//! Quotas of talk time a day and a month. Only asked before a call: running calls are never cut by them.

use tollgate_types::Rule;

use super::{Finding, Standing, Value};

/// Both quotas, as far as the account has them. Reached means spent.
pub fn findings(standing: &Standing<'_>) -> impl Iterator<Item = Finding> {
    let (terms, windows) = (&standing.row.terms, standing.windows);
    let finding = |rule, setting, limit: Option<u64>, talked_ms: u64| {
        limit.map(|limit| Finding {
            rule,
            setting: Some(setting),
            observed: Value::Count(talked_ms / 1000),
            limit: Value::Count(limit),
            passes: talked_ms < limit.saturating_mul(1000),
            day: None,
        })
    };
    let today = windows.day(windows.today).map_or(0, |day| day.talk_ms);
    let month = windows.month(windows.today.month()).map_or(0, |month| month.talk_ms);
    [
        finding(Rule::TalkDay, "account.talk_day", terms.talk_day, today),
        finding(Rule::TalkMonth, "account.talk_month", terms.talk_month, month),
    ]
    .into_iter()
    .flatten()
}
