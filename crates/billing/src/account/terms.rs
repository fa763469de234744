//! What an operator agrees with an account. An absent limit is no limit, or the class default where there is one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tollgate_types::{AccountId, Currency, Money, Rate};

use crate::calendar::Zone;

/// The terms of one account. Amounts are in its own currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTerms {
    /// Whose class defaults apply.
    pub kind: AccountKind,
    /// How far it may go.
    pub mode: Mode,
    /// What it pays in.
    pub currency: Currency,
    /// Where its days turn. A new zone takes effect at the next turn of the old.
    pub zone: Zone,
    /// The reseller it belongs to.
    pub parent: Option<AccountId>,
    /// Nothing new starts, nothing is extended.
    pub disabled: bool,
    /// How far below zero a postpaid account may go; `None` = as far as it likes. Prepaid accounts ignore it.
    pub credit_limit: Option<Money>,
    /// Calls at once, in peak time and otherwise unless the next says differently.
    pub max_lines: Option<u32>,
    /// Calls at once in off-peak time and on holidays.
    pub max_lines_offpeak: Option<u32>,
    /// Spend a day.
    pub daily_limit: Option<Money>,
    /// Spend a month, before growth.
    pub monthly_limit: Option<Money>,
    /// What the monthly limit grows by for each month with a billed call.
    pub monthly_increment: Option<Money>,
    /// Where that growth ends.
    pub monthly_ceiling: Option<Money>,
    /// A usual day's spend to start from, before history tells.
    pub dynamic_baseline: Option<Money>,
    /// What all live calls together may cost a minute.
    pub burn_rate: Option<Rate>,
    /// Seconds of talk a day.
    pub talk_day: Option<u64>,
    /// Seconds of talk a month.
    pub talk_month: Option<u64>,
}

/// So many lines, and so much money, are no limit: an operator said `unlimited` where a class default would hold otherwise.
pub const UNLIMITED_LINES: u32 = u32::MAX;
/// See [`UNLIMITED_LINES`].
pub const UNLIMITED: Money = Money::MAX;
/// See [`UNLIMITED_LINES`].
pub const UNLIMITED_RATE: Rate = Rate::from_nanos(i64::MAX);

/// What sort of customer it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// People with phones.
    #[default]
    #[serde(rename = "enduser")]
    EndUser,
    /// A wholesaler who sends us calls by a trunk.
    TrafficSender,
    /// Sells on to accounts of its own.
    Reseller,
}

/// How far an account may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// To zero.
    #[default]
    Prepaid,
    /// To minus its credit limit.
    Postpaid,
}

impl AccountTerms {
    /// The lowest balance it may reach, holds counted as spent; `None` = no floor.
    pub fn floor(&self) -> Option<Money> {
        match self.mode {
            Mode::Prepaid => Some(Money::ZERO),
            Mode::Postpaid => self.credit_limit.map(|limit| Money::ZERO.saturating_sub(limit)),
        }
    }
}

impl Default for AccountTerms {
    /// A prepaid end user in US dollars and UTC without limits of its own.
    fn default() -> AccountTerms {
        AccountTerms {
            kind: AccountKind::EndUser,
            mode: Mode::Prepaid,
            currency: Currency::USD,
            zone: Zone::UTC,
            parent: None,
            disabled: false,
            credit_limit: None,
            max_lines: None,
            max_lines_offpeak: None,
            daily_limit: None,
            monthly_limit: None,
            monthly_increment: None,
            monthly_ceiling: None,
            dynamic_baseline: None,
            burn_rate: None,
            talk_day: None,
            talk_month: None,
        }
    }
}

macro_rules! printed_by_id {
    ($($name:ident { $($variant:ident = $id:literal),* })*) => {$(
        impl $name {
            /// The id that JSON, files and the command line use.
            pub fn id(self) -> &'static str {
                match self { $($name::$variant => $id,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.id())
            }
        }

        impl FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<$name, ()> {
                match text { $($id => Ok($name::$variant),)* _ => Err(()) }
            }
        }
    )*};
}

printed_by_id! {
    AccountKind { EndUser = "enduser", TrafficSender = "traffic-sender", Reseller = "reseller" }
    Mode { Prepaid = "prepaid", Postpaid = "postpaid" }
}
