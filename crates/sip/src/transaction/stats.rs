//! What a layer holds and has done, for Observe.

use serde::Serialize;

use super::Due;
use super::table::{Clients, Servers};
use crate::wheel::Wheel;

/// A snapshot of one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// INVITEs of ours.
    pub invite_clients: usize,
    /// Other requests of ours.
    pub other_clients: usize,
    /// INVITEs of others.
    pub invite_servers: usize,
    /// Other requests of others.
    pub other_servers: usize,
    /// Timers that stand.
    pub timers: usize,
    /// What happened since birth.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Counts since the layer's birth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Requests that came again.
    pub requests_repeated: u64,
    /// Requests that we sent again.
    pub requests_sent_again: u64,
    /// Responses that went out, or came in, again.
    pub responses_repeated: u64,
    /// Requests that came by two ways: 482.
    pub merged: u64,
    /// Requests of ours without an answer: 408.
    pub timed_out: u64,
    /// Requests of ours that could not be sent: 503.
    pub unreachable: u64,
    /// Requests refused for want of room, ours and others'.
    pub overloaded: u64,
    /// 2xx of ours that nobody acknowledged.
    pub acks_missing: u64,
    /// ACKs of stateless answers, dropped.
    pub stateless_acks: u64,
    /// Responses that belong to no transaction.
    pub stray_responses: u64,
}

impl Totals {
    pub(super) fn with(self, clients: &Clients, servers: &Servers, wheel: &Wheel<Due>) -> Stats {
        Stats {
            invite_clients: clients.invites,
            other_clients: clients.len() - clients.invites,
            invite_servers: servers.invites,
            other_servers: servers.len() - servers.invites,
            timers: wheel.len(),
            totals: self,
        }
    }
}
