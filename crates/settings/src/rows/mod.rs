//! The rows of the protocol rooms: how long things may take, how much is kept, what is answered.

pub mod books;
pub mod call;
pub mod digest;
pub mod fixed;
pub mod media;
pub mod platform;
pub mod registrar;
pub mod sip;

use std::time::Duration;

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

const fn hours(count: u64) -> Duration {
    Duration::from_secs(3600 * count)
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(86_400 * count)
}
