//! Proof of identity by password.

use super::{hours, minutes, secs};
use crate::alias::Alias;
use crate::row::{Literal, Row};

/// All rows of this file.
pub static ROWS: &[&Row] =
    &[&ALGORITHMS, &STRICTNESS, &NONCE_LIFETIME, &NONCE_USES, &BIND_TO_SOURCE, &PASSWORD_MIN, &PASSWORD_CHECK];

/// RFC 8760. Phones in the field give up on a challenge they do not know even where one they know stands beside it (libre 1.1,
/// sipp 3.6), so MD5 stands alone unless the operator knows his phones.
pub static ALGORITHMS: Row = Row::word("digest.algorithms", "md5", &["md5", "both", "sha"])
    .aliases(&[Alias::levels(
        "useshadigestauth",
        &[(0, Literal::Word("md5")), (1, Literal::Word("both")), (2, Literal::Word("sha"))],
    )])
    .hardened(Literal::Word("sha"))
    .help("Digest algorithms offered: md5 alone, both (SHA first), or sha alone (RFC 8760)");

/// What is held against a signed nonce.
pub static STRICTNESS: Row = Row::word("digest.strictness", "replay", &["signed", "replay", "bound"])
    .aliases(&[Alias::levels(
        "strongdigestauth",
        &[(1, Literal::Word("signed")), (2, Literal::Word("replay")), (3, Literal::Word("bound"))],
    )])
    .hardened(Literal::Word("bound"))
    .help("signed: nonce and its age; replay: also count, uri, realm and method; bound: also qop required and nonce bound to the source");

/// RFC 7616 §3.3: an older nonce is stale.
pub static NONCE_LIFETIME: Row = Row::duration("digest.nonce_lifetime", minutes(5), secs(32), hours(1))
    .help("How long a challenge may be answered; then it is stale and a fresh one is sent");

/// RFC 7616 §3.4.
pub static NONCE_USES: Row = Row::integer("digest.nonce_uses", 1000, 1, 100_000, "requests")
    .hardened(Literal::Integer(100))
    .help("How many requests one challenge may serve before it is stale");

/// Costs phones that change address a second challenge.
pub static BIND_TO_SOURCE: Row = Row::bool("digest.bind_to_source", false)
    .hardened(Literal::Bool(true))
    .help("A challenge may be answered only from the address that received it");

/// For secrets that people choose.
pub static PASSWORD_MIN: Row = Row::integer("digest.password_min", 12, 4, 64, "characters")
    .aliases(&[Alias::same("minpwdlength")])
    .hardened(Literal::Integer(16))
    .help("Shortest SIP secret taken; a generated one has 20 characters");

/// A weak one is refused when it is chosen, not found when it is used.
pub static PASSWORD_CHECK: Row = Row::word("digest.password_check", "strong", &["none", "length", "strong"])
    .aliases(&[Alias::levels(
        "validatepassword",
        &[(0, Literal::Word("none")), (1, Literal::Word("length")), (2, Literal::Word("strong"))],
    )])
    .help("What a chosen SIP secret must be: anything; long enough; also neither the user's name or number nor soon guessed");
