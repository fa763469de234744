//! When: days and months in a time zone, and the operator's week of peak, off-peak and holidays.

pub mod day;
pub mod zone;

pub use day::{Day, Month};
pub use zone::Zone;

/// The operator's week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {}
