//! Subscriptions (RFC 6665).

use super::param::Params;
use super::seconds;

/// Event: package and parameters, `refer;id=93809824`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// `message-summary`, `dialog`, `presence`, `refer`, …
    pub package: &'a str,
    /// Tells subscriptions of one dialog apart.
    pub id: Option<&'a str>,
}

/// Subscription-State: `active;expires=60`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// `active`, `pending` or `terminated`.
    pub state: &'a str,
    /// Why it ended.
    pub reason: Option<&'a str>,
    /// Seconds left.
    pub expires: Option<u32>,
}

impl<'a> Event<'a> {
    /// Reads one value.
    pub fn parse(value: &'a str) -> Option<Event<'a>> {
        let (package, params) = value.split_once(';').unwrap_or((value, ""));
        let package = package.trim();
        (!package.is_empty()).then(|| Event { package, id: Params::of(params).get("id") })
    }
}

impl<'a> SubscriptionState<'a> {
    /// Reads one value.
    pub fn parse(value: &'a str) -> Option<SubscriptionState<'a>> {
        let (state, params) = value.split_once(';').unwrap_or((value, ""));
        let (state, params) = (state.trim(), Params::of(params));
        let expires = params.get("expires").and_then(seconds);
        (!state.is_empty()).then(|| SubscriptionState { state, reason: params.get("reason"), expires })
    }
}
