//! What steers every call: settings, read once when a call is born.

use std::net::IpAddr;
use std::time::Duration;

use tollgate_billing::hold::NodeLife;
use tollgate_routing::failover::Rests;
use tollgate_settings::rows::{call, media};
use tollgate_settings::{Alias, Literal, Row, Values};

/// Forwards and transfers in one call.
pub static FORWARDS_MAX: Row = Row::integer("call.forwards_max", 5, 0, 10, "forwards")
    .help("Most forwards and transfers that one call goes through");

/// Guessed tags are not enough (RFC 3261 §22 leaves requests inside a dialog unproven).
pub static DIALOG_SOURCE: Row = Row::word("call.dialog_source", "address", &["any", "address", "flow"])
    .hardened(Literal::Word("flow"))
    .help("Whence requests inside a call are taken: the peer's address, its very flow (address, port and transport), or anywhere");

/// The guide's code for used-up quotas.
pub static QUOTA_STATUS: Row = Row::integer("call.quota_status", 403, 400, 699, "status")
    .aliases(&[Alias::same("quotadiscreason")])
    .help("SIP status of a refusal by a limit of money, talk time or source address");

/// What stands beside it.
pub static QUOTA_TEXT: Row = Row::text("call.quota_text", "limit reached", 64)
    .help("Words in the Reason header of such a refusal; callers see them");

/// The rows above, for the registry; the others that steer a call are in `settings::rows`.
pub static ROWS: &[&Row] = &[&FORWARDS_MAX, &DIALOG_SOURCE, &QUOTA_STATUS, &QUOTA_TEXT];

/// The settings as a call uses them. Shared by all calls that were born under them.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The domain in our From, To and P-Asserted-Identity.
    pub domain: Box<str>,
    /// What our Contact names instead of the listener's address, when we stand behind NAT.
    pub advertise: Option<Box<str>>,
    /// Our media address towards IPv4 peers; `None` is the listener's own.
    pub media_v4: Option<IpAddr>,
    /// The same towards IPv6 peers.
    pub media_v6: Option<IpAddr>,
    /// This life of this node, as holds name it.
    pub node: NodeLife,
    /// How long devices of a user, or one carrier, may ring.
    pub ring_max: Duration,
    /// From INVITE to answer at most.
    pub setup_max: Duration,
    /// How long a carrier may leave an INVITE without any response.
    pub carrier_wait: Duration,
    /// From answer to end at most; `None` = no limit.
    pub duration_max: Option<Duration>,
    /// Most devices rung at a time.
    pub forks_max: usize,
    /// Most carriers tried.
    pub failover_max: usize,
    /// How long carriers that failed rest.
    pub rests: Rests,
    /// Where a phone's 3xx may lead.
    pub redirects: Redirects,
    /// Forwards and transfers at most.
    pub forwards_max: u8,
    /// Max-Forwards at most.
    pub hops_max: u8,
    /// Media before the answer.
    pub early_media: EarlyMedia,
    /// Media lines relayed; further ones are declined.
    pub streams_max: u8,
    /// Whence requests inside a dialog may come.
    pub dialog_source: DialogSource,
    /// The session interval we ask for; `None` for none.
    pub session_expires: Option<Duration>,
    /// The smallest session interval we take.
    pub session_min: Duration,
    /// Messages a second inside one call, over ten seconds; `None` = no limit.
    pub messages_per_second: Option<u32>,
    /// The status of quota refusals.
    pub quota_status: u16,
    /// Its words.
    pub quota_text: Box<str>,
    /// RFC 3261 T1.
    pub t1: Duration,
    /// RFC 3261 T2.
    pub t2: Duration,
}

/// What a node calls itself.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The domain in our From, To and P-Asserted-Identity.
    pub domain: Box<str>,
    /// The public host name or address (IPv6 in brackets) when we stand behind NAT.
    pub advertise: Option<Box<str>>,
    /// Our public media address of IPv4.
    pub media_v4: Option<IpAddr>,
    /// Our public media address of IPv6.
    pub media_v6: Option<IpAddr>,
    /// This life of this node.
    pub node: NodeLife,
}

/// Where a phone's redirection may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// To any number its owner may call.
    Any,
    /// To users here only.
    Local,
    /// Nowhere: the caller hears 480.
    Never,
}

/// What is let through before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyMedia {
    /// Both ways.
    Allow,
    /// Ring-back and announcements, but nothing from the caller.
    ToCallerOnly,
    /// Nothing.
    Block,
}

/// How much of a dialog's source must fit, for requests inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogSource {
    /// Nothing.
    Any,
    /// The address.
    Address,
    /// Address, port and transport.
    Flow,
}

impl Policy {
    /// Reads the settings; who we are comes from the configuration file.
    pub fn read(values: &Values, host: &Host) -> Policy {
        let count = |row: &'static Row| usize::try_from(values.integer(row)).unwrap_or(usize::MAX);
        Policy {
            domain: host.domain.clone(),
            advertise: host.advertise.clone().filter(|host| !host.is_empty()),
            media_v4: host.media_v4,
            media_v6: host.media_v6,
            node: host.node,
            ring_max: values.duration(&call::RING_MAX),
            setup_max: values.duration(&call::SETUP_MAX),
            carrier_wait: values.duration(&call::CARRIER_WAIT),
            duration_max: values.duration_or_off(&call::DURATION_MAX),
            forks_max: count(&call::FORKS_MAX),
            failover_max: count(&call::FAILOVER_MAX),
            rests: Rests::from_values(values),
            redirects: match values.word(&call::REDIRECTS) {
                "never" => Redirects::Never,
                "local" => Redirects::Local,
                _ => Redirects::Any,
            },
            forwards_max: u8::try_from(values.integer(&FORWARDS_MAX)).unwrap_or(u8::MAX),
            hops_max: u8::try_from(values.integer(&call::HOPS_MAX)).unwrap_or(u8::MAX),
            early_media: match values.word(&media::EARLY) {
                "allow" => EarlyMedia::Allow,
                // We play no tones of our own yet, so that "tones only" lets nothing through.
                "block" | "tones-only" => EarlyMedia::Block,
                _ => EarlyMedia::ToCallerOnly,
            },
            streams_max: u8::try_from(values.integer(&media::STREAMS_PER_CALL)).unwrap_or(u8::MAX),
            dialog_source: match values.word(&DIALOG_SOURCE) {
                "any" => DialogSource::Any,
                "flow" => DialogSource::Flow,
                _ => DialogSource::Address,
            },
            session_expires: values.duration_or_off(&call::SESSION_EXPIRES),
            session_min: values.duration(&call::SESSION_MIN),
            messages_per_second: values
                .integer_or_off(&call::MESSAGES_PER_DIALOG)
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            quota_status: u16::try_from(values.integer(&QUOTA_STATUS)).unwrap_or(403),
            quota_text: values.text(&QUOTA_TEXT).as_ref().into(),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
        }
    }
}
