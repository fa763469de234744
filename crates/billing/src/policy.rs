//! The settings that steer money, as values. Amounts are in the platform's currency.

use std::sync::Arc;
use std::time::Duration;

use tollgate_types::{Currency, Money, Wall};

use crate::account::AccountKind;
use crate::calendar::Calendar;
use crate::currency::{Exchange, RateTable, Rounding};
use crate::source::IpLimits;

/// What the ledger's decision needs besides the rows: the operator's settings, calendar and rates at this moment.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The settings.
    pub policy: Policy,
    /// Peak, off-peak and holidays.
    pub calendar: Arc<Calendar>,
    /// Exchange rates.
    pub exchange: Arc<RateTable>,
}

/// Settings of money and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What amounts in settings are in.
    pub currency: Currency,
    /// Seconds a call must be able to pay for at the start (`credit.min_talk`).
    pub min_talk: u32,
    /// Seconds an extension buys at most (`credit.slice`).
    pub slice: u32,
    /// An extension is worth at most this share of what is free (`credit.slice_share`: 8 = an eighth).
    pub slice_share: u32,
    /// Seconds a hold covers from the INVITE to an answer, whatever price and day it is by then (`credit.ring`).
    pub ring: u32,
    /// Live calls together may spend the daily limit no faster than in this time (`credit.burn_time`).
    pub burn_time: Option<Duration>,
    /// Spend a day of an end user without a limit of its own (`credit.daily.enduser`).
    pub daily_enduser: Option<Money>,
    /// The same for traffic senders (`credit.daily.traffic_sender`).
    pub daily_traffic_sender: Option<Money>,
    /// Who has a dynamic limit (`credit.dynamic.enabled`).
    pub dynamic: DynamicFor,
    /// Never refuse an end user below this (`credit.dynamic.floor.enduser`).
    pub dynamic_floor_enduser: Money,
    /// The same for traffic senders (`credit.dynamic.floor.traffic_sender`).
    pub dynamic_floor_traffic_sender: Money,
    /// Growth allowed within one day, in millionths (`credit.dynamic.multiplier`).
    pub dynamic_multiplier_millionths: i64,
    /// Days of history that count; 0 = all (`credit.dynamic.window`).
    pub dynamic_window: u32,
    /// A day on which the dynamic limit refused blocks the account until an admin accepts it (`credit.dynamic.review`).
    pub dynamic_review: bool,
    /// Calls at a time of one tenant (`tenant.calls_max`).
    pub tenant_calls: Option<u32>,
    /// What one source address may do.
    pub ip: IpLimits,
}

/// Who has a dynamic limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DynamicFor {
    /// Nobody.
    Off,
    /// End users.
    EndUsers,
    /// End users and traffic senders.
    #[default]
    EndUsersAndTrafficSenders,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            currency: Currency::USD,
            min_talk: 10,
            slice: 60,
            slice_share: 8,
            ring: 300,
            burn_time: None,
            daily_enduser: None,
            daily_traffic_sender: None,
            dynamic: DynamicFor::EndUsersAndTrafficSenders,
            dynamic_floor_enduser: Money::from_micros(10_000_000),
            dynamic_floor_traffic_sender: Money::from_micros(100_000_000),
            dynamic_multiplier_millionths: 7_000_000,
            dynamic_window: 90,
            dynamic_review: false,
            tenant_calls: None,
            ip: IpLimits::default(),
        }
    }
}

impl Rules {
    /// An amount of a setting in an account's currency; the bare number where no rate is set.
    pub(crate) fn in_currency(&self, amount: Money, currency: Currency, now: Wall) -> Money {
        match self.exchange.at(self.policy.currency, currency, now) {
            Some(exchange) => exchange.convert(amount, Rounding::Down),
            None => amount,
        }
    }
}

impl Rules {
    /// From an account's currency to the platform's at `at`; the bare number where no rate is set.
    pub fn to_platform(&self, currency: Currency, at: Wall) -> Exchange {
        self.exchange.at(currency, self.policy.currency, at).unwrap_or(Exchange::none(currency))
    }
}

impl DynamicFor {
    /// Does it include accounts of `kind`? Resellers only by a baseline of their own.
    pub fn includes(self, kind: AccountKind) -> bool {
        match self {
            DynamicFor::Off => false,
            DynamicFor::EndUsers => kind == AccountKind::EndUser,
            DynamicFor::EndUsersAndTrafficSenders => kind != AccountKind::Reseller,
        }
    }
}
