//! What the platform remembers: the only room that speaks SQL, on embedded SQLite and on PostgreSQL by the same code.
//!
//! [`Store::open`] connects; each noun has a file of its own with its rows and queries; [`book`] is where money is written.

pub mod accounts;
pub mod audit;
pub mod backup;
pub mod bans;
pub mod book;
pub mod calendar;
pub mod cdrs;
mod cells;
mod checkpoint;
mod column;
pub mod currency;
pub mod decks;
pub mod dids;
pub mod directory;
mod entity;
pub mod error;
mod extensions;
pub mod fraud;
pub mod ledger;
pub mod limits;
pub mod marks;
pub mod nodes;
pub mod open;
pub mod pen;
pub mod recovery;
pub mod registrations;
pub mod routes;
pub mod seal;
pub mod secrets;
pub mod settings;
pub mod sources;
pub mod spend;
pub mod spool;
#[cfg(test)]
mod stories;
pub mod templates;
#[cfg(test)]
mod testing;
pub mod trunk_days;
pub mod trunks;
pub mod users;
pub mod versions;

pub use error::{Error, Result};
pub use open::{By, Clock, Engine, Options, Store};
