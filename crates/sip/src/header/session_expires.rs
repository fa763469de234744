//! How long a session lives without being refreshed (RFC 4028).

use super::param::Params;
use super::seconds;

/// Session-Expires: `1800;refresher=uac`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub interval: u32,
    /// Who refreshes; `None` leaves it to the answerer.
    pub refresher: Option<Refresher>,
}

/// Who refreshes a session, by its part in the transaction that agreed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

impl SessionExpires {
    /// Reads the value; an unknown refresher counts as none.
    pub fn parse(value: &str) -> Option<SessionExpires> {
        let (digits, params) = value.split_once(';').unwrap_or((value, ""));
        let refresher = match Params::of(params).get("refresher") {
            Some(word) if word.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(word) if word.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(SessionExpires { interval: seconds(digits)?, refresher })
    }

    /// Writes the value.
    pub fn write(self) -> String {
        match self.refresher {
            Some(Refresher::Uac) => format!("{};refresher=uac", self.interval),
            Some(Refresher::Uas) => format!("{};refresher=uas", self.interval),
            None => self.interval.to_string(),
        }
    }
}
