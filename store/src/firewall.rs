//! Firewall rules: in order, the first that fits decides.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Serialize;
use tollgate_types::Wall;

use crate::audit::{self, Change};
use crate::entity::firewall;
use crate::error::{Error, Result};
use crate::open::{By, Store};
use crate::versions::{self, Topic};

/// What an admin wants of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// Heard, or dropped.
    pub allow: bool,
    /// An address or network.
    pub cidr: String,
    /// To this port of ours only.
    pub port: Option<u16>,
    /// By this transport only.
    pub transport: Option<String>,
    /// Until when.
    pub expires_at: Option<Wall>,
}

/// A rule as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its number.
    pub id: i64,
    /// What it says.
    #[serde(flatten)]
    pub wish: Wish,
    /// Who wrote it.
    pub created_by: String,
    /// When.
    pub created_at: Wall,
}

/// All rules, in order.
pub async fn list(store: &Store) -> Result<Vec<Rule>> {
    let rows = firewall::Entity::find().order_by_asc(firewall::Column::Position).all(store.read()).await?;
    Ok(rows.into_iter().map(Rule::from).collect())
}

/// Adds a rule, before the rule numbered `before` or at the end. Answers its number.
pub async fn add(store: &Store, by: &By, wish: &Wish, before: Option<i64>) -> Result<i64> {
    let writing = store.begin().await?;
    let position = match before {
        Some(id) => {
            let row = firewall::Entity::find_by_id(id).one(&*writing).await?;
            let row = row.ok_or_else(|| Error::missing("firewall rule", id))?;
            firewall::Entity::update_many()
                .col_expr(firewall::Column::Position, Expr::col(firewall::Column::Position).add(1))
                .filter(firewall::Column::Position.gte(row.position))
                .exec(&*writing)
                .await?;
            row.position
        }
        None => {
            let last = firewall::Entity::find().order_by_desc(firewall::Column::Position).one(&*writing).await?;
            last.map_or(1, |last| last.position + 1)
        }
    };
    let row = firewall::ActiveModel {
        id: NotSet,
        position: Set(position),
        verdict: Set(if wish.allow { "allow" } else { "deny" }.to_owned()),
        cidr: Set(wish.cidr.clone()),
        port: Set(wish.port.map(i64::from)),
        transport: Set(wish.transport.clone()),
        created_by: Set(by.who.clone()),
        created_at: Set(by.at.micros()),
        expires_at: Set(wish.expires_at.map(Wall::micros)),
    };
    let made = firewall::Entity::insert(row).exec_with_returning(&*writing).await?;
    let is_now = serde_json::to_value(wish).ok();
    audit::note(&writing, by, Change { action: "add", noun: "firewall", subject: &wish.cidr, was: None, is_now })
        .await?;
    versions::bump(&writing, Topic::Bans).await?;
    writing.commit().await?;
    Ok(made.id)
}

/// Removes a rule.
pub async fn remove(store: &Store, by: &By, id: i64) -> Result<()> {
    let writing = store.begin().await?;
    let row = firewall::Entity::find_by_id(id).one(&*writing).await?;
    let rule = Rule::from(row.ok_or_else(|| Error::missing("firewall rule", id))?);
    firewall::Entity::delete_by_id(id).exec(&*writing).await?;
    let was = serde_json::to_value(&rule.wish).ok();
    let change = Change { action: "remove", noun: "firewall", subject: &rule.wish.cidr, was, is_now: None };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Bans).await?;
    writing.commit().await
}

impl From<firewall::Model> for Rule {
    fn from(row: firewall::Model) -> Rule {
        Rule {
            id: row.id,
            wish: Wish {
                allow: row.verdict == "allow",
                cidr: row.cidr,
                port: row.port.and_then(|port| u16::try_from(port).ok()),
                transport: row.transport,
                expires_at: row.expires_at.map(Wall::from_micros),
            },
            created_by: row.created_by,
            created_at: Wall::from_micros(row.created_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, by};

    both!(rules_stand_in_the_order_they_were_put);

    async fn rules_stand_in_the_order_they_were_put(store: Store) {
        let wish = |cidr: &str, allow| Wish { allow, cidr: cidr.into(), port: None, transport: None, expires_at: None };
        let deny = Wish { port: Some(5070), transport: Some("tcp".into()), ..wish("198.51.100.0/24", false) };
        let first = add(&store, &by(1), &deny, None).await.unwrap();
        let last = add(&store, &by(1), &wish("0.0.0.0/0", false), None).await.unwrap();
        let between = add(&store, &by(1), &wish("198.51.100.9", true), Some(last)).await.unwrap();
        let rules = list(&store).await.unwrap();
        assert_eq!(rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), [first, between, last]);
        assert_eq!(rules[0].wish, deny);
        remove(&store, &by(2), first).await.unwrap();
        let missing = remove(&store, &by(2), first).await.unwrap_err().to_string();
        assert_eq!(missing, format!("there is no firewall rule {first}"));
        let missing = add(&store, &by(1), &deny, Some(first)).await.unwrap_err().to_string();
        assert_eq!(missing, format!("there is no firewall rule {first}"));
        assert_eq!(list(&store).await.unwrap().len(), 2);
    }
}
