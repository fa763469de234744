//! Tollgate against real programs: sipp, baresip, PostgreSQL and the sqlite3 shell talk to the real binary over real sockets.
//!
//! Every test leases a network of its own inside 127.0.0.0/8, so that tests run side by side and an address can be a trunk.
//! `network`, `server`, `sipp`, `baresip`, `phone` and `tone` are the equipment; the other files are the cases, named as
//! sentences. With `TOLLGATE_LONG` set (`./tests/long`) the bounded cases run at full length.

#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test where it stands")]

mod baresip;
mod destinations;
mod dialog;
mod dns;
mod message;
mod network;
mod phone;
mod server;
mod sipp;
mod stranger;
mod tone;
mod wire;
mod world;

mod audio;
mod auth;
mod away;
mod books;
mod calls;
mod carriers;
mod challenges;
mod crash;
mod emergency;
mod forks;
mod fraud;
mod gate;
mod gate_served;
mod limits;
mod load;
mod midcall;
mod money;
mod names;
mod nodes;
mod operator;
mod pings;
mod races;
mod registration;
mod replies;
mod rules;
mod streams;
mod torture;
mod whatif;

/// Whether the run asked for the long form of a case, as `./tests/long` does.
fn long() -> bool {
    std::env::var_os("TOLLGATE_LONG").is_some()
}
