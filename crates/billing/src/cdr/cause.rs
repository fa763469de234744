//! Why an attempt ended.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tollgate_types::Rule;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        /// Why an attempt ended: a closed list of ids. A rule that refused or cut it is a cause by its own id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
            /// A rule refused it, or ended it at the end of its paid time.
            Rule(Rule),
        }

        impl Cause {
            /// All that are not rules.
            pub const PLAIN: &'static [Cause] = &[$(Cause::$name,)*];

            /// The id that CDRs, JSON and scripts use.
            pub fn id(self) -> &'static str {
                match self { $(Cause::$name => $id,)* Cause::Rule(rule) => rule.id() }
            }
        }
    };
}

causes! {
    /// One side hung up after an answer.
    Normal = "normal";
    /// The caller gave up before an answer.
    Cancelled = "cancelled";
    /// The callee was busy.
    Busy = "busy";
    /// It rang until we stopped it.
    NoAnswer = "no_answer";
    /// The callee declined.
    Declined = "declined";
    /// The far side does not know the number.
    NotFound = "not_found";
    /// The far side refused with another status.
    Rejected = "rejected";
    /// No carrier or device could be reached.
    Unreachable = "unreachable";
    /// Carriers failed one after the other.
    CarrierFailure = "carrier_failure";
    /// No media that both sides and we can carry.
    MediaUnsupported = "media_unsupported";
    /// Media fell silent and the leg did not answer a probe.
    MediaTimeout = "media_timeout";
    /// The session timer ran out (RFC 4028).
    SessionExpired = "session_expired";
    /// The longest duration a call may have.
    MaxDuration = "max_duration";
    /// The call was transferred away.
    Transferred = "transferred";
    /// An administrator or the user's portal ended it.
    AdminHangup = "admin_hangup";
    /// The user, account or trunk was disabled.
    Disabled = "disabled";
    /// Messages inside the dialog came too fast or made no sense.
    ProtocolAbuse = "protocol_abuse";
    /// The platform was closed.
    Shutdown = "shutdown";
    /// The platform died; charged up to the last second proven.
    Crash = "crash";
    /// A fault of ours ended this call.
    Internal = "internal";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl std::str::FromStr for Cause {
    type Err = ();
    fn from_str(text: &str) -> Result<Cause, ()> {
        let rules = Rule::ALL.iter().map(|rule| Cause::Rule(*rule));
        Cause::PLAIN.iter().copied().chain(rules).find(|cause| cause.id() == text).ok_or(())
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cause, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom(format!("{text:?} is not a cause")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_an_id_of_its_own_and_reads_back() {
        let all: Vec<Cause> =
            Cause::PLAIN.iter().copied().chain(Rule::ALL.iter().map(|rule| Cause::Rule(*rule))).collect();
        for cause in &all {
            assert_eq!(cause.id().parse::<Cause>(), Ok(*cause), "{cause}");
        }
    }
}
