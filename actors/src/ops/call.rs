//! Calls in progress.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tollgate_billing::charge::charge;
use tollgate_billing::{Cause, HoldKey, HoldRow};
use tollgate_store::{By, accounts, audit};
use tollgate_types::{CallId, Money, Rate};

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
const TOLD: [&str; 11] = [
    "id",
    "user",
    "caller",
    "callee",
    "trunk_in",
    "trunk_out",
    "state",
    "started_at",
    "answered_at",
    "seconds",
    "paid_until",
];

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
        let live = self.live_calls(None).await;
        let holds = if live.is_empty() { Vec::new() } else { accounts::live_holds(&self.store).await? };
        let holds: BTreeMap<HoldKey, HoldRow> = holds.into_iter().map(|hold| (hold.key, hold)).collect();
        let mut rows: Vec<Map<String, Value>> = live.iter().map(|(_, said)| row(said, &holds)).collect();
        // Ids begin with the time they were minted.
        rows.sort_by(|a, b| b["id"].as_str().cmp(&a["id"].as_str()));
        Ok(rows.into_iter().map(Value::Object).collect())
    }
}

fn row(said: &Value, holds: &BTreeMap<HoldKey, HoldRow>) -> Map<String, Value> {
    let rate: Rate = said["price_per_minute"].as_str().and_then(|text| text.parse().ok()).unwrap_or(Rate::ZERO);
    let mut row: Map<String, Value> = TOLD.iter().map(|name| ((*name).to_owned(), said[*name].clone())).collect();
    row.insert("price_per_minute".into(), shown::price(rate).into());
    row.insert("cost".into(), json!(cost(said, holds).unwrap_or(Money::ZERO)));
    row
}

/// What the first payer would be charged if the call ended now; `None` where nothing is held.
fn cost(said: &Value, holds: &BTreeMap<HoldKey, HoldRow>) -> Option<Money> {
    let paid = &said["paid"][0];
    let key =
        HoldKey { call: paid["call"].as_str()?.parse().ok()?, paid_leg: u8::try_from(paid["index"].as_u64()?).ok()? };
    let hold = holds.get(&key)?;
    let level = hold.levels.first()?;
    let charge = charge(&level.plan, hold.answered_at?, paid["talk_ms"].as_u64()?, &level.turns);
    Some(charge.amount.min(level.held))
}

#[cfg(test)]
mod tests {
    use tollgate_billing::hold::LevelHold;
    use tollgate_billing::{CallKind, Cdr, Price, PricePlan};
    use tollgate_types::{AccountId, Currency, Wall};

    use super::*;

    fn holding(price: Price, held: &str) -> HoldRow {
        let key = HoldKey { call: CallId::from_i64(7), paid_leg: 0 };
        let level = LevelHold {
            account: AccountId(1),
            currency: Currency::USD,
            plan: PricePlan::flat(price),
            held: held.parse().unwrap(),
            days: Vec::new(),
            turns: Vec::new(),
            rate: price.rate,
        };
        HoldRow {
            key,
            node: Default::default(),
            sequence: 1,
            emergency: false,
            held_at: Wall::from_secs(0),
            answer_by: Wall::from_secs(300),
            answered_at: Some(Wall::from_secs(10)),
            silent_at: None,
            paid_ms: Some(120_000),
            levels: vec![level],
            holders: Vec::new(),
            source: None,
            buy: None,
            dialogs: Vec::new(),
            draft: Box::new(Cdr::begin(key.call, 0, CallKind::Outbound, Wall::from_secs(0))),
        }
    }

    #[test]
    fn a_row_has_what_the_interface_promises_and_costs_what_the_ledger_would_charge() {
        let paid = json!([{ "call": CallId::from_i64(7), "index": 0, "talk_ms": 61_000 }]);
        let said =
            json!({ "id": "07", "user": "anna", "seconds": 61, "price_per_minute": "0.600000000", "paid": paid });
        let price = Price { first: 60, next: 6, ..Price::per_minute("0.6".parse().unwrap()) };
        //  held, cost
        for (held, cost) in [("5", "0.660000"), ("0.5", "0.500000")] {
            let hold = holding(price, held);
            let row = row(&said, &BTreeMap::from([(hold.key, hold)]));
            assert_eq!((&row["cost"], &row["price_per_minute"]), (&json!(cost), &json!("0.600000")));
            assert!(row["answered_at"].is_null());
            for name in ["trunk_out", "state", "started_at", "answered_at", "seconds", "paid_until"] {
                assert!(row.contains_key(name), "{name}");
            }
        }
        assert_eq!(row(&said, &BTreeMap::new())["cost"], "0.000000", "nothing is held");
    }
}
