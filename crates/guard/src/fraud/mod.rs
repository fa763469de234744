//! Does what an account does look like fraud? A score made of signs, each with its own weight and its reason in words.
//!
//! A [`Profile`] keeps the account's last [`RECENT`] attempts by carriers, at most an hour of them, and its [`History`]. An
//! attempt is scored together with them: [`Profile::standing`] says whether it may go on, without side effects; then
//! [`Profile::begin`] remembers it, and [`Profile::end`] what became of it. From [`Policy::block_at`] points on the account is
//! blocked until an admin releases it.
//!
//! The signs are those of stolen accounts (research: international revenue share fraud, wangiri): each alone is something that
//! honest customers do as well, so that none alone blocks by default.

mod history;
mod land;
mod profile;
mod score;
mod settings;
#[cfg(test)]
mod tests;

pub use history::History;
pub use land::Land;
pub use profile::{Attempt, Block, Ending, Profile, RECENT, Standing, Step};
pub use score::{Score, Sign};
pub use settings::{
    ALERT_AT, BLOCK_AT, BLOCK_FOR, CALLER_IDS, DEAR, DEAR_PRICE, NEW_COUNTRY, PARALLEL, Policy, ROWS, SEQUENTIAL,
    SPIKE_FACTOR, SPIKE_FLOOR, WANGIRI,
};
