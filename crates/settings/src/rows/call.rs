//! How long calls may take, and what they may do.

use std::time::Duration;

use super::{hours, minutes, secs};
use crate::alias::Alias;
use crate::row::{Literal, Row};

/// All rows of this file.
pub static ROWS: &[&Row] = &[
    &SETUP_MAX,
    &RING_MAX,
    &CARRIER_WAIT,
    &DURATION_MAX,
    &SESSION_EXPIRES,
    &SESSION_MIN,
    &FORKS_MAX,
    &FAILOVER_MAX,
    &HOPS_MAX,
    &REDIRECTS,
    &CALLER_ID_CHANGE,
    &ANONYMOUS,
    &MESSAGES_PER_DIALOG,
    &LINES_ENDUSER,
    &LINES_ENDUSER_OFFPEAK,
    &SELF_CALL,
];

/// Until the first 18x.
pub static SETUP_MAX: Row = Row::duration("call.setup_max", minutes(2), secs(10), minutes(30))
    .help("Longest time from the call's arrival to its answer, over all routes tried");

/// RFC 3261 §13.3.1.1 lets an INVITE ring three minutes and longer.
pub static RING_MAX: Row = Row::duration("call.ring_max", secs(90), secs(5), minutes(10))
    .help("How long a callee may ring before the call ends unanswered");

/// Well below T1 × 64.
pub static CARRIER_WAIT: Row = Row::duration("call.carrier_wait", secs(6), secs(1), secs(32))
    .help("How long a carrier may leave an INVITE without any answer before the next one is tried");

/// A forgotten receiver.
pub static DURATION_MAX: Row = Row::duration("call.duration_max", hours(6), minutes(1), hours(72))
    .may_be_off()
    .hardened(Literal::Duration(Duration::from_secs(2 * 3600)))
    .help("Longest call; it ends then whatever the money says");

/// RFC 4028 §4.
pub static SESSION_EXPIRES: Row =
    Row::duration("call.session_expires", minutes(30), secs(90), hours(24)).may_be_off().help(
        "Session timer asked for: a call whose side does not refresh it within this time has died and ends (RFC 4028)",
    );

/// RFC 4028 §5.
pub static SESSION_MIN: Row = Row::duration("call.session_min", secs(90), secs(90), hours(1))
    .help("Shortest session timer accepted; a shorter one is answered 422 (RFC 4028 Min-SE)");

/// Devices that ring together.
pub static FORKS_MAX: Row =
    Row::integer("call.forks_max", 10, 1, 50, "branches").help("Most devices that one call rings at a time");

/// Each has its own wait.
pub static FAILOVER_MAX: Row =
    Row::integer("call.failover_max", 4, 1, 20, "carriers").help("Most carriers tried for one call");

/// RFC 3261 §8.1.1.6 starts at 70.
pub static HOPS_MAX: Row = Row::integer("call.hops_max", 70, 5, 255, "hops")
    .help("Most hops that a request may still have before it; a larger Max-Forwards is cut to this");

/// A 3xx that a phone answers.
pub static REDIRECTS: Row = Row::word("call.redirects", "any", &["any", "local", "never"])
    .aliases(&[Alias::levels(
        "securemove",
        &[(0, Literal::Word("any")), (1, Literal::Word("local")), (2, Literal::Word("never"))],
    )])
    .hardened(Literal::Word("local"))
    .help("Where a phone's redirection may lead: any number its owner may call and pays for, local users only, or nowhere");

/// Own, verified, or free.
pub static CALLER_ID_CHANGE: Row = Row::word("call.caller_id_change", "own", &["own", "verified", "free"])
    .aliases(&[Alias::levels(
        "allowcalleridchange",
        &[(0, Literal::Word("own")), (1, Literal::Word("verified")), (2, Literal::Word("free"))],
    )])
    .help("Caller ids that a user may show: numbers of his own, verified ones too, or any");

/// RFC 3323, RFC 3325.
pub static ANONYMOUS: Row = Row::bool("call.anonymous", true)
    .aliases(&[Alias::same("allowanonymouscaller")])
    .help("Authenticated callers may withhold their number; nobody may call without an identity");

/// A dialog is no message pump.
pub static MESSAGES_PER_DIALOG: Row = Row::integer("call.messages_per_second", 20, 2, 1000, "messages a second")
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Most messages a second in one call, averaged over ten seconds; a call with more ends");

/// One would break transfer and conference.
pub static LINES_ENDUSER: Row = Row::integer("lines.enduser", 5, 0, 100_000, "lines")
    .aliases(&[Alias::same("maxlines").off_at(&[-1])])
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Lines of an end user without a number of his own; other kinds have none unless set");

/// The guide's second number of lines.
pub static LINES_ENDUSER_OFFPEAK: Row = Row::integer("lines.enduser_offpeak", 0, 0, 100_000, "lines")
    .aliases(&[Alias::same("maxlinesoffpeak").off_at(&[-1])])
    .off_by_default()
    .help("The same outside peak hours and on holidays, by the account's time zone; off = as in peak hours");

/// Voice mail by one's own number comes later.
pub static SELF_CALL: Row =
    Row::bool("call.self_call", false).help("Let a user call himself, ringing his other devices; otherwise he is busy");
