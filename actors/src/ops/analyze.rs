//! Unusual spending: an hour against the same hour of the 28 days before, by account and country.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Ops, field};
use crate::analysis;

/// `analyze`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Analyze {
    /// The hour up to this moment (RFC 3339); now unless said
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub at: Option<String>,
    /// Only what is out of the ordinary
    #[arg(long)]
    #[serde(default)]
    pub spikes: bool,
}

impl Ops {
    pub(super) async fn analyze(&self, wanted: Analyze) -> Answer {
        let at = wanted.at.as_deref().map_or(Ok(self.clock.wall()), |text| field::time("at", text))?;
        let values = self.values().await?;
        let rates = tollgate_store::currency::table(&self.store).await?;
        let rows = analysis::of_hour(&self.store, &values, self.snapshots.currency, &rates, at).await?;
        let wanted = rows.iter().filter(|row| row.finding.spike || !wanted.spikes);
        Ok(Value::Array(wanted.map(analysis::Row::to_json).collect()))
    }
}
