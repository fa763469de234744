//! Session timers of one leg, RFC 4028.

use std::time::Duration;

/// What was agreed with the peer of this leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Session {
    /// How long the session lives without a refresh; `None` = no timer.
    pub interval: Option<Duration>,
    /// It is we who refresh.
    pub ours: bool,
}
