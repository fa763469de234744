//! What steers autoban.

use std::time::Duration;

use tollgate_settings::{Alias, Literal, Row, Values};

/// All rows of this file.
pub static ROWS: &[&Row] = &[&AUTOBAN, &CALLS, &PERIOD, &DURATION, &ASR, &SHORT_SHARE, &SHORT, &ACD, &CALLEES];

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// The guide's `autoban`.
pub static AUTOBAN: Row = Row::word("fraud.autoban", "number", &["off", "number", "number+ip"])
    .aliases(&[Alias::levels(
        "autoban",
        &[(0, Literal::Word("off")), (1, Literal::Word("number")), (2, Literal::Word("number+ip"))],
    )])
    .hardened(Literal::Word("number+ip"))
    .loadtest(Literal::Word("off"))
    .help("Refuse callers whose calls go badly for a while: the caller, or also the address users call from; never a trunk as a whole");

/// The smallest sample.
pub static CALLS: Row = Row::integer("fraud.autoban_calls", 20, 5, 10_000, "calls")
    .help("Calls within the period below which nobody is judged");

/// The sample's time.
pub static PERIOD: Row = Row::duration("fraud.autoban_period", minutes(10), minutes(1), minutes(1440))
    .help("Time over which a caller's calls are counted");

/// How long it lasts.
pub static DURATION: Row = Row::duration("fraud.autoban_duration", minutes(60), minutes(1), minutes(43_200))
    .help("How long such a caller is refused");

/// Answer-seizure ratio.
pub static ASR: Row = Row::integer("fraud.autoban_asr", 5, 1, 100, "percent")
    .may_be_off()
    .help("Share of answered calls below which a caller is refused");

/// Short calls among the answered ones.
pub static SHORT_SHARE: Row = Row::integer("fraud.autoban_short_share", 80, 1, 100, "percent")
    .may_be_off()
    .help("Share of short ones among the answered calls from which on a caller is refused");

/// What short means.
pub static SHORT: Row = Row::duration("fraud.short_call", Duration::from_secs(6), Duration::from_secs(1), minutes(5))
    .help("A shorter call counts as short");

/// Average call duration.
pub static ACD: Row = Row::duration("fraud.autoban_acd", Duration::from_secs(4), Duration::from_secs(1), minutes(10))
    .off_by_default()
    .help("Mean length of the answered calls below which a caller is refused");

/// Callees.
pub static CALLEES: Row = Row::integer("fraud.autoban_callees", 300, 10, 500, "numbers")
    .off_by_default()
    .hardened(Literal::Integer(300))
    .help("Different numbers called within the period from which on a caller is refused");

/// Whom autoban refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Nobody.
    Off,
    /// Callers.
    Number,
    /// Callers, and the addresses that users call from.
    NumberAndIp,
}

/// The rows as the tallies need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whom it refuses.
    pub mode: Mode,
    /// The smallest sample.
    pub calls: u32,
    /// Its time.
    pub period: Duration,
    /// How long a ban lasts.
    pub duration: Duration,
    /// Percent answered at least.
    pub asr: Option<u32>,
    /// Percent of answered calls that may be short, at most.
    pub short_share: Option<u32>,
    /// Shorter is short.
    pub short: Duration,
    /// Mean length at least.
    pub acd: Option<Duration>,
    /// Different numbers at most.
    pub callees: Option<u32>,
}

impl Policy {
    /// Reads the settings.
    pub fn of(values: &Values) -> Policy {
        let number = |row| values.integer_or_off(row).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        Policy {
            mode: match values.word(&AUTOBAN) {
                "number" => Mode::Number,
                "number+ip" => Mode::NumberAndIp,
                _ => Mode::Off,
            },
            calls: number(&CALLS).unwrap_or(u32::MAX),
            period: values.duration(&PERIOD),
            duration: values.duration(&DURATION),
            asr: number(&ASR),
            short_share: number(&SHORT_SHARE),
            short: values.duration(&SHORT),
            acd: values.duration_or_off(&ACD),
            callees: number(&CALLEES),
        }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::of(&Values::default())
    }
}
