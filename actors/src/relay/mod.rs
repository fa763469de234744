//! The media relay, seen from the actors: a handle to threads that own all media sockets.
//!
//! Packets never pass through a mailbox. A call opens ports, applies what offer and answer agreed on, and closes; between
//! that it reads [`SharedCall`], which the media thread writes and nobody locks. Nothing is pushed at the actors: a silent
//! leg is seen by who looks.

mod address;
mod config;
mod dials;
mod handle;
mod port_pool;
pub(crate) mod readiness;
mod shared;
pub(crate) mod socket;
pub(crate) mod table;
#[cfg(test)]
mod tests;

pub use address::Addresses;
pub use config::{BadRange, Clock, PortRange, RelayConfig};
pub(crate) use dials::Dials;
pub use dials::Tuning;
pub use handle::{Ask, Bench, Opened, Relay, RelayError, RelayHandle};
pub(crate) use handle::{Order, Orders};
pub(crate) use shared::add as shared_add;
pub use shared::{CallStats, LineStats, Load, SharedCall, SharedLeg};
