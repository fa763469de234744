//! Routes: which trunk carries which prefix, in what order.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_routing::route::{Band, Route as Row};
use tollgate_store::{By, routes, trunks};
use tollgate_types::RouteId;

use super::field::{self, Misfit, Read};
use super::{Answer, Ops};

/// `route …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Add a route
    Add(Add),
    /// All routes
    List,
    /// Remove a route
    Remove {
        /// As listed
        id: i64,
    },
}

/// `route add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// Leading digits; "" for all numbers
    #[arg(long, value_name = "DIGITS")]
    pub prefix: String,
    /// The egress trunk
    #[arg(long, value_name = "NAME")]
    pub trunk: String,
    /// Lower is tried first
    #[arg(long, value_name = "N")]
    #[serde(default)]
    pub priority: Option<u16>,
    /// Share among routes of the same priority and cost
    #[arg(long, value_name = "N")]
    #[serde(default)]
    pub weight: Option<u16>,
    /// all, peak or offpeak
    #[arg(long)]
    #[serde(default)]
    pub band: Option<String>,
    /// It carries emergency calls
    #[arg(long)]
    #[serde(default)]
    pub emergency: bool,
}

/// Between what is meant to be first and what is meant to be last.
const PRIORITY: u16 = 10;

impl Ops {
    pub(super) async fn route(&self, by: &By, route: Route) -> Answer {
        match route {
            Route::Add(add) => {
                let prefix = field::read("prefix", &add.prefix)?;
                let band = add.band.as_deref().map_or(Ok(Band::All), band)?;
                let trunk =
                    trunks::named(&self.store, &add.trunk).await.map_err(|error| Misfit::new("trunk", error))?;
                let row = Row {
                    id: RouteId(0),
                    prefix,
                    trunk: trunk.id,
                    priority: add.priority.unwrap_or(PRIORITY),
                    weight: add.weight.unwrap_or(0),
                    band,
                    emergency: add.emergency,
                    enabled: true,
                };
                routes::add(&self.store, by, &row).await?;
            }
            Route::List => return self.list_routes().await,
            Route::Remove { id } => routes::remove(&self.store, by, RouteId(id)).await?,
        }
        self.directory_changed().await?;
        Ok(Value::Null)
    }

    async fn list_routes(&self) -> Answer {
        let names: Vec<_> = trunks::list(&self.store).await?.into_iter().map(|row| (row.id, row.terms.name)).collect();
        let rows = routes::list(&self.store).await?.into_iter().map(|row| {
            let trunk = names.iter().find(|(id, _)| *id == row.trunk).map(|(_, name)| name);
            json!({
                "id": row.id,
                "prefix": row.prefix,
                "trunk": trunk,
                "priority": row.priority,
                "weight": row.weight,
                "band": match row.band { Band::All => "all", Band::Peak => "peak", Band::OffPeak => "offpeak" },
                "emergency": row.emergency,
            })
        });
        Ok(rows.collect())
    }
}

fn band(text: &str) -> Read<Band> {
    match text.trim().to_ascii_lowercase().as_str() {
        "all" => Ok(Band::All),
        "peak" => Ok(Band::Peak),
        "offpeak" | "off-peak" => Ok(Band::OffPeak),
        _ => Err(field::wrong("band", text, "all, peak or offpeak")),
    }
}
