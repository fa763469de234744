//! Messages and transactions.

use super::{hours, millis, minutes, secs};
use crate::alias::Alias;
use crate::row::{Literal, Row};

/// All rows of this file.
pub static ROWS: &[&Row] = &[
    &T1_MS,
    &T2_MS,
    &T4_MS,
    &MESSAGE_MAX,
    &STREAM_MESSAGE_MAX,
    &HEADERS_MAX,
    &STREAM_IDLE,
    &STREAM_CONNECT,
    &STREAMS_PER_SOURCE,
    &PENDING_MAX,
    &PENDING_MAX_TOTAL,
    &RETRY_AFTER,
    &ONLY_HOSTED_DOMAINS,
    &KEEPALIVE,
    &DNS_MAX_AGE,
];

/// RFC 3261 §17.1.1.1.
pub static T1_MS: Row = Row::duration("sip.t1_ms", millis(500), millis(50), millis(5000))
    .help("First estimate of a round trip; retransmissions and transaction timeouts count from it (RFC 3261 T1)");

/// RFC 3261 §17.1.2.2.
pub static T2_MS: Row = Row::duration("sip.t2_ms", millis(4000), millis(500), millis(30_000))
    .help("Longest pause between retransmissions of other requests and INVITE responses (RFC 3261 T2)");

/// RFC 3261 §17.1.2.2.
pub static T4_MS: Row = Row::duration("sip.t4_ms", millis(5000), millis(500), millis(30_000))
    .help("How long a message may stay in the network (RFC 3261 T4)");

/// Datagrams beyond it are dropped and counted.
pub static MESSAGE_MAX: Row =
    Row::integer("sip.message_max", 16_384, 1500, 65_535, "bytes").help("Largest SIP message taken from a datagram");

/// Beyond it the connection is closed.
pub static STREAM_MESSAGE_MAX: Row = Row::integer("sip.stream_message_max", 65_535, 4096, 65_535, "bytes")
    .help("Largest SIP message taken from a TCP, TLS or WebSocket connection");

/// Against messages that are all header.
pub static HEADERS_MAX: Row = Row::integer("sip.headers_max", 128, 32, 256, "header lines")
    .help("Most header lines that a message may have; a request with more is answered 400");

/// A connection without bindings. A call on it does without: its next request opens another.
pub static STREAM_IDLE: Row = Row::duration("sip.stream_idle", minutes(5), secs(10), hours(24))
    .help("A connection that carries nothing for so long is closed, unless a device is registered by it");

/// From the first SYN on.
pub static STREAM_CONNECT: Row = Row::duration("sip.stream_connect", secs(5), secs(1), secs(30))
    .help("How long connecting to a peer may take before the next address is tried");

/// A source with more has its newest closed.
pub static STREAMS_PER_SOURCE: Row = Row::integer("sip.streams_per_source", 256, 1, 65_535, "connections")
    .hardened(Literal::Integer(64))
    .loadtest(Literal::Integer(65_535))
    .help("Most connections from one address at a time");

/// INVITEs without a final answer.
pub static PENDING_MAX: Row = Row::integer("sip.pending_max", 200, 1, 1_000_000, "calls")
    .aliases(&[Alias::same("blocktoomuchpendingsession").off_at(&[0, -1])])
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Most calls from one address that wait for an answer; one more is answered 503");

/// Against a flood from many addresses at once.
pub static PENDING_MAX_TOTAL: Row = Row::integer("sip.pending_max_total", 5000, 1, 1_000_000, "calls")
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Most calls of all addresses together that wait for an answer, emergencies aside; one more is answered 503");

/// RFC 3261 §21.5.4.
pub static RETRY_AFTER: Row =
    Row::duration("sip.retry_after", secs(5), secs(1), minutes(10)).help("What a 503 asks the sender to wait");

/// The guide's switches for foreign domains. Nothing is ever sent on to one, so the second can only be off.
pub static ONLY_HOSTED_DOMAINS: Row = Row::bool("sip.only_hosted_domains", true)
    .aliases(&[Alias::same("blockotherdomains"), Alias::levels("fwdtootherdomains", &[(0, Literal::Bool(true))])])
    .help(
        "Refuse requests whose target names a domain that is not hosted here; otherwise any name means this platform",
    );

/// RFC 5626 §4.4: below the usual 30 s of UDP mappings.
pub static KEEPALIVE: Row = Row::duration("sip.keepalive", secs(25), secs(5), minutes(10))
    .may_be_off()
    .help("How often a phone behind NAT is pinged so that its way back stays open");

/// Above the DNS records' own word.
pub static DNS_MAX_AGE: Row = Row::duration("sip.dns_max_age", minutes(5), secs(1), hours(24))
    .help("Longest time that a carrier's looked-up addresses are used again, whatever DNS allows");
