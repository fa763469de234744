//! Verdicts on sources and callers: counters over sliding windows, the table of bans that every edge obeys, callers whose calls
//! go badly, accounts whose calls look like fraud.
//!
//! Edges ask [`BanTable::judge`] before they parse a byte. What is counted, and when a count becomes a ban, is judged by the
//! owners of the counters; a ban says where it holds, why, and until when. [`caller`] and [`fraud`] judge calls, not packets:
//! they look at what became of them.

pub mod ban;
pub mod caller;
pub mod fraud;
pub mod scope;
pub mod window;

pub use ban::{Ban, BanTable, Full, Reason, Verdict};
pub use scope::Scope;
pub use window::{Window, Windows};
