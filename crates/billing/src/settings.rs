//! The settings of money: registry rows, and how a [`Policy`] is read from them.

use std::time::Duration;

use tollgate_settings::rows::platform::TENANT_CALLS;
use tollgate_settings::{Alias, Literal, Row, Values};
use tollgate_types::Currency;

use crate::policy::{DynamicFor, Policy};
use crate::source::IpLimits;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Every row of this room.
pub static ROWS: &[&Row] = &[
    &MIN_TALK,
    &SLICE,
    &SLICE_SHARE,
    &RING,
    &BURN_TIME,
    &DAILY_ENDUSER,
    &DAILY_TRAFFIC_SENDER,
    &DYNAMIC,
    &DYNAMIC_FLOOR_ENDUSER,
    &DYNAMIC_FLOOR_TRAFFIC_SENDER,
    &DYNAMIC_MULTIPLIER,
    &DYNAMIC_WINDOW,
    &DYNAMIC_REVIEW,
];

/// See [`Policy::min_talk`].
pub static MIN_TALK: Row = Row::duration("credit.min_talk", Duration::from_secs(10), Duration::ZERO, HOUR)
    .help("Talk a call must be able to pay for before it is tried.");

/// See [`Policy::slice`].
pub static SLICE: Row = Row::duration("credit.slice", Duration::from_secs(60), SECOND, HOUR)
    .help("Talk that is paid for at a time while a call runs, at most.");

/// See [`Policy::slice_share`].
pub static SLICE_SHARE: Row = Row::integer("credit.slice_share", 8, 1, 1000, "parts")
    .help("A running call takes at most one of so many parts of what is free at a time, so that parallel calls share.");

/// See [`Policy::ring`].
pub static RING: Row = Row::duration("credit.ring", Duration::from_secs(300), SECOND, HOUR)
    .help("Time from INVITE to answer that held money covers, whatever price and day it is by then.");

/// See [`Policy::burn_time`].
pub static BURN_TIME: Row = Row::duration("credit.burn_time", Duration::from_secs(1800), SECOND, DAY)
    .off_by_default()
    .hardened(Literal::Duration(Duration::from_secs(1800)))
    .help("Live calls of an account together may spend its daily limit no faster than in this time.");

/// See [`Policy::daily_enduser`].
pub static DAILY_ENDUSER: Row = Row::money("credit.daily.enduser", 0)
    .off_by_default()
    .aliases(&[Alias::same("maxdailycreditforenduser").off_at(&[0, -1])])
    .help("Spend a day of an end user without a limit of its own.");

/// See [`Policy::daily_traffic_sender`].
pub static DAILY_TRAFFIC_SENDER: Row = Row::money("credit.daily.traffic_sender", 0)
    .off_by_default()
    .aliases(&[Alias::same("maxdailycreditforts").off_at(&[0, -1])])
    .help("Spend a day of a traffic sender without a limit of its own.");

/// See [`Policy::dynamic`].
pub static DYNAMIC: Row = Row::word("credit.dynamic.enabled", "all", &["off", "endusers", "all"])
    .aliases(&[Alias::levels(
        "checkmaxdyndailycredit",
        &[(0, Literal::Word("off")), (1, Literal::Word("endusers")), (2, Literal::Word("all"))],
    )])
    .help("Who has a daily limit learned from history: nobody, end users, or end users and traffic senders.");

/// See [`Policy::dynamic_floor_enduser`].
pub static DYNAMIC_FLOOR_ENDUSER: Row = Row::money("credit.dynamic.floor.enduser", 10_000_000)
    .aliases(&[Alias::same("maxdyndailycreditforenduser_min")])
    .help("The learned limit never refuses an end user below this spend a day.");

/// See [`Policy::dynamic_floor_traffic_sender`].
pub static DYNAMIC_FLOOR_TRAFFIC_SENDER: Row = Row::money("credit.dynamic.floor.traffic_sender", 100_000_000)
    .aliases(&[Alias::same("maxdynmaxdailycreditforts_min"), Alias::same("maxdyndailycreditforts_min")])
    .help("The learned limit never refuses a traffic sender below this spend a day.");

/// See [`Policy::dynamic_multiplier_millionths`].
pub static DYNAMIC_MULTIPLIER: Row = Row::multiplier("credit.dynamic.multiplier", 7_000_000, 1_000_000, 1_000_000_000)
    .aliases(&[Alias::same("maxdyndailycredit_multiplier")])
    .help("Spend a day may be so many times the highest usual day; below 4 honest customers are refused.");

/// See [`Policy::dynamic_window`].
pub static DYNAMIC_WINDOW: Row = Row::duration(
    "credit.dynamic.window",
    Duration::from_secs(90 * 86_400),
    Duration::ZERO,
    Duration::from_secs(3660 * 86_400),
)
.help("How far back a usual day is looked for; 0 = for ever.");

/// See [`Policy::dynamic_review`].
pub static DYNAMIC_REVIEW: Row = Row::bool("credit.dynamic.review", false)
    .hardened(Literal::Bool(true))
    .help("An account that met its learned limit stays blocked until an admin accepts the day.");

impl Policy {
    /// The settings as they are now; `currency` is the platform's.
    pub fn read(values: &Values, currency: Currency) -> Policy {
        let seconds = |row| u32::try_from(values.duration(row).as_secs()).unwrap_or(u32::MAX);
        let default = Policy::default();
        Policy {
            currency,
            min_talk: seconds(&MIN_TALK),
            slice: seconds(&SLICE),
            slice_share: u32::try_from(values.integer(&SLICE_SHARE)).unwrap_or(default.slice_share),
            ring: seconds(&RING),
            burn_time: values.duration_or_off(&BURN_TIME),
            daily_enduser: values.money_or_off(&DAILY_ENDUSER),
            daily_traffic_sender: values.money_or_off(&DAILY_TRAFFIC_SENDER),
            dynamic: match values.word(&DYNAMIC) {
                "off" => DynamicFor::Off,
                "endusers" => DynamicFor::EndUsers,
                _ => DynamicFor::EndUsersAndTrafficSenders,
            },
            dynamic_floor_enduser: values.money(&DYNAMIC_FLOOR_ENDUSER),
            dynamic_floor_traffic_sender: values.money(&DYNAMIC_FLOOR_TRAFFIC_SENDER),
            dynamic_multiplier_millionths: values
                .multiplier_or_off(&DYNAMIC_MULTIPLIER)
                .map_or(default.dynamic_multiplier_millionths, |factor| factor.millionths()),
            dynamic_window: u32::try_from(values.duration(&DYNAMIC_WINDOW).as_secs().div_ceil(86_400)).unwrap_or(0),
            dynamic_review: values.bool(&DYNAMIC_REVIEW),
            tenant_calls: values.integer_or_off(&TENANT_CALLS).and_then(|calls| u32::try_from(calls).ok()),
            ip: IpLimits::read(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_settings::Registry;

    use super::*;

    #[test]
    fn the_registrys_defaults_are_the_policys() {
        assert_eq!(
            Policy::read(
                &Registry::new(&[ROWS, crate::source::ROWS, tollgate_settings::rows::platform::ROWS]).defaults(),
                Currency::USD
            ),
            Policy::default()
        );
    }

    #[test]
    fn the_guides_names_carry_the_guides_meaning() {
        let registry = Registry::new(&[ROWS]);
        for (name, text, row, stored) in [
            ("CheckMaxDynDailyCredit", "1", "credit.dynamic.enabled", "endusers"),
            ("maxdyndailycredit_multiplier", "4", "credit.dynamic.multiplier", "4"),
            ("maxdyndailycreditforts_min", "150", "credit.dynamic.floor.traffic_sender", "150.000000"),
            ("maxdailycreditforenduser", "-1", "credit.daily.enduser", "off"),
            ("maxdailycreditforts", "2", "credit.daily.traffic_sender", "2.000000"),
        ] {
            let (found, value) = registry.parse(name, text).unwrap();
            assert_eq!((found.name, value.print(found).as_str()), (row, stored), "{name}");
        }
    }
}
