//! Registered devices.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_store::registrations::{self, Change};
use tollgate_store::{By, audit, users};
use tollgate_types::UserId;

use super::outcome::Refused;
use super::{Answer, Ops};
use crate::registration::Forget;

/// `registration …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// All bindings, newest first
    List {
        /// Of this user
        #[arg(long, value_name = "NAME")]
        #[serde(default)]
        user: Option<String>,
    },
    /// Forget one binding; the device may register again
    Remove {
        /// As listed
        id: String,
    },
}

impl Ops {
    pub(super) async fn registration(&self, by: &By, registration: Registration) -> Answer {
        match registration {
            Registration::List { user } => {
                let only = match user {
                    Some(name) => Some(users::named(&self.store, &name).await?.id),
                    None => None,
                };
                self.list_registrations(only).await
            }
            Registration::Remove { id } => {
                let missing = || Refused(format!("there is no registration {id}"));
                let (user, number) = read_id(&id).ok_or_else(missing)?;
                if !self.forget(user, number).await? {
                    return Err(missing());
                }
                audit::record(&self.store, by, "remove", "registration", &id).await?;
                Ok(Value::Null)
            }
        }
    }

    async fn list_registrations(&self, only: Option<UserId>) -> Answer {
        let mut rows = if self.living().is_some() { self.live_bindings(only).await } else { self.stored(only).await? };
        // RFC 3339 in UTC sorts as text.
        rows.sort_by(|a, b| b["registered_at"].as_str().cmp(&a["registered_at"].as_str()));
        Ok(Value::Array(rows))
    }

    async fn stored(&self, only: Option<UserId>) -> Result<Vec<Value>, Refused> {
        let mut rows = Vec::new();
        for row in registrations::list(&self.store, only, self.clock.wall()).await? {
            rows.push(json!({
                "id": format!("{}-{}", row.user.0, row.number),
                "user": users::get(&self.store, row.user).await?.terms.name,
                "contact": row.contact,
                "source": row.flow.peer.to_string(),
                "transport": row.flow.transport,
                "user_agent": row.user_agent,
                "registered_at": row.since,
                "expires_at": row.expires_at,
            }));
        }
        Ok(rows)
    }

    /// Was it there?
    async fn forget(&self, user: UserId, number: u32) -> Result<bool, Refused> {
        if self.living().is_some() {
            let mut was_there = false;
            for registration in self.live_registrations(Some(user)).await {
                was_there |= registration.send(Forget { number }).await.unwrap_or(false);
            }
            return Ok(was_there);
        }
        let known = registrations::list(&self.store, Some(user), self.clock.wall()).await?;
        if known.iter().all(|row| row.number != number) {
            return Ok(false);
        }
        registrations::write(&self.store, &[Change::Gone { user, number }]).await?;
        Ok(true)
    }
}

fn read_id(id: &str) -> Option<(UserId, u32)> {
    let (user, number) = id.trim().split_once('-')?;
    Some((UserId(user.parse().ok()?), number.parse().ok()?))
}
