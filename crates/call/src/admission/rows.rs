//! The settings of destinations, prices and lists.

use std::time::Duration;

use tollgate_routing::destination::{Closed, Kind};
use tollgate_routing::list::{Level, Schooling};
use tollgate_settings::{Alias, Literal, Row, Values};

/// All rows of this file.
pub static ROWS: &[&Row] = &[
    &SATELLITE,
    &PREMIUM,
    &SHARED_COST,
    &REQUIRED,
    &EXACT,
    &UNPRICED_ALERT,
    &PROFIT,
    &BUY_MAX,
    &SELL_MAX,
    &CALLEE_LEVEL,
    &CALLER_LEVEL,
    &FAILURES,
    &FAILURES_LAST,
    &SMART,
];

const BLOCK_OR_ALLOW: &[(i64, Literal)] = &[(0, Literal::Word("allow")), (1, Literal::Word("block"))];

/// Of satellite telephones.
pub static SATELLITE: Row = Row::word("destination.satellite", "block", &["block", "allow"])
    .aliases(&[Alias::levels("blocksatellitecalls", BLOCK_OR_ALLOW)])
    .help("Satellite numbers: refused to whom no destination rule lets through, or allowed to all");

/// Of countries, of codes without a country, and of the imported list.
pub static PREMIUM: Row = Row::word("destination.premium", "block", &["block", "allow"])
    .aliases(&[Alias::levels("blockpremiumnumbers", BLOCK_OR_ALLOW)])
    .help("Premium-rate numbers, international networks (878, 882, 883, 979) and the IRSF list: refused to whom no destination rule lets through, or allowed to all");

/// The caller pays part of what the callee offers.
pub static SHARED_COST: Row = Row::word("destination.shared_cost", "block", &["block", "allow"])
    .help("Shared-cost numbers: refused to whom no destination rule lets through, or allowed to all");

/// The guide's ladder; each step asks what those below it ask.
pub static REQUIRED: Row =
    Row::word("price.required", "any", &["none", "any", "prefix", "own-deck", "as-bought", "whole-chain"])
        .aliases(&[Alias::levels(
            "blocknotbilledcalls",
            &[
                (0, Literal::Word("none")),
                (1, Literal::Word("any")),
                (2, Literal::Word("prefix")),
                (3, Literal::Word("own-deck")),
                (4, Literal::Word("as-bought")),
                (5, Literal::Word("whole-chain")),
            ],
        )])
        .help("What price a call by a trunk needs: none (it is free then), any, one by a prefix (not the deck's rest of the world), in a deck of the account's own, by as many digits as it is bought by, and all that of its resellers too");

/// Compared with the prefix that the first carrier prices the number by.
pub static EXACT: Row = Row::word("price.exact", "off", &["off", "resellers", "all"])
    .aliases(&[Alias::levels(
        "vgetpriceexactmatch",
        &[(0, Literal::Word("off")), (1, Literal::Word("resellers")), (2, Literal::Word("all"))],
    )])
    .help("Whose prices count only when their prefix has as many digits as the one the call is bought by: nobody's, resellers', all");

/// How loud.
pub static UNPRICED_ALERT: Row = Row::word("price.unpriced_alert", "notice", &["notice", "warning", "critical"])
    .aliases(&[Alias::levels(
        "notbilledcallerr",
        &[(0, Literal::Word("notice")), (1, Literal::Word("warning")), (2, Literal::Word("critical"))],
    )])
    .help("How much it matters when a call by a trunk has no price");

/// Against the cheapest route that is left.
pub static PROFIT: Row = Row::word("price.profit", "off", &["off", "no-loss", "gain", "known-gain"])
    .aliases(&[Alias::levels(
        "blocknotprofitablecalls",
        &[
            (0, Literal::Word("off")),
            (1, Literal::Word("no-loss")),
            (2, Literal::Word("gain")),
            (3, Literal::Word("known-gain")),
        ],
    )])
    .hardened(Literal::Word("no-loss"))
    .help("Routes that may be used, by what a usual minute brings and costs: all; none that loses; only those that gain; only those known to gain. A call with none left is refused");

/// Per route.
pub static BUY_MAX: Row = Row::money("price.buy_max", 0)
    .off_by_default()
    .aliases(&[Alias::same("blockhighcostcalls").off_at(&[0, -1])])
    .help("Routes that cost more a minute are not used; a call with none left is refused");

/// An account may have its own.
pub static SELL_MAX: Row =
    Row::money("price.sell_max", 0).off_by_default().help("Calls that would cost the caller more a minute are refused");

/// The guide's filter of access lists.
pub static CALLEE_LEVEL: Row = Row::integer("lists.callee_level", 2, 0, 6, "level").help(
    "How strictly lists judge numbers called: 0 not at all; 1, 2, 3 black entries of certainty 3, 2, 1 or more; 4 all black entries; 5 only numbers on a white list; 6 only those surely known",
);

/// The same for those who call.
pub static CALLER_LEVEL: Row = Row::integer("lists.caller_level", 2, 0, 6, "level")
    .help("How strictly lists judge the numbers that call, by the same levels");

/// Then the callee is left alone.
pub static FAILURES: Row = Row::integer("lists.failures", 5, 2, 1000, "calls in a row")
    .may_be_off()
    .loadtest(Literal::Off)
    .help("A number by a trunk that is not there, or not answered, so many times in a row is refused for a while");

/// For how long.
pub static FAILURES_LAST: Row = Row::duration(
    "lists.failures_last",
    Duration::from_secs(900),
    Duration::from_secs(1),
    Duration::from_secs(30 * 86_400),
)
.help("How long such a number is refused");

/// Learned from call records.
pub static SMART: Row = Row::bool("lists.smart", false)
    .loadtest(Literal::Bool(false))
    .help("Refuse numbers that call records show to lead nowhere, as black entries of the certainty learned");

/// Which kinds of ranges are closed.
pub fn closed(values: &Values) -> Closed {
    let blocks = |row| values.word(row) == "block";
    let (satellite, premium, shared) = (blocks(&SATELLITE), blocks(&PREMIUM), blocks(&SHARED_COST));
    Closed(Kind::ALL.map(|kind| match kind {
        Kind::Satellite => satellite,
        Kind::Network | Kind::Premium | Kind::Irsf => premium,
        Kind::SharedCost => shared,
    }))
}

/// The setting that closes a kind.
pub fn closes(kind: Kind) -> &'static str {
    match kind {
        Kind::Satellite => SATELLITE.name,
        Kind::Network | Kind::Premium | Kind::Irsf => PREMIUM.name,
        Kind::SharedCost => SHARED_COST.name,
    }
}

/// How strictly numbers called are judged.
pub fn callee_level(values: &Values) -> Level {
    level(values.integer(&CALLEE_LEVEL))
}

/// How strictly numbers that call are judged.
pub fn caller_level(values: &Values) -> Level {
    level(values.integer(&CALLER_LEVEL))
}

fn level(stored: i64) -> Level {
    Level::try_from(stored).unwrap_or(Level::MAX)
}

/// How numbers are learned.
pub fn schooling(values: &Values) -> Schooling {
    Schooling {
        failures: values.integer_or_off(&FAILURES).and_then(|count| u16::try_from(count).ok()),
        lasts: values.duration(&FAILURES_LAST),
        smart: values.bool(&SMART),
    }
}
