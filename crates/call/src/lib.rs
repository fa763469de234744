//! A call: two dialogs, one admission, and a file for each thing that can happen to it.
//!
//! ```text
//! INVITE → admission → hold → locate → ports → B legs → 18x → 200, ACK → extend … → BYE → settle with its record
//! ```
//! [`Call`] is pure: [`Event`]s go in with the time, [`Action`]s come out, and the shell that owns the sockets, the ledger
//! and the relay does them. What may happen to a call has one file each in `on/`.

mod action;
pub mod admission;
mod aftermath;
mod call;
mod errand;
mod event;
mod handover;
pub mod heard;
mod hunt;
mod leg;
mod media;
pub mod message;
mod on;
mod paid;
mod party;
pub mod policy;
pub mod recover;
pub mod refusal;
pub mod replay;
pub mod replies;
mod say;
mod session;
mod snapshot;
mod timers;

pub use action::{Action, MediaOrder, Note};
pub use admission::{Admission, Candidate, Plan, PlanAsk};
pub use aftermath::Aftermath;
pub use call::{Birth, Call};
pub use event::{Client, Event, Query};
pub use handover::{DialogName, Handover};
pub use leg::{Abilities, LegId};
pub use party::{Caller, Claim, Identity, Login, Party, Place, Target};
pub use policy::{Host, Policy};
pub use session::Session;
pub use snapshot::{LegSnapshot, PaidSnapshot, Progress, Snapshot};
