//! Settings that steer numbers and carriers.

use std::time::Duration;

use tollgate_settings::Row;
use tollgate_settings::row::Entry;

use crate::emergency;

/// All rows of this room.
pub static ROWS: &[&Row] = &[&EMERGENCY, &REST, &REST_MAX, &HEALTH_EVERY];

/// See [`emergency::Emergencies`].
pub static EMERGENCY: Row = Row::list(
    "numbers.emergency",
    &[],
    500,
    Entry { fits: emergency::is_entry, expected: "entries such as HU:112, 112 (everywhere) or HU:none" },
)
.help("Emergency numbers besides the built-in ones: 112 adds one everywhere, HU:112 replaces those of a country, HU:none removes them");

/// What we conclude ourselves from silence.
pub static REST: Row = Row::duration("trunk.rest", Duration::from_secs(30), Duration::ZERO, Duration::from_secs(3600))
    .help("A carrier that cannot be reached, or leaves a call without any response, is tried last for so long");

/// What a carrier may ask for.
pub static REST_MAX: Row =
    Row::duration("trunk.rest_max", Duration::from_secs(600), Duration::from_secs(1), Duration::from_secs(86_400))
        .help("Longest rest that a carrier's 503 with Retry-After may demand");

/// Unless the trunk has a time of its own.
pub static HEALTH_EVERY: Row =
    Row::duration("trunk.health_every", Duration::from_secs(30), Duration::from_secs(5), Duration::from_secs(3600))
        .may_be_off()
        .help("How often a carrier is asked by OPTIONS whether it is well");
