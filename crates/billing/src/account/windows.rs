//! Days and months of one account, rolled on when they turn.

use serde::{Deserialize, Serialize};
use tollgate_types::{Money, Wall};

use super::{AccountTerms, DayRow, DayWindow, MonthWindow, Peaks};
use crate::calendar::{Day, Month, Zone};
use crate::hold::Turn;

/// Days and months in the account's zone.
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
    /// Days still carried.
    pub days: Vec<DayWindow>,
    /// Months still carried.
    pub months: Vec<MonthWindow>,
    /// Months with a billed call that are over: the monthly limit has grown so often.
    pub active_months: u32,
    /// The dynamic limit refused or cut, and nobody has looked yet.
    pub needs_review: bool,
}

impl Windows {
    /// The first day of an account.
    pub fn open(terms: &AccountTerms, now: Wall) -> Windows {
        Windows {
            zone: terms.zone,
            today: terms.zone.day_of(now),
            turns_at: terms.zone.next_day_turn(now),
            baseline: Money::ZERO,
            peaks: Peaks::default(),
            days: Vec::new(),
            months: Vec::new(),
            active_months: 0,
            needs_review: false,
        }
    }

    /// The windows of an account that has a history, as they stood when the day of `now` began: for who lives through the past again.
    pub fn resume(terms: &AccountTerms, history: &[DayRow], now: Wall, dynamic_window: u32) -> Windows {
        let mut windows = Windows::open(terms, now);
        let today = windows.today;
        for row in history.iter().filter(|row| row.day < today) {
            windows.peaks.learn(row.day, row.window().contribution());
            let month = windows.month_mut(row.day.month());
            month.spend = month.spend.saturating_add(row.spend);
            month.talk_ms += row.talk_ms;
        }
        windows.peaks.forget(today, dynamic_window);
        windows.baseline = windows.peaks.highest(today, dynamic_window);
        windows.grow(today.month());
        windows.months.retain(|window| window.month.next() >= today.month());
        windows
    }

    /// Turns to the day that `now` lies in, if it has not: closed days teach, closed months grow the monthly limit, what no
    /// live call holds is forgotten. A clock that went back turns nothing back.
    pub fn roll(&mut self, terms: &AccountTerms, now: Wall, dynamic_window: u32) {
        if now < self.turns_at {
            return;
        }
        self.zone = terms.zone;
        self.today = self.zone.day_of(now);
        self.turns_at = self.zone.next_day_turn(now);
        let (today, month) = (self.today, self.today.month());
        for day in self.days.iter().filter(|day| day.day < today) {
            self.peaks.learn(day.day, day.contribution());
        }
        self.peaks.forget(today, dynamic_window);
        self.baseline = self.peaks.highest(today, dynamic_window);
        self.grow(month);
        self.days.retain(|day| day.day.next() >= today || day.held > Money::ZERO);
        self.months.retain(|window| window.month.next() >= month || window.held > Money::ZERO);
    }

    /// Adds a charge and talk to a day that may be over already.
    pub fn spend(&mut self, day: Day, money: Money, talk_ms: u64) {
        let today = self.today;
        let window = self.day_mut(day);
        window.spend = window.spend.saturating_add(money);
        window.talk_ms += talk_ms;
        let lesson = window.contribution();
        if day < today {
            self.peaks.learn(day, lesson);
        }
        let month = self.month_mut(day.month());
        month.spend = month.spend.saturating_add(money);
        month.talk_ms += talk_ms;
        self.grow(today.month());
    }

    /// The dynamic limit refused or cut on `day`, when `usual` was usual.
    pub fn cap(&mut self, day: Day, usual: Money) {
        self.needs_review = true;
        let window = self.day_mut(day);
        window.capped.get_or_insert(usual);
    }

    /// An admin accepts what `day` spent as usual; a day that is over counts from now on.
    pub fn accept(&mut self, mut window: DayWindow, dynamic_window: u32) -> DayWindow {
        self.needs_review = false;
        window.accepted = true;
        if let Some(carried) = self.days.iter_mut().find(|carried| carried.day == window.day) {
            carried.accepted = true;
            window = carried.clone();
        }
        if window.day < self.today {
            self.peaks.learn(window.day, window.spend);
            self.baseline = self.baseline.max(self.peaks.highest(self.today, dynamic_window));
        }
        window
    }

    /// The turns that a call meets between `from` and `until`: the day it begins in, then each that begins before `until`.
    pub fn turns(&self, terms: &AccountTerms, from: Wall, until: Wall) -> Vec<Turn> {
        let mut turns = vec![Turn { day: self.day_at(terms, from), from }];
        let mut at = self.next_turn(terms, from);
        while at < until {
            let day = self.day_at(terms, at);
            turns.push(Turn { day, from: at });
            at = self.next_turn(terms, at);
        }
        turns
    }

    /// The first turn of a day after `at`.
    pub fn next_turn(&self, terms: &AccountTerms, at: Wall) -> Wall {
        if at < self.turns_at { self.zone.next_day_turn(at).min(self.turns_at) } else { terms.zone.next_day_turn(at) }
    }

    fn day_at(&self, terms: &AccountTerms, at: Wall) -> Day {
        if at < self.turns_at { self.zone.day_of(at) } else { terms.zone.day_of(at) }
    }

    /// A day, if anything happened on it.
    pub fn day(&self, day: Day) -> Option<&DayWindow> {
        self.days.iter().find(|window| window.day == day)
    }

    /// A month, if anything happened in it.
    pub fn month(&self, month: Month) -> Option<&MonthWindow> {
        self.months.iter().find(|window| window.month == month)
    }

    pub(crate) fn day_mut(&mut self, day: Day) -> &mut DayWindow {
        let at = self.days.iter().position(|window| window.day == day).unwrap_or_else(|| {
            self.days.push(DayWindow::new(day));
            self.days.len() - 1
        });
        &mut self.days[at]
    }

    pub(crate) fn month_mut(&mut self, month: Month) -> &mut MonthWindow {
        let at = self.months.iter().position(|window| window.month == month).unwrap_or_else(|| {
            self.months.push(MonthWindow::new(month));
            self.months.len() - 1
        });
        &mut self.months[at]
    }

    /// Months before `current` with a billed call have grown the limit once each.
    fn grow(&mut self, current: Month) {
        for window in &mut self.months {
            if window.month < current && window.spend > Money::ZERO && !window.grown {
                window.grown = true;
                self.active_months += 1;
            }
        }
    }
}
