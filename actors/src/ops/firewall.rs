//! Firewall rules: in order, the first that fits decides.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_guard::Firewall as Rules;
use tollgate_guard::firewall::RULES_MAX;
use tollgate_store::{By, firewall};
use tollgate_types::{Net, Transport};

use super::ban::warning;
use super::outcome::Refused;
use super::{Answer, Ops, field};
use crate::snapshots::rule_of;

/// `firewall …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Firewall {
    /// All rules in order, with how often each decided
    List,
    /// Hear these, and never ban them
    Allow(Add),
    /// Drop everything from these
    Deny(Add),
    /// Remove a rule
    Remove {
        /// As listed
        id: i64,
    },
}

/// `firewall allow`, `firewall deny`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// An address or network
    pub cidr: String,
    /// Only what is sent to this port of ours
    #[arg(long, value_name = "PORT")]
    #[serde(default)]
    pub port: Option<u16>,
    /// Only what comes by this transport: udp, tcp, tls, ws or wss
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub transport: Option<String>,
    /// How long it holds, such as 6h; for ever when missing
    #[arg(long = "for", value_name = "SPAN")]
    #[serde(default)]
    pub lasts: Option<String>,
    /// Put it before this rule; at the end when missing
    #[arg(long, value_name = "ID")]
    #[serde(default)]
    pub before: Option<i64>,
}

impl Ops {
    pub(super) async fn firewall(&self, by: &By, order: Firewall) -> Answer {
        match order {
            Firewall::List => self.list_rules().await,
            Firewall::Allow(add) => self.add_rule(by, true, &add).await,
            Firewall::Deny(add) => self.add_rule(by, false, &add).await,
            Firewall::Remove { id } => {
                firewall::remove(&self.store, by, id).await?;
                self.rules_changed().await?;
                Ok(Value::Null)
            }
        }
    }

    async fn list_rules(&self) -> Answer {
        let living = self.living().map(|house| house.gate.firewall());
        let hits =
            |id: i64| living.as_ref().and_then(|rules| Some(rules.rules().iter().find(|rule| rule.id == id)?.hits()));
        let rules = firewall::list(&self.store).await?;
        Ok(rules
            .iter()
            .map(|rule| {
                json!({
                    "id": rule.id,
                    "verdict": if rule.wish.allow { "allow" } else { "deny" },
                    "cidr": rule.wish.cidr,
                    "port": rule.wish.port,
                    "transport": rule.wish.transport,
                    "expires_at": rule.wish.expires_at,
                    "hits": hits(rule.id).unwrap_or(0),
                    "created_by": rule.created_by,
                    "created_at": rule.created_at,
                })
            })
            .collect())
    }

    async fn add_rule(&self, by: &By, allow: bool, add: &Add) -> Answer {
        let net: Net = field::read("CIDR", &add.cidr)?;
        let transport = match &add.transport {
            Some(text) => Some(
                text.trim()
                    .parse::<Transport>()
                    .map_err(|()| field::wrong("transport", text, "udp, tcp, tls, ws or wss"))?,
            ),
            None => None,
        };
        if add.port == Some(0) {
            return Err(field::wrong("port", "0", "a port from 1 to 65535").into());
        }
        let expires_at = match &add.lasts {
            Some(span) => Some(by.at + Duration::from_secs(field::limit_seconds("for", span)?)),
            None => None,
        };
        if firewall::list(&self.store).await?.len() >= RULES_MAX {
            return Err(Refused(format!("there are {RULES_MAX} firewall rules already; networks take fewer")));
        }
        let wish = firewall::Wish {
            allow,
            cidr: net.to_string(),
            port: add.port,
            transport: transport.map(|transport| transport.to_string()),
            expires_at,
        };
        let id = firewall::add(&self.store, by, &wish, add.before).await?;
        let before = self.living().map(|house| house.gate.firewall()).unwrap_or_default();
        self.rules_changed().await?;
        let rules = firewall::list(&self.store).await?.iter().filter_map(rule_of).collect();
        let rules = Rules::new(rules, &Rules::default());
        let hit = self.depended_on(|ip| rules.shuts_out(ip, by.at) && !before.shuts_out(ip, by.at));
        match warning("shuts out", hit) {
            Value::String(warning) => Ok(json!({ "id": id, "warning": warning })),
            _ => Ok(json!({ "id": id })),
        }
    }

    async fn rules_changed(&self) -> Result<(), Refused> {
        match &self.house {
            Some(house) => Ok(self.snapshots.refresh_firewall(house).await?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Desk;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rules_are_written_in_order_and_mistakes_named() {
        let desk = Desk::new().await;
        let first =
            desk.ask("firewall deny 198.51.100.0/24 --transport tcp --port 5070 --for 6h").await.unwrap()["id"].clone();
        desk.ask(&format!("firewall allow 198.51.100.9 --before {first}")).await.unwrap();
        let rules = desk.ask("firewall list").await.unwrap();
        let shown = |at: usize| (rules[at]["verdict"].clone(), rules[at]["cidr"].clone(), rules[at]["port"].clone());
        assert_eq!(shown(0), ("allow".into(), "198.51.100.9".into(), Value::Null));
        assert_eq!(shown(1), ("deny".into(), "198.51.100.0/24".into(), 5070.into()));
        for (words, told) in [
            (
                "firewall deny here",
                "CIDR: \"here\" is no address or network such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32",
            ),
            ("firewall deny 192.0.2.1 --transport sctp", "--transport: \"sctp\" is not udp, tcp, tls, ws or wss"),
            ("firewall deny 192.0.2.1 --port 0", "--port: \"0\" is not a port from 1 to 65535"),
            ("firewall deny 192.0.2.1 --before 99", "there is no firewall rule 99"),
            ("firewall remove 99", "there is no firewall rule 99"),
        ] {
            assert_eq!(desk.ask(words).await.unwrap_err().0, told, "{words}");
        }
        desk.ask(&format!("firewall remove {first}")).await.unwrap();
        assert_eq!(desk.ask("firewall list").await.unwrap().as_array().unwrap().len(), 1);
    }
}
