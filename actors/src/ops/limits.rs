//! Counters counted again: what they should be by records, entries and live calls.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_store::{By, limits};

use super::{Answer, Ops};

/// `limits …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// Count balances, holds, lines, days, months, addresses and trunks again; tell what differs and put it right
    Repair {
        /// Only tell
        #[arg(long)]
        #[serde(default)]
        dry_run: bool,
    },
}

impl Ops {
    pub(super) async fn limits(&self, by: &By, limits: Limits) -> Answer {
        let Limits::Repair { dry_run } = limits;
        let rules = self.rules().await?;
        let drifts = limits::repair(&self.store, by, &rules, dry_run).await?;
        let row = |drift: &limits::Drift| {
            json!({
                "of": drift.of,
                "counter": drift.what,
                "carried": drift.carried,
                "counted": drift.counted,
                "repaired": !dry_run && !drift.beyond_repair,
                "hint": drift.beyond_repair.then_some("the books were touched: see ledger verify"),
            })
        };
        Ok(Value::Array(drifts.iter().map(row).collect()))
    }
}
