//! Calls in progress.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tollgate_billing::Cause;
use tollgate_store::{By, audit};
use tollgate_types::{CallId, Rate};

use super::living::hang_up;
use super::outcome::Refused;
use super::{Answer, Ops, shown};

/// `call …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// All live calls, newest first
    List,
    /// End a call
    Hangup {
        /// As listed
        id: String,
    },
}

/// What a call says of itself that is told on.
const TOLD: [&str; 10] =
    ["id", "user", "caller", "callee", "trunk_in", "trunk_out", "started_at", "answered_at", "seconds", "paid_until"];

impl Ops {
    pub(super) async fn call(&self, by: &By, call: Call) -> Answer {
        match call {
            Call::List => self.list_calls().await,
            Call::Hangup { id } => {
                let missing = || Refused(format!("there is no live call {id}"));
                let call: CallId = id.trim().parse().map_err(|_| missing())?;
                let found = self.live_calls(Some(call)).await;
                let (addr, _) = found.first().ok_or_else(missing)?;
                hang_up(addr, Cause::AdminHangup).await;
                audit::record(&self.store, by, "hangup", "call", &id).await?;
                Ok(Value::Null)
            }
        }
    }

    async fn list_calls(&self) -> Answer {
        let mut rows: Vec<Map<String, Value>> =
            self.live_calls(None).await.into_iter().map(|(_, said)| row(&said)).collect();
        // Ids begin with the time they were minted.
        rows.sort_by(|a, b| b["id"].as_str().cmp(&a["id"].as_str()));
        Ok(rows.into_iter().map(Value::Object).collect())
    }
}

fn row(said: &Value) -> Map<String, Value> {
    let rate: Rate = said["price_per_minute"].as_str().and_then(|text| text.parse().ok()).unwrap_or(Rate::ZERO);
    let mut row: Map<String, Value> = TOLD.iter().map(|name| ((*name).to_owned(), said[*name].clone())).collect();
    row.insert("state".into(), said["state"].clone());
    row.insert("price_per_minute".into(), shown::price(rate).into());
    row.insert("cost".into(), said.get("cost").cloned().unwrap_or_else(|| json!(so_far(rate, said))));
    row
}

/// What talk has cost at today's price, by the second: increments and fees are the ledger's business.
fn so_far(rate: Rate, said: &Value) -> String {
    let seconds = said["seconds"].as_u64().unwrap_or(0);
    let nanos = i128::from(rate.nanos()) * i128::from(seconds) / 60;
    shown::price(Rate::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_the_interface_promises() {
        let said =
            json!({ "id": "00", "user": "anna", "seconds": 90, "price_per_minute": "0.600000000", "state": "talking" });
        let row = row(&said);
        assert_eq!((&row["cost"], &row["price_per_minute"]), (&json!("0.900000"), &json!("0.600000")));
        assert!(row["answered_at"].is_null());
        for name in [
            "id",
            "user",
            "caller",
            "callee",
            "trunk_out",
            "state",
            "started_at",
            "answered_at",
            "seconds",
            "paid_until",
        ] {
            assert!(row.contains_key(name), "{name}");
        }
    }
}
