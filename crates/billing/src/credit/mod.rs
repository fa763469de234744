//! Caps: one file each, all asked in one decision. Each tells what it compared, so that a refusal, a trace and `explain`
//! say the same.

pub mod address;
mod balance;
mod burn_rate;
mod daily;
pub mod dynamic;
mod finding;
pub mod lines;
mod monthly;
mod report;
pub mod talk;

pub use finding::{Finding, Value};
pub use report::{Report, report};

use tollgate_types::{Money, Wall};

use crate::account::{AccountRow, Windows};
use crate::calendar::Day;
use crate::hold::LevelHold;
use crate::policy::Rules;

/// One account as a cap looks at it: windows rolled to `now`.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The account.
    pub row: &'a AccountRow,
    /// Its days and months.
    pub windows: &'a Windows,
    /// Settings, calendar and rates.
    pub rules: &'a Rules,
    /// When.
    pub now: Wall,
}

/// Money asked of one account: its hold would change from `before` to `after`.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Whose.
    pub standing: Standing<'a>,
    /// What is held for the call now.
    pub before: Option<&'a LevelHold>,
    /// What would be held.
    pub after: &'a LevelHold,
}

/// A cap on money.
struct Cap {
    /// Compares a claim with the limit; `None` when there is no limit.
    find: fn(&Claim<'_>) -> Option<Finding>,
    /// What is left on `day`, however it is asked for; `None` when there is no limit.
    room: fn(&Standing<'_>, Day) -> Option<Money>,
}

/// By precedence. What an address may spend comes before them: see [`address`].
const CAPS: [Cap; 5] = [
    Cap { find: balance::find, room: balance::room },
    Cap { find: burn_rate::find, room: burn_rate::room },
    Cap { find: daily::find, room: daily::room },
    Cap { find: dynamic::find, room: dynamic::room },
    Cap { find: monthly::find, room: monthly::room },
];

impl Claim<'_> {
    /// Every cap that applies, by precedence. Nothing applies to what costs nothing.
    pub fn findings(&self) -> impl Iterator<Item = Finding> + '_ {
        let costs = self.grows() || self.after.rate > tollgate_types::Rate::ZERO;
        CAPS.iter().filter(move |_| costs).filter_map(|cap| (cap.find)(self))
    }

    /// Does it take more money than is held already?
    fn grows(&self) -> bool {
        self.after.held > self.before.map_or(Money::ZERO, |hold| hold.held)
    }

    fn grows_on(&self, day: Day) -> Money {
        self.after.on_day(day).saturating_sub(self.before.map_or(Money::ZERO, |hold| hold.on_day(day)))
    }
}

impl Standing<'_> {
    /// The smallest room of all money caps on `day`, never below nothing; `None` when nothing limits it.
    pub fn available_on(&self, day: Day) -> Option<Money> {
        CAPS.iter().filter_map(|cap| (cap.room)(self, day)).min().map(|room| room.max(Money::ZERO))
    }

    /// The same for today.
    pub fn available(&self) -> Option<Money> {
        self.available_on(self.windows.today)
    }
}
