//! Who pays, as far as routing and admission must know; the money itself is read where it is kept.

use chrono_tz::Tz;
use tollgate_types::{AccountId, Currency, DeckId, E164, UserId};

use crate::user::UserKind;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its row.
    pub id: AccountId,
    /// As admins call it.
    pub name: Box<str>,
    /// What it is, which decides the limits that hold unless set.
    pub kind: UserKind,
    /// The user whose actor keeps it.
    pub owner: Option<UserId>,
    /// The reseller's account above it: both levels are held and charged.
    pub parent: Option<AccountId>,
    /// A disabled account makes no calls.
    pub enabled: bool,
    /// Every amount of the account is in it.
    pub currency: Currency,
    /// Its days and months turn by this clock.
    pub zone: Tz,
    /// The deck it is charged by.
    pub deck: Option<DeckId>,
    /// Lines at a time over all its users; `None` inherits.
    pub max_lines: Option<u32>,
    /// The same outside peak hours; `None` is as in peak hours.
    pub max_lines_offpeak: Option<u32>,
    /// May reach users and numbers of this platform only.
    pub local_only: bool,
    /// Shown to carriers for users without a caller id of their own.
    pub main_number: Option<E164>,
}

impl Account {
    /// An enabled end user's account with nothing set.
    pub fn new(id: AccountId, name: &str) -> Account {
        Account {
            id,
            name: name.into(),
            kind: UserKind::EndUser,
            owner: None,
            parent: None,
            enabled: true,
            currency: Currency::USD,
            zone: Tz::UTC,
            deck: None,
            max_lines: None,
            max_lines_offpeak: None,
            local_only: false,
            main_number: None,
        }
    }
}
