//! Decks, quotes, holds and the ledger's one decision.
//!
//! Nothing here rounds twice, reads a clock or knows a database. A [`quote`] freezes the prices of a call; [`ledger::apply`]
//! decides on rows that were just read, inside the transaction that writes them back; a [`charge`] is what remains.

pub mod account;
pub mod anomaly;
pub mod calendar;
pub mod cdr;
pub mod charge;
pub mod credit;
pub mod currency;

pub mod deck;
pub mod hold;
pub mod increment;
pub mod ledger;
pub mod minimum;
pub mod policy;
pub mod price;
pub mod quote;
pub mod settings;
pub mod source;

pub use account::{AccountKind, AccountRow, AccountTerms, Mode};
pub use calendar::{Day, Month, Zone};
pub use cdr::{CallKind, Cause, Cdr};
pub use hold::{HoldKey, HoldRow};
pub use ledger::{Ask, AskKey, Books, Changes, Outcome, apply};
pub use policy::{Policy, Rules};
pub use price::{Price, PricePlan};
