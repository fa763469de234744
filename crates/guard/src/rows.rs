//! The rows of the gate: how much one source may do, how long it is shut out, and who is never heard.

use std::time::Duration;

use tollgate_settings::row::Entry;
use tollgate_settings::{Alias, Literal, Row};
use tollgate_types::Net;

/// All rows of this room.
pub static ROWS: &[&Row] = &[
    &LEVEL,
    &WHITELIST,
    &MESSAGES,
    &MESSAGES_WITHIN,
    &WRONG_MESSAGES,
    &WRONG_MESSAGES_WITHIN,
    &AUTH_STREAK,
    &UNANSWERED,
    &WRONG_AUTH_PER_PORT,
    &WRONG_AUTH_PER_IP,
    &AUTH_WITHIN,
    &BAN_FOR,
    &NEWCOMERS,
    &SCAN,
    &CHALLENGES_PER_SECOND,
    &STRANGER_MESSAGES_PER_SECOND,
    &ALLOW_AGENTS,
    &BLOCK_AGENTS,
    &ALLOW_UNPROVEN_AGENTS,
    &BLOCK_UNPROVEN_AGENTS,
    &NFTABLES,
];

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The guide's `0` and `-1` where they mean that a protection is off.
const OFF: &[i64] = &[0, -1];

/// Most entries of a list of user agents.
const AGENTS_MAX: usize = 200;

const NETWORK: Entry =
    Entry { fits: |text| text.parse::<Net>().is_ok(), expected: "addresses and networks such as 192.0.2.0/24" };

const fn counted(name: &'static str, default: i64, unit: &'static str) -> Row {
    Row::integer(name, default, 1, 100_000_000, unit).may_be_off().loadtest(Literal::Off)
}

/// The guide publishes no meaning of its levels; these are ours.
pub static LEVEL: Row = Row::integer("guard.level", 3, 0, 5, "")
    .aliases(&[Alias::same("enablefirewall")])
    .hardened(Literal::Integer(4))
    .loadtest(Literal::Integer(0))
    .help("How much the gate does: 0 nothing, 1 written rules, 2 also bans, 3 also scanners and user agents, 4 also strangers throttled, 5 also only known peers, trunks and registrations are heard");

/// Only these are heard at all.
pub static WHITELIST: Row = Row::list("guard.whitelist", &[], 1000, NETWORK)
    .aliases(&[Alias::same("sip_whitelist")])
    .help("When not empty: the only addresses and networks whose SIP is heard");

/// Per address.
pub static MESSAGES: Row = counted("guard.messages", 39_000, "messages")
    .aliases(&[Alias::same("MAXSUBSMSCOUNT").off_at(OFF)])
    .help("Messages from one address within guard.messages_within before it is banned; ten times as many from one that proved itself");

/// The window of [`MESSAGES`].
pub static MESSAGES_WITHIN: Row = Row::duration("guard.messages_within", Duration::from_secs(180), MINUTE, DAY)
    .aliases(&[Alias::minutes("MAXSUBSMSCPERIOD")])
    .help("Over how long guard.messages counts");

/// Per address.
pub static WRONG_MESSAGES: Row = counted("guard.wrong_messages", 4000, "messages")
    .aliases(&[Alias::same("MAXWRONGMSGALLOWED").off_at(OFF)])
    .help("Messages that mean nothing (unreadable, for no call, answers nobody asked for) from one address before it is banned");

/// The window of [`WRONG_MESSAGES`].
pub static WRONG_MESSAGES_WITHIN: Row = Row::duration("guard.wrong_messages_within", HOUR, MINUTE, DAY)
    .aliases(&[Alias::hours("MAXWRONGMSGPERIOD")])
    .help("Over how long guard.wrong_messages counts");

/// Per address; a success sets it back.
pub static AUTH_STREAK: Row = Row::integer("guard.auth_streak", -1, -1, 1_000_000, "attempts")
    .aliases(&[Alias::same("maxsubsipauthrequest").off_at(&[0])])
    .may_be_off()
    .loadtest(Literal::Off)
    .help("Wrong credentials in a row from one address, with no right ones between, before it is banned; -1 asks more of a loaded platform: 300, 150 or 60, for each device registered there");

/// Per address.
pub static UNANSWERED: Row = counted("guard.unanswered", 2500, "requests")
    .aliases(&[Alias::same("MAXWRONGAUTHFROMIP").off_at(OFF)])
    .help("Challenges to one address that nobody answers well within 32 s, refusals included, before it is banned");

/// Per address and port: one phone behind a shared address.
pub static WRONG_AUTH_PER_PORT: Row = counted("guard.wrong_auth_per_port", 50, "attempts")
    .aliases(&[Alias::same("MAXFAILEDAUTHENABLEDIPPORT").off_at(OFF)])
    .hardened(Literal::Integer(20))
    .help("Wrong credentials from one address and port before that port is banned");

/// Per address.
pub static WRONG_AUTH_PER_IP: Row = counted("guard.wrong_auth_per_ip", 800, "attempts")
    .aliases(&[Alias::same("MAXFAILEDAUTHENABLEDIP").off_at(OFF)])
    .hardened(Literal::Integer(200))
    .help("Wrong credentials from one address, whatever the port, before the address is banned");

/// The window of the three above.
pub static AUTH_WITHIN: Row = Row::duration("guard.auth_within", HOUR, MINUTE, DAY)
    .aliases(&[Alias::hours("MAXSUBFAILAUTHPERIOD")])
    .help("Over how long wrong credentials and unanswered challenges count");

/// The first time; doubled each time again, up to seven days.
pub static BAN_FOR: Row = Row::duration("guard.ban_for", Duration::from_secs(6 * 3600), MINUTE, Duration::from_secs(7 * 86_400))
    .aliases(&[Alias::hours("REENABLEDOSBLOCKED")])
    .help("How long a ban lasts the first time; each one more within seven days lasts twice as long, up to seven days. Counters begin anew with it");

/// In 90 seconds.
pub static NEWCOMERS: Row = counted("guard.newcomers", 300, "requests")
    .aliases(&[Alias::same("fastauthsubswrongusermsg").off_at(OFF)])
    .help("Challenges to one address within 90 s that are never answered before it is banned; ten times as many from everybody together (at least two a user) mean an attack, in which only known peers are served");

/// In ten minutes. The guide spells it both ways.
pub static SCAN: Row = Row::integer("guard.scan", 30, 1, 256, "names")
    .aliases(&[Alias::same("blockscanning_treshold").off_at(OFF), Alias::same("blockscanning_threshold").off_at(OFF)])
    .may_be_off()
    .hardened(Literal::Integer(10))
    .loadtest(Literal::Off)
    .help("Different users or numbers that are not there, tried without proof from one address within ten minutes, before it is banned");

/// Against answers to addresses that never asked.
pub static CHALLENGES_PER_SECOND: Row = counted("guard.challenges_per_second", 100, "challenges")
    .help("Most challenges a second to one UDP address that has not answered one; ten times as many to one that proved itself");

/// From level 4 on.
pub static STRANGER_MESSAGES_PER_SECOND: Row = counted("guard.stranger_messages_per_second", 20, "messages")
    .help("From guard.level 4 on: most messages a second from an address that has not proved itself; more are dropped");

/// At the transport.
pub static ALLOW_AGENTS: Row = Row::list("guard.allow_agents", &[], AGENTS_MAX, Entry::ANY)
    .aliases(&[Alias::same("allowua")])
    .help("When not empty: only requests whose User-Agent matches are heard, all others are dropped in silence. An entry under 5 characters must match exactly, a longer one anywhere, whatever the case");

/// At the transport: what scanners call themselves when nobody has told them not to.
pub static BLOCK_AGENTS: Row = Row::list(
    "guard.block_agents",
    &[
        "friendly-scanner",
        "sipvicious",
        "sipcli",
        "sundayddr",
        "sip-scan",
        "sipscan",
        "smap",
        "iWar",
        "siparmyknife",
        "VaxSIPUserAgent",
        "pplsip",
        "sipptk",
        "Test Agent",
        "nm@nm",
        "voipsdk-scan",
        "svcrack",
        "svwar",
    ],
    AGENTS_MAX,
    Entry::ANY,
)
.aliases(&[Alias::same("blockua")])
.help("Messages whose User-Agent or Server matches are dropped in silence; known scanners by default. An entry under 5 characters must match exactly, a longer one anywhere, whatever the case");

/// Once the peer is known, where no password proves it.
pub static ALLOW_UNPROVEN_AGENTS: Row = Row::list("guard.allow_unproven_agents", &[], AGENTS_MAX, Entry::ANY)
    .aliases(&[Alias::same("alloweua")])
    .help("When not empty: peers known by their address alone are refused with 403 unless their User-Agent matches; same rule of matching");

/// The counterpart.
pub static BLOCK_UNPROVEN_AGENTS: Row = Row::list("guard.block_unproven_agents", &[], AGENTS_MAX, Entry::ANY)
    .aliases(&[Alias::same("blockeua")])
    .help("Peers known by their address alone whose User-Agent matches are refused with 403; same rule of matching");

/// The edges obey bans without it.
pub static NFTABLES: Row = Row::bool("guard.nftables", false)
    .restart()
    .help("Mirror bans of addresses and networks into an nftables set of their own, which closes the SIP ports to them; needs nft and the right to use it");
