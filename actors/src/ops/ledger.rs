//! The books: entries that only grow, and the proof that nobody touched them.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_billing::ledger::EntryKind;
use tollgate_store::{ledger as store, users};

use super::outcome::Refused;
use super::{Answer, Ops};

/// `ledger …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Ledger {
    /// A user's entries, newest first
    List {
        /// Whose account
        #[arg(long, value_name = "NAME")]
        user: String,
        /// At most so many; 10000 unless said
        #[arg(long, value_name = "N")]
        #[serde(default)]
        limit: Option<u32>,
    },
    /// Recompute every hash and balance; names the first entry that does not hold
    Verify,
}

/// Rows unless said.
const ROWS: u32 = 10_000;

impl Ops {
    pub(super) async fn ledger(&self, ledger: Ledger) -> Answer {
        match ledger {
            Ledger::List { user, limit } => {
                let row = users::named(&self.store, &user).await?;
                let entries = store::list(&self.store, row.account, u64::from(limit.unwrap_or(ROWS))).await?;
                let shown = entries.into_iter().map(|entry| {
                    json!({
                        "id": entry.number,
                        "at": entry.at,
                        "user": row.terms.name,
                        "amount": entry.amount,
                        "balance": entry.balance,
                        "kind": entry.kind,
                        "call_id": (entry.kind == EntryKind::Call).then_some(entry.key.call),
                        "note": entry.note,
                        "hash": entry.hash,
                    })
                });
                Ok(shown.collect())
            }
            Ledger::Verify => {
                let verdict = store::verify(&self.store).await?;
                match verdict.breach {
                    None => Ok(json!({ "entries": verdict.entries, "verdict": "every entry holds" })),
                    Some((breach, Some(name))) => Err(Refused(format!("{breach} ({name})"))),
                    Some((breach, None)) => Err(Refused::because(breach)),
                }
            }
        }
    }
}
