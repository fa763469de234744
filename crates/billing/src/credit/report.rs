//! Where an account stands, as its owner and the operator read it.

use serde::Serialize;
use tollgate_types::{Money, Rate, Refusal, Wall};

use super::{Claim, Standing, burn_rate, daily, dynamic, monthly};
use crate::account::{AccountRow, Windows};
use crate::calendar::Day;
use crate::hold::LevelHold;
use crate::ledger::disabled;
use crate::policy::Rules;
use crate::price::PricePlan;

/// The figures of one account at one moment, in its currency. An absent limit is no limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The sum of all entries.
    pub balance: Money,
    /// Held by live calls.
    pub reserved: Money,
    /// The smallest room of all money caps.
    pub available: Option<Money>,
    /// What live calls cost a minute.
    pub burning: Rate,
    /// The day it is in the account's zone.
    pub today: Day,
    /// Charged today.
    pub spend_today: Money,
    /// Held today.
    pub held_today: Money,
    /// Charged this month.
    pub spend_month: Money,
    /// Seconds of ended calls today.
    pub talk_today: u64,
    /// Seconds of ended calls this month.
    pub talk_month: u64,
    /// The highest usual day.
    pub dynamic_baseline: Money,
    /// Today's limit learned from it.
    pub dynamic_limit: Option<Money>,
    /// The setting that gives it: the multiplier, or the floor where nothing usual is known yet.
    pub dynamic_limit_from: Option<&'static str>,
    /// What live calls may cost a minute.
    pub burn_rate: Option<Rate>,
    /// The fixed limit in force: the account's own or its class's.
    pub daily_limit: Option<Money>,
    /// What sets it.
    pub daily_limit_from: Option<&'static str>,
    /// The monthly limit as it has grown.
    pub monthly_limit: Option<Money>,
    /// Why not even a millionth can be spent now.
    pub blocked: Option<Refusal>,
}

/// Reads `row` as it stands at `now`; the row itself stays as it is.
pub fn report(row: &AccountRow, rules: &Rules, now: Wall) -> Report {
    let mut windows = row.state.windows.clone().unwrap_or_else(|| Windows::open(&row.terms, now));
    windows.roll(&row.terms, now, rules.policy.dynamic_window);
    let standing = Standing { row, windows: &windows, rules, now };
    let today = windows.today;
    let day = windows.day(today).cloned().unwrap_or_default();
    let month = windows.month(today.month()).cloned().unwrap_or_default();
    let least = Money::from_micros(1);
    let next = LevelHold {
        account: row.id,
        currency: row.terms.currency,
        plan: PricePlan::free(),
        held: least,
        days: vec![(today, least)],
        turns: Vec::new(),
        rate: Rate::ZERO,
    };
    let claim = Claim { standing, before: None, after: &next };
    let blocked = row.terms.disabled.then(disabled).or_else(|| claim.findings().find(|finding| !finding.passes));
    let daily = daily::limit(&standing);
    Report {
        balance: row.state.balance,
        reserved: row.state.held,
        available: standing.available(),
        burning: row.state.burning,
        today,
        spend_today: day.spend,
        held_today: day.held,
        spend_month: month.spend,
        talk_today: day.talk_ms / 1000,
        talk_month: month.talk_ms / 1000,
        dynamic_baseline: dynamic::baseline(&standing, today),
        dynamic_limit: dynamic::limit(&standing, today),
        dynamic_limit_from: dynamic::limit_from(&standing, today),
        burn_rate: burn_rate::limit(&standing).map(|(limit, _)| limit),
        daily_limit: daily.map(|(limit, _)| limit),
        daily_limit_from: daily.map(|(_, setting)| setting),
        monthly_limit: monthly::limit(&standing),
        blocked: blocked.map(|finding| finding.refusal()),
    }
}
