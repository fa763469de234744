//! Rates between currencies, dated: a call keeps the one of its beginning.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_billing::currency::ExchangeRate;
use tollgate_store::{By, currency as store};
use tollgate_types::Currency as Code;

use super::field::{self, Misfit};
use super::{Answer, Ops};

/// `currency …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Currency {
    /// Rates
    #[command(subcommand)]
    Rate(Rate),
}

/// `currency rate …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// One FROM is worth RATE TO from now on
    Set {
        /// Currency code
        from: String,
        /// Currency code
        to: String,
        /// Decimal number
        rate: String,
    },
    /// All rates, newest first
    List,
}

impl Ops {
    pub(super) async fn currency_rate(&self, by: &By, rate: Rate) -> Answer {
        let Rate::Set { from, to, rate } = rate else { return self.list_rates().await };
        let (from, to): (Code, Code) = (field::read("FROM", &from)?, field::read("TO", &to)?);
        let rate: ExchangeRate = field::read("RATE", &rate)?;
        if from == to {
            return Err(Misfit::new("TO", "two different currencies are expected").into());
        }
        store::set(&self.store, by, from, to, rate).await?;
        self.prices_changed().await?;
        Ok(Value::Null)
    }

    async fn list_rates(&self) -> Answer {
        let rows = store::list(&self.store).await?.into_iter().map(
            |row| json!({ "from": row.from, "to": row.to, "rate": row.rate, "since": row.since, "set_by": row.set_by }),
        );
        Ok(rows.collect())
    }
}
