//! Header values with a type: borrowed views that are made when asked for.
//!
//! What is optional and unreadable is absent; what is mandatory was checked when the message was parsed.

mod contact;
mod cseq;
mod event;
mod name_addr;
mod param;
mod reason;
mod replaces;
mod session_expires;
#[cfg(test)]
mod tests;
mod via;

pub use contact::Contacts;
pub use cseq::{CSeq, RAck};
pub use event::{Event, SubscriptionState};
pub use name_addr::NameAddr;
pub use param::Params;
pub use reason::Reason;
pub use replaces::Replaces;
pub use session_expires::{Refresher, SessionExpires};
pub use via::Via;

/// Delta-seconds at the head of a value (`Expires`, `Retry-After`, `Min-SE`, `RSeq`): parameters and comments after it are
/// ignored, more than `u32` holds counts as `u32::MAX`, anything else is `None`.
pub fn seconds(value: &str) -> Option<u32> {
    let digits = value.trim_start();
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let follows = digits[end..].trim_start();
    if end == 0 || !(follows.is_empty() || follows.starts_with([';', '('])) {
        return None;
    }
    Some(digits[..end].parse().unwrap_or(u32::MAX))
}

/// The values of a Privacy header (RFC 3323): they are parted by `;`.
pub fn privacy(value: &str) -> impl Iterator<Item = &str> {
    value.split([';', ',']).map(str::trim).filter(|word| !word.is_empty())
}
