//! Voice and video on their way through the relay.

use super::{days, minutes, secs};
use crate::alias::Alias;
use crate::row::{Literal, Row};

/// All rows of this file.
pub static ROWS: &[&Row] = &[
    &SOURCE,
    &TIMEOUT,
    &TIMEOUT_ON_HOLD,
    &QUARANTINE,
    &STREAM_RATE,
    &NETWORK_SPEED,
    &SOURCE_SHARE,
    &EARLY,
    &STREAMS_PER_CALL,
];

/// Whose packets a leg takes.
pub static SOURCE: Row = Row::word("media.source", "learn", &["off", "learn", "strict"])
    .aliases(&[Alias::levels(
        "checkrtpaddr",
        &[(0, Literal::Word("off")), (1, Literal::Word("learn")), (2, Literal::Word("strict"))],
    )])
    .hardened(Literal::Word("strict"))
    .help("Whose media is taken: anyone's (off), the first fitting source's (learn), or the signalled address's alone (strict)");

/// Both legs silent.
pub static TIMEOUT: Row = Row::duration("media.timeout", secs(60), secs(5), minutes(60))
    .may_be_off()
    .help("End a call whose media is silent for so long; one silent leg is asked in the dialog first");

/// Silence is the point of a hold.
pub static TIMEOUT_ON_HOLD: Row = Row::duration("media.timeout_on_hold", minutes(60), secs(10), days(1))
    .may_be_off()
    .help("The same while a leg is on hold");

/// Late packets of an old call never reach a new one.
pub static QUARANTINE: Row = Row::duration("media.quarantine", secs(30), secs(0), minutes(10))
    .help("How long a used port rests before the next call gets it");

/// Four times what 20 ms packets need.
pub static STREAM_RATE: Row = Row::integer("media.stream_rate", 400, 50, 20_000, "packets a second")
    .may_be_off()
    .help("Most packets a second forwarded in one audio stream; video and fax have ten times as many");

/// Leaves a gigabit network card room for all else.
pub static NETWORK_SPEED: Row = Row::integer("media.network_speed", 800_000, 64, 1_000_000_000, "kbit/s")
    .aliases(&[Alias::same("maxnetworkspeed").off_at(&[0, -1])])
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Most media that the relay takes in all: 800000 suits a gigabit network, 80000 one of 100 Mbit/s");

/// Of the speed above.
pub static SOURCE_SHARE: Row = Row::integer("media.source_share", 10, 1, 100, "per cent")
    .loadtest(Literal::Integer(100))
    .help("Share of the network speed that one address may use");

/// Before the answer nobody pays. The guide tells no meaning of its levels: they are our words, from the mildest to the strictest.
pub static EARLY: Row = Row::word("media.early", "to-caller-only", &["allow", "to-caller-only", "tones-only", "block"])
    .aliases(&[
        Alias::levels(
            "blockearlymedia",
            &[
                (0, Literal::Word("allow")),
                (1, Literal::Word("to-caller-only")),
                (2, Literal::Word("tones-only")),
                (3, Literal::Word("block")),
            ],
        ),
        Alias::levels("earlystart", &[(0, Literal::Word("block")), (1, Literal::Word("allow"))]),
    ])
    .help("Media before the answer: both ways, to the caller only, our own tones only, or none");

/// Audio, video, fax, and room.
pub static STREAMS_PER_CALL: Row = Row::integer("media.streams_per_call", 4, 1, 16, "media lines")
    .help("Media lines relayed in one call; more are declined");
