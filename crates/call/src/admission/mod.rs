//! May this call be tried, and how? One ordered list of rules; the first that refuses is the cause.
//!
//! Nothing here has a side effect: `tollgate explain` asks the same list. Money comes last and is only priced here; what
//! takes it is the ledger's hold.

mod plan;

pub use plan::{Admission, Candidate, Plan, PlanAsk};
