//! What one source address may do within a period: calls, seconds of talk, money. Off unless an operator sets a limit.

mod limits;
mod recount;
mod usage;

pub(crate) use limits::{CALLS_MAX, COST_MAX, SECONDS_MAX};
pub use limits::{Concerns, IpLimits, ROWS, SCOPE};
pub use recount::{Past, recount};
pub use usage::{SourceHold, Sums, Usage};
