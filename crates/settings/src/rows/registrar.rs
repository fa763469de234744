//! Registrations.

use super::{days, hours, minutes, secs};
use crate::alias::Alias;
use crate::row::{Literal, Row};

/// All rows of this file.
pub static ROWS: &[&Row] =
    &[&EXPIRES_MIN, &EXPIRES_MAX, &EXPIRES_DEFAULT, &EXPIRES_NAT, &BINDINGS_MAX, &REWRITE_CONTACT, &STRICT_TRANSPORT];

/// RFC 3261 §10.2.8: below it 423.
pub static EXPIRES_MIN: Row = Row::duration("registrar.expires_min", secs(60), secs(10), hours(24))
    .help("Shortest registration granted; a shorter wish is answered 423 with this time");

/// RFC 3261 §10.3: a longer wish is shortened.
pub static EXPIRES_MAX: Row =
    Row::duration("registrar.expires_max", hours(1), secs(60), days(7)).help("Longest registration granted");

/// RFC 3261 §10.2.1.1.
pub static EXPIRES_DEFAULT: Row = Row::duration("registrar.expires_default", minutes(5), secs(60), hours(24))
    .help("Registration time granted to a phone that wishes none");

/// Refreshing keeps the way back open where pings do not.
pub static EXPIRES_NAT: Row = Row::duration("registrar.expires_nat", minutes(10), secs(30), hours(24))
    .may_be_off()
    .help("Longest registration granted to a phone behind NAT on UDP");

/// One desk phone, one mobile, one softphone, and room.
pub static BINDINGS_MAX: Row = Row::integer("registrar.bindings_max", 5, 1, 50, "devices")
    .loadtest(Literal::Integer(50))
    .help("Devices that one user may have registered at a time");

/// What comes back by the way it came always arrives.
pub static REWRITE_CONTACT: Row = Row::word("registrar.rewrite_contact", "nat", &["never", "nat", "always"])
    .help("Reach a phone by the address its registration came from rather than the one it wrote: when they differ, always, or never");

/// A stronger transport than the registration's is always taken.
pub static STRICT_TRANSPORT: Row =
    Row::word("registrar.strict_transport", "transport", &["off", "transport", "address", "port"])
        .aliases(&[Alias::levels(
            "stricttransport",
            &[
                (0, Literal::Word("off")),
                (1, Literal::Word("transport")),
                (2, Literal::Word("address")),
                (3, Literal::Word("port")),
            ],
        )])
        .hardened(Literal::Word("address"))
        .help("What a registered user's calls must share with a registration of his: nothing, a transport as strong, also the address, also the UDP port");
