//! One day of one account: what it spent, what is held against it, and what it may teach the dynamic limit.

use serde::{Deserialize, Serialize};
use tollgate_types::{AccountId, Money};

use crate::calendar::Day;

/// A day still carried with the account: today, yesterday, tomorrow once a call reaches into it, and any earlier day that
/// a live call still holds money of. Each change is also written to the account's history of days, keyed by account and day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayWindow {
    /// Which.
    pub day: Day,
    /// Charged.
    pub spend: Money,
    /// Held by live calls.
    pub held: Money,
    /// Milliseconds talked, of ended calls.
    pub talk_ms: u64,
    /// The dynamic limit refused or cut on this day, when this much (baseline or floor) was usual.
    pub capped: Option<Money>,
    /// An admin looked at it and accepted its spend as usual.
    pub accepted: bool,
}

/// One row of an account's history of days, without what is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayRow {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub day: Day,
    /// Charged.
    pub spend: Money,
    /// Milliseconds talked.
    pub talk_ms: u64,
    /// See [`DayWindow::capped`].
    pub capped: Option<Money>,
    /// See [`DayWindow::accepted`].
    pub accepted: bool,
}

impl DayWindow {
    /// A day on which nothing happened yet.
    pub fn new(day: Day) -> DayWindow {
        DayWindow { day, ..DayWindow::default() }
    }

    /// As history keeps it.
    pub fn row(&self, account: AccountId) -> DayRow {
        let DayWindow { day, spend, talk_ms, capped, accepted, .. } = *self;
        DayRow { account, day, spend, talk_ms, capped, accepted }
    }

    /// What the day teaches: its spend; but a day that was capped only what was usual, until somebody accepts it.
    pub fn contribution(&self) -> Money {
        match self.capped {
            Some(usual) if !self.accepted => self.spend.min(usual),
            _ => self.spend,
        }
    }
}

impl DayRow {
    /// As a window that nothing is held of.
    pub fn window(&self) -> DayWindow {
        let DayRow { day, spend, talk_ms, capped, accepted, .. } = *self;
        DayWindow { day, spend, held: Money::ZERO, talk_ms, capped, accepted }
    }
}
