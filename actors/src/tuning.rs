//! What the settings mean to the living rooms: read once per change, so that no hot path looks anything up.

use std::sync::Arc;
use std::time::Duration;

use tollgate_call::{Host, Policy as CallPolicy};
use tollgate_guard::{caller, fraud};
use tollgate_media::latch;
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::ha1::Algorithms;
use tollgate_settings::rows::{digest as digest_rows, media, registrar, sip};
use tollgate_settings::{Registry, Row, Values};
use tollgate_sip::{binding, digest, transaction};

use crate::pending::Most;
use crate::{edge, relay};

/// Every setting of the platform, each declared in the room whose rule it steers.
pub fn registry() -> Registry {
    let rooms: &[&[&'static Row]] = &[
        tollgate_settings::rows::books::ROWS,
        tollgate_settings::rows::call::ROWS,
        tollgate_settings::rows::digest::ROWS,
        tollgate_settings::rows::fixed::ROWS,
        tollgate_settings::rows::media::ROWS,
        tollgate_settings::rows::platform::ROWS,
        tollgate_settings::rows::registrar::ROWS,
        tollgate_settings::rows::sip::ROWS,
        tollgate_call::policy::ROWS,
        tollgate_call::admission::rows::ROWS,
        tollgate_billing::settings::ROWS,
        tollgate_billing::source::ROWS,
        tollgate_guard::caller::ROWS,
        tollgate_guard::fraud::ROWS,
        tollgate_routing::rows::ROWS,
        crate::ops::DEFAULTS,
        tollgate_guard::rows::ROWS,
    ];
    Registry::new(rooms)
}

/// See the module.
#[derive(Clone)]
pub struct Tuned {
    /// What strangers may send, and how long their connections stay.
    pub edge: edge::Policy,
    /// RFC 3261's timers.
    pub timers: transaction::Timers,
    /// Digest.
    pub digest: digest::Policy,
    /// Algorithms offered to everybody.
    pub algorithms: Algorithms,
    /// Registrations.
    pub registrar: binding::Policy,
    /// By which ways registered users may come.
    pub strict_transport: binding::Strict,
    /// Calls that begin from now on.
    pub call: Arc<CallPolicy>,
    /// Retry-After of a 503, in seconds.
    pub retry_after: u64,
    /// How often devices behind NAT are pinged; `None` for never.
    pub keepalive: Option<Duration>,
    /// Reach devices by the address that they write, rather than the one they were heard from.
    pub rewrite_contact: RewriteContact,
    /// INVITEs without a final answer.
    pub pending: Most,
    /// Longest use of looked-up addresses.
    pub dns_max_age: Duration,
    /// Limits that the media threads read.
    pub relay: relay::Tuning,
    /// Who may send media to a leg (the guide's `checkrtpaddr`).
    pub media_source: latch::Policy,
    /// How long a leg may be silent; `None` for ever.
    pub media_timeout: Option<Duration>,
    /// The same while either leg is on hold.
    pub media_timeout_on_hold: Option<Duration>,
    /// Which numbers save lives.
    pub emergencies: Emergencies,
    /// When callers are refused for how their calls went.
    pub callers: caller::Policy,
    /// When calls look like fraud.
    pub fraud: fraud::Policy,
}

/// Which address reaches a device on UDP (`registrar.rewrite_contact`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteContact {
    /// The one its Contact names.
    Never,
    /// The one its REGISTER came from, where the Contact names another.
    Nat,
    /// The one its REGISTER came from.
    Always,
}

impl Tuned {
    /// Reads the settings; who we are comes from the configuration file.
    pub fn read(values: &Values, host: &Host) -> Tuned {
        let count_or_off = |row| values.integer_or_off(row).map(|most| u32::try_from(most).unwrap_or(u32::MAX));
        Tuned {
            edge: edge::Policy::read(values),
            timers: transaction::Timers::of(values),
            digest: digest::Policy::of(values),
            algorithms: match values.word(&digest_rows::ALGORITHMS) {
                "both" => Algorithms::ALL,
                "sha" => Algorithms::SHA,
                _ => Algorithms::MD5,
            },
            registrar: binding::Policy::of(values),
            strict_transport: binding::Strict::of(values),
            call: Arc::new(CallPolicy::read(values, host)),
            retry_after: values.duration(&sip::RETRY_AFTER).as_secs().max(1),
            keepalive: values.duration_or_off(&sip::KEEPALIVE),
            rewrite_contact: match values.word(&registrar::REWRITE_CONTACT) {
                "never" => RewriteContact::Never,
                "always" => RewriteContact::Always,
                _ => RewriteContact::Nat,
            },
            pending: Most { source: count_or_off(&sip::PENDING_MAX), total: count_or_off(&sip::PENDING_MAX_TOTAL) },
            dns_max_age: values.duration(&sip::DNS_MAX_AGE),
            relay: relay::Tuning::read(values),
            media_source: match values.word(&media::SOURCE) {
                "off" => latch::Policy::Off,
                "strict" => latch::Policy::Strict,
                _ => latch::Policy::Learn,
            },
            media_timeout: values.duration_or_off(&media::TIMEOUT),
            media_timeout_on_hold: values.duration_or_off(&media::TIMEOUT_ON_HOLD),
            emergencies: Emergencies::from_values(values),
            callers: caller::Policy::of(values),
            fraud: fraud::Policy::of(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rooms_declare_the_same_setting() {
        let registry = registry();
        assert!(registry.rows().len() > 20);
        let tuned = Tuned::read(&registry.defaults(), &Host::default());
        assert!(tuned.registrar.expires_min <= tuned.registrar.expires_default);
    }
}
