//! Where an account stands: balance, holds, windows of days and months, head of its chain of entries.

use serde::{Deserialize, Serialize};
use tollgate_types::{Money, Rate, Wall};

use super::{DayWindow, MonthWindow, Peaks};
use crate::calendar::{Day, Zone};
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
    /// Days and months; `None` until the account is first used.
    pub windows: Option<Windows>,
}

/// Days and months of one account in its zone; a store keeps them as one JSON column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// The zone in force; a new one of the terms waits for the next turn.
    pub zone: Zone,
    /// The day it is.
    pub today: Day,
    /// When the next one begins.
    pub turns_at: Wall,
    /// The highest contribution of closed days, frozen when today began.
    pub baseline: Money,
    /// What closed days contributed.
    pub peaks: Peaks,
    /// Days by date.
    pub days: Vec<DayWindow>,
    /// Months by date.
    pub months: Vec<MonthWindow>,
    /// Months with a billed call that are over: the monthly limit has grown so often.
    pub active_months: u32,
    /// The dynamic limit refused or cut, and nobody has looked yet.
    pub needs_review: bool,
}
