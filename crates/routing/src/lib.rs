//! From digits to candidates: who is calling, what was dialled, where it leads, and which carrier next.
//!
//! [`Directory`] is what the call path knows of users, accounts, trunks, numbers and routes: one immutable snapshot.
//! [`trunk::identify`] names the trunk behind a source, [`dialplan::plan`] says what a dialled text means,
//! [`lcr::rank`] orders the carriers, and [`failover::next`] says what follows when one of them fails.

pub mod account;
pub mod auth;
pub mod country;
pub mod destination;
pub mod dialled;
pub mod dialplan;
pub mod did;
pub mod directory;
pub mod domains;
pub mod early;
pub mod emergency;
pub mod failover;
mod few;
pub mod format;
pub mod ha1;
pub mod identity;
pub mod lcr;
pub mod list;
pub mod route;
pub mod rows;
pub mod shards;
pub mod trunk;
pub mod user;

pub use account::Account;
pub use auth::AuthMode;
pub use country::Country;
pub use dialplan::Destination;
pub use did::{Did, DidNumbers, DidUri};
pub use directory::Directory;
pub use domains::Domains;
pub use early::EarlyMedia;
pub use ha1::{Algorithm, Algorithms, Ha1s};
pub use route::{Band, Route, Routes};
pub use trunk::{Egress, Ingress};
pub use user::{User, UserKind};
