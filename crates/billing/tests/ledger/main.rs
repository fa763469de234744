//! What the ledger promises, told as stories, and proven over random mixes of calls.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod desk;

mod addresses;
mod calls;
mod caps;
mod crash;
mod days;
mod exact;
mod mix;
mod money;
mod mutant;
