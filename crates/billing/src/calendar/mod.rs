//! When: days and months in a time zone, and the operator's week of peak, off-peak and holidays.

pub mod day;
pub mod timeline;
pub mod week;
pub mod zone;

pub use day::{Day, Month};
pub use timeline::Timeline;
pub use week::{Calendar, CalendarError, Holiday, PeakSpan, Time};
pub use zone::Zone;
