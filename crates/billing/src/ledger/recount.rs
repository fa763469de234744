//! The sums an account carries, counted again: what is held from its live holds, what was spent from its records.

use std::collections::BTreeMap;

use tollgate_types::{Money, Rate};

use crate::account::AccountRow;
use crate::calendar::{Day, Month};
use crate::cdr::LevelCharge;
use crate::hold::{HoldRow, LevelHold};

/// A sum that is not what its parts say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Which sum: `held`, `burning`, `held on 2026-03-01`, `held in 2026-03`.
    pub what: String,
    /// As the account carries it.
    pub carried: String,
    /// As the holds say.
    pub counted: String,
}

/// Compares the days and months that `account` carries with the charges of its records, puts them right, and tells what
/// differed. `charges` must reach back to `from`, the first day of a month; what is older is left alone.
pub fn recount_spend<'a>(
    account: &mut AccountRow,
    charges: impl IntoIterator<Item = &'a LevelCharge>,
    from: Day,
) -> Vec<Drift> {
    let mut days: BTreeMap<Day, (Money, u64)> = BTreeMap::new();
    for charge in charges.into_iter().filter(|charge| charge.account == account.id) {
        for (day, money) in &charge.by_day {
            let sum = &mut days.entry(*day).or_default().0;
            *sum = sum.saturating_add(*money);
        }
        for (day, ms) in &charge.talk_by_day {
            days.entry(*day).or_default().1 += ms;
        }
    }
    let mut months: BTreeMap<Month, (Money, u64)> = BTreeMap::new();
    for (day, (money, ms)) in &days {
        let sums = months.entry(day.month()).or_default();
        *sums = (sums.0.saturating_add(*money), sums.1 + ms);
    }
    let mut drifts = Vec::new();
    let mut right = |when: String, spend: &mut Money, talk_ms: &mut u64, counted: (Money, u64)| {
        for (what, carried, counted) in [
            ("spent", spend.to_string(), counted.0.to_string()),
            ("milliseconds talked", talk_ms.to_string(), counted.1.to_string()),
        ] {
            if carried != counted {
                drifts.push(Drift { what: format!("{what} {when}"), carried, counted });
            }
        }
        (*spend, *talk_ms) = counted;
    };
    if let Some(windows) = &mut account.state.windows {
        for window in windows.days.iter_mut().filter(|window| window.day >= from) {
            let counted = days.get(&window.day).copied().unwrap_or_default();
            right(format!("on {}", window.day), &mut window.spend, &mut window.talk_ms, counted);
        }
        for window in windows.months.iter_mut().filter(|window| window.month >= from.month()) {
            let counted = months.get(&window.month).copied().unwrap_or_default();
            right(format!("in {}", window.month), &mut window.spend, &mut window.talk_ms, counted);
        }
    }
    drifts
}

/// Compares what `account` carries with its live holds, puts it right, and tells what differed.
pub fn recount<'a>(account: &mut AccountRow, holds: impl IntoIterator<Item = &'a HoldRow>) -> Vec<Drift> {
    let levels: Vec<&LevelHold> =
        holds.into_iter().flat_map(|row| &row.levels).filter(|level| level.account == account.id).collect();
    let mut drifts = Vec::new();
    let mut compare = |what: String, carried: String, counted: String| {
        if carried != counted {
            drifts.push(Drift { what, carried, counted });
        }
    };
    let state = &mut account.state;
    let held: Money = levels.iter().map(|level| level.held).sum();
    let burning = Rate::from_nanos(levels.iter().fold(0i64, |sum, level| sum.saturating_add(level.rate.nanos())));
    compare("held".into(), state.held.to_string(), held.to_string());
    compare("burning".into(), state.burning.to_string(), burning.to_string());
    (state.held, state.burning) = (held, burning);
    if let Some(windows) = &mut state.windows {
        for (day, _) in levels.iter().flat_map(|level| &level.days) {
            windows.day_mut(*day);
            windows.month_mut(day.month());
        }
        for window in &mut windows.days {
            let held = levels.iter().map(|level| level.on_day(window.day)).sum();
            compare(format!("held on {}", window.day), window.held.to_string(), Money::to_string(&held));
            window.held = held;
        }
        for window in &mut windows.months {
            let by_month = levels.iter().flat_map(|level| level.by_month());
            let held = by_month.filter(|(month, _)| *month == window.month).map(|(_, money)| money).sum();
            compare(format!("held in {}", window.month), window.held.to_string(), Money::to_string(&held));
            window.held = held;
        }
    }
    drifts
}
