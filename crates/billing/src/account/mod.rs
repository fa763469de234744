//! An account: what an operator agreed with it, and where it stands.

mod days;
mod months;
mod peaks;
mod state;
mod terms;
mod windows;

pub use days::{DayRow, DayWindow};
pub use months::MonthWindow;
pub use peaks::Peaks;
pub use state::AccountState;
pub(crate) use state::LARGEST;
pub use terms::{AccountKind, AccountTerms, Mode, UNLIMITED, UNLIMITED_LINES, UNLIMITED_RATE};
pub use windows::Windows;

use serde::{Deserialize, Serialize};
use tollgate_types::AccountId;

/// One account as a ledger transaction reads it. Terms are written by the operator's commands, state by
/// [`crate::ledger::apply`] alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Which.
    pub id: AccountId,
    /// What was agreed.
    pub terms: AccountTerms,
    /// Where it stands.
    pub state: AccountState,
}

impl AccountRow {
    /// An account nobody has used yet: nothing on it, nothing held.
    pub fn new(id: AccountId, terms: AccountTerms) -> AccountRow {
        AccountRow { id, terms, state: AccountState::default() }
    }
}
