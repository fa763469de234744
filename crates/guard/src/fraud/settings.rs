//! What steers the fraud score: each sign's weight, the two thresholds, and what counts as dear.

use std::time::Duration;

use tollgate_settings::{Literal, Row, Values};
use tollgate_types::Money;

/// All rows of this file.
pub static ROWS: &[&Row] = &[
    &ALERT_AT,
    &BLOCK_AT,
    &BLOCK_FOR,
    &WANGIRI,
    &SEQUENTIAL,
    &CALLER_IDS,
    &NEW_COUNTRY,
    &DEAR,
    &PARALLEL,
    &DEAR_PRICE,
    &SPIKE_FLOOR,
    &SPIKE_FACTOR,
];

const fn weight(name: &'static str, points: i64, help: &'static str) -> Row {
    Row::integer(name, points, 0, 1000, "points").help(help)
}

/// No honest month of ours comes near the block; one full sign alone alerts nobody.
pub static ALERT_AT: Row = Row::integer("fraud.alert_at", 60, 1, 10_000, "points")
    .hardened(Literal::Integer(45))
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Points of the fraud score from which on somebody is told, once a day and account");

/// Takes three signs, or two of the heaviest.
pub static BLOCK_AT: Row = Row::integer("fraud.block_at", 100, 1, 10_000, "points")
    .hardened(Literal::Integer(80))
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Points of the fraud score from which on an account's calls by carriers are refused");

/// A thief comes back; the person who looks does not have to hurry.
pub static BLOCK_FOR: Row = Row::duration(
    "fraud.block_for",
    Duration::from_secs(24 * 3600),
    Duration::from_secs(60),
    Duration::from_secs(90 * 86_400),
)
.off_by_default()
.help("How long such a block lasts; off: until an admin releases it");

/// See [`crate::fraud::Sign::Wangiri`].
pub static WANGIRI: Row = weight(
    "fraud.weight_wangiri",
    50,
    "Points for many short or unanswered calls to many numbers, in full from 19 of 20 calls on",
);
/// See [`crate::fraud::Sign::Sequential`].
pub static SEQUENTIAL: Row = weight(
    "fraud.weight_sequential",
    30,
    "Points for dialling neighbouring numbers one after the other, in full when six of ten numbers have a neighbour",
);
/// See [`crate::fraud::Sign::CallerIds`].
pub static CALLER_IDS: Row = weight(
    "fraud.weight_caller_ids",
    20,
    "Points for showing many foreign caller ids, in full from eight on; not for traffic senders and resellers",
);
/// See [`crate::fraud::Sign::NewCountry`].
pub static NEW_COUNTRY: Row = weight(
    "fraud.weight_new_country",
    40,
    "Points for calls to countries never called before, in full for four numbers between 22 and 6 o'clock, half by day",
);
/// See [`crate::fraud::Sign::Dear`].
pub static DEAR: Row = weight(
    "fraud.weight_dear",
    40,
    "Points for expensive numbers in new countries or twice as dear as any called before, in full from five on",
);
/// See [`crate::fraud::Sign::Parallel`].
pub static PARALLEL: Row = weight(
    "fraud.weight_parallel",
    30,
    "Points for parallel calls into one block of ten thousand numbers, in full from six on",
);

/// Most premium and many island routes lie above, everyday ones below.
pub static DEAR_PRICE: Row = Row::money("fraud.dear_price", 300_000)
    .hardened(Literal::MoneyMicros(150_000))
    .help("Price a minute from which on a number counts as expensive, in the platform's currency");

/// Small change is no spike.
pub static SPIKE_FLOOR: Row = Row::money("fraud.spike_floor", 10_000_000)
    .help("Spend of an account on one country in an hour below which the hourly report raises no alert, in the platform's currency");

/// Against the same hour of 28 days; a Monday is three times a Sunday.
pub static SPIKE_FACTOR: Row = Row::multiplier("fraud.spike_factor", 5_000_000, 1_000_000, 1_000_000_000)
    .may_be_off()
    .hardened(Literal::Millionths(4_000_000))
    .help("How many times the mean of the same hour of the 28 days before is a spike in the hourly report; off: no report");

/// The rows as a score needs them, read once per change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From here on somebody is told.
    pub alert_at: Option<u32>,
    /// From here on calls are refused.
    pub block_at: Option<u32>,
    /// How long; `None` until released.
    pub block_for: Option<Duration>,
    /// What each sign weighs, in the order of [`super::Sign::ALL`].
    pub weights: [u32; 6],
    /// From here on a minute is dear.
    pub dear_price: Money,
}

impl Policy {
    /// Reads the settings.
    pub fn of(values: &Values) -> Policy {
        let points = |row| u32::try_from(values.integer(row)).unwrap_or(u32::MAX);
        let threshold = |row| values.integer_or_off(row).map(|points| u32::try_from(points).unwrap_or(u32::MAX));
        Policy {
            alert_at: threshold(&ALERT_AT),
            block_at: threshold(&BLOCK_AT),
            block_for: values.duration_or_off(&BLOCK_FOR),
            weights: [
                points(&WANGIRI),
                points(&SEQUENTIAL),
                points(&CALLER_IDS),
                points(&NEW_COUNTRY),
                points(&DEAR),
                points(&PARALLEL),
            ],
            dear_price: values.money(&DEAR_PRICE),
        }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::of(&Values::default())
    }
}
