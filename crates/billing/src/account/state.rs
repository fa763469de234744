//! Where an account stands: balance, holds, windows of days and months, head of its chain of entries.

use serde::{Deserialize, Serialize};
use tollgate_types::{Money, Rate};

use super::Windows;
use crate::calendar::{Day, Month};
use crate::hold::LevelHold;
use crate::ledger::Hash;

/// The part of an account that only the ledger writes. `held`, `burning` and the windows' `held` are the sums over its
/// live holds: they change in the same transaction as the holds do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// The sum of all entries.
    pub balance: Money,
    /// The sum of all live holds.
    pub held: Money,
    /// What all live calls cost a minute.
    pub burning: Rate,
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last one.
    pub head: Hash,
    /// Days and months; `None` until the account is first used. A store keeps them as one JSON column.
    pub windows: Option<Windows>,
}

/// No sum in the books exceeds this, so that sums of sums stay inside 64 bits.
pub(crate) const LARGEST: Money = Money::from_micros(i64::MAX / 8);

/// A sum would leave the books' range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl AccountState {
    /// Exchanges what is held for a call: `before` is lifted, `after` is placed.
    pub(crate) fn exchange(&mut self, before: Option<&LevelHold>, after: Option<&LevelHold>) -> Result<(), TooLarge> {
        let money = |hold: Option<&LevelHold>| hold.map_or(Money::ZERO, |hold| hold.held);
        let rate = |hold: Option<&LevelHold>| hold.map_or(Rate::ZERO, |hold| hold.rate).nanos();
        let held = self.held.saturating_sub(money(before)).saturating_add(money(after));
        let burning = self.burning.nanos().saturating_sub(rate(before)).saturating_add(rate(after));
        if held > LARGEST || money(after) > LARGEST || burning > i64::MAX / 8 {
            return Err(TooLarge);
        }
        (self.held, self.burning) = (held, Rate::from_nanos(burning));
        let Some(windows) = &mut self.windows else { return Ok(()) };
        if let Some(hold) = before {
            windows.count_held(hold, |sum, money| sum.saturating_sub(money));
        }
        if let Some(hold) = after {
            windows.count_held(hold, |sum, money| sum.saturating_add(money));
        }
        Ok(())
    }
}

impl Windows {
    fn count_held(&mut self, hold: &LevelHold, count: impl Fn(Money, Money) -> Money) {
        for (day, money) in &hold.days {
            let window = self.day_mut(*day);
            window.held = count(window.held, *money);
        }
        for (month, money) in hold.by_month() {
            let window = self.month_mut(month);
            window.held = count(window.held, money);
        }
    }

    /// Charged and held on `day`.
    pub fn used_on(&self, day: Day) -> Money {
        self.day(day).map_or(Money::ZERO, |window| window.spend.saturating_add(window.held))
    }

    /// Charged and held in `month`.
    pub fn used_in(&self, month: Month) -> Money {
        self.month(month).map_or(Money::ZERO, |window| window.spend.saturating_add(window.held))
    }
}
