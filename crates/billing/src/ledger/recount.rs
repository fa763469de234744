//! The sums an account carries, counted again from its live holds.

use tollgate_types::{Money, Rate};

use crate::account::AccountRow;
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
