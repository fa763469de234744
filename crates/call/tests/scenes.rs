//! Scripted calls: a caller, callees and carriers that speak real SIP, a ledger with little money, a relay that only notes.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

mod house;

#[path = "scenes/media.rs"]
mod media;
#[path = "scenes/money.rs"]
mod money;
#[path = "scenes/plain.rs"]
mod plain;
#[path = "scenes/races.rs"]
mod races;
#[path = "scenes/random.rs"]
mod random;
#[path = "scenes/transfers.rs"]
mod transfers;
