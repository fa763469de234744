//! Who pays, as far as routing and admission must know; the money itself is read where it is kept.

use std::sync::Arc;

use tollgate_billing::account::AccountTerms;
use tollgate_types::{AccountId, DeckId, E164, Rate, UserId};

use crate::early::EarlyMedia;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its row.
    pub id: AccountId,
    /// As admins call it.
    pub name: Box<str>,
    /// The user whose actor keeps it.
    pub owner: Option<UserId>,
    /// What was agreed: kind, limits, currency, zone, the reseller above. Thousands of accounts share one such value.
    pub terms: Arc<AccountTerms>,
    /// The deck it is charged by.
    pub deck: Option<DeckId>,
    /// May reach users and numbers of this platform only.
    pub local_only: bool,
    /// Shown to carriers for users without a caller id of their own.
    pub main_number: Option<E164>,
    /// The highest price a minute that it may be charged, in its own currency; `None` is the platform's.
    pub sell_max: Option<Rate>,
    /// What its calls let through before the answer; `None` is the platform's. A stricter trunk wins.
    pub early_media: Option<EarlyMedia>,
}
