//! Verdicts on sources: counters over sliding windows, and the table of bans that every edge obeys.
//!
//! Edges ask [`BanTable::judge`] before they parse a byte. What is counted, and when a count becomes a ban, is judged by the
//! owners of the counters; a ban says where it holds, why, and until when.

pub mod ban;
pub mod scope;
pub mod window;

pub use ban::{Ban, BanTable, Full, Reason, Verdict};
pub use scope::Scope;
pub use window::{Window, Windows};
