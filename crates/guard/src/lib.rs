//! Verdicts on sources and callers: counters over sliding windows, what a full counter comes to, the table of bans that every
//! edge obeys, callers whose calls go badly, accounts whose calls look like fraud.
//!
//! A message is heard if [`Level::judge`] says so, from what [`Firewall`], [`BanTable`] and [`Sources`] know of its source.
//! A full counter is a [`Charge`](sources::Charge); [`Offence::judge`](sentence::Offence::judge) makes it a ban, or spares
//! whom it would hit by mistake. A ban says where it holds, why, and until when. [`caller`] and [`fraud`] judge calls, not
//! packets: they look at what became of them.

pub mod agents;
pub mod attack;
pub mod ban;
pub mod caller;
pub mod firewall;
pub mod fraud;
pub mod level;
pub mod policy;
pub mod probes;
pub mod rows;
pub mod scope;
pub mod sentence;
pub mod sources;
pub mod tally;
pub mod window;

pub use ban::{Ban, BanTable, Full, Reason, Verdict};
pub use firewall::Firewall;
pub use level::{Level, Seen, Unheard};
pub use policy::Policy;
pub use scope::Scope;
pub use sources::Sources;
pub use window::{Window, Windows};
