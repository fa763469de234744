//! Money in and out of an account by an operator's hand: always an entry in the ledger.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_billing::ledger::{self, EntryKind, What};
use tollgate_store::users;
use tollgate_types::Money;

use super::field::{self, Misfit};
use super::{Answer, Ops};

/// `credit …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Credit {
    /// Add to the balance of a user's account; a negative amount takes away
    Add {
        /// The user's name
        name: String,
        /// How much, in the account's currency
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// Why, for the statement
        #[arg(long, value_name = "TEXT")]
        #[serde(default)]
        note: Option<String>,
    },
}

const NOTE_MOST: usize = 500;

impl Ops {
    pub(super) async fn credit(&self, credit: Credit) -> Answer {
        let Credit::Add { name, amount: text, note } = credit;
        let amount = field::amount("AMOUNT", &text)?;
        if amount == Money::ZERO {
            return Err(field::wrong("AMOUNT", &text, "an amount other than zero").into());
        }
        let note = note.unwrap_or_default();
        if note.len() > NOTE_MOST || note.chars().any(char::is_control) {
            return Err(Misfit::new("note", format!("one line of at most {NOTE_MOST} bytes is expected")).into());
        }
        let user = users::named(&self.store, &name).await?;
        let (account, kind) = (user.account, EntryKind::Credit);
        self.ask_one(What::Credit(ledger::Credit { account, amount, kind, note, force: false })).await?;
        self.tell_funds(account);
        Ok(Value::Null)
    }
}
