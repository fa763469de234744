//! Bans and firewall rules, as the Gatekeeper finds them at start and leaves them for the next.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use tollgate_types::Wall;

use crate::audit::{self, Change};
use crate::entity::{ban, firewall};
use crate::error::{Error, Result};
use crate::open::{By, Store};
use crate::versions::{self, Topic};

/// Who is refused until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRow {
    /// What kind of subject: `ip`, `network`, `ip+user`, `ip+port`, `user`.
    pub scope: String,
    /// The subject in that scope.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// What was seen.
    pub evidence: String,
    /// Who or what made it.
    pub created_by: String,
    /// When.
    pub created_at: Wall,
    /// Until when; `None`: until it is taken away.
    pub expires_at: Option<Wall>,
}

/// A rule an admin wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirewallRow {
    /// Its number.
    pub id: i64,
    /// `allow` or `deny`.
    pub verdict: String,
    /// For whom.
    pub cidr: String,
    /// Who wrote it.
    pub created_by: String,
    /// When.
    pub created_at: Wall,
}

/// Bans in force at `now`, newest first.
pub async fn list(store: &Store, now: Wall) -> Result<Vec<BanRow>> {
    let lasting = Condition::any().add(ban::Column::ExpiresAt.is_null()).add(ban::Column::ExpiresAt.gt(now.micros()));
    let rows = ban::Entity::find().filter(lasting).order_by_desc(ban::Column::Id).all(store.read()).await?;
    Ok(rows.into_iter().map(BanRow::from).collect())
}

/// Writes bans as they now are; one that exists for the subject is replaced. What the platform decides leaves no audit row: its
/// reason and evidence are in the ban.
pub async fn save(store: &Store, bans: &[BanRow]) -> Result<()> {
    use ban::Column::{CreatedAt, CreatedBy, Evidence, ExpiresAt, Reason, Scope, Subject};
    for chunk in bans.chunks(200) {
        let writing = store.begin().await?;
        let conflict = OnConflict::columns([Scope, Subject])
            .update_columns([Reason, Evidence, CreatedBy, CreatedAt, ExpiresAt])
            .to_owned();
        let rows = chunk.iter().map(ban::ActiveModel::from);
        ban::Entity::insert_many(rows).on_conflict(conflict).exec_without_returning(&*writing).await?;
        versions::bump(&writing, Topic::Bans).await?;
        writing.commit().await?;
    }
    Ok(())
}

/// A person bans: the same with an audit row.
pub async fn add(store: &Store, by: &By, ban: &BanRow) -> Result<()> {
    save(store, std::slice::from_ref(ban)).await?;
    let writing = store.begin().await?;
    let is_now = serde_json::to_value(ban).ok();
    audit::note(&writing, by, Change { action: "add", noun: "ban", subject: &ban.subject, was: None, is_now }).await?;
    writing.commit().await
}

/// Takes away every ban on `subject` in whatever scope, all bans without one; answers how many there were.
pub async fn remove(store: &Store, by: &By, subject: Option<&str>) -> Result<u64> {
    let writing = store.begin().await?;
    let mut delete = ban::Entity::delete_many();
    if let Some(subject) = subject {
        delete = delete.filter(ban::Column::Subject.eq(subject));
    }
    let gone = delete.exec(&*writing).await?.rows_affected;
    if gone > 0 {
        let subject = subject.unwrap_or("all");
        audit::note(&writing, by, Change { action: "remove", noun: "ban", subject, was: None, is_now: None }).await?;
        versions::bump(&writing, Topic::Bans).await?;
    }
    writing.commit().await?;
    Ok(gone)
}

/// Forgets bans that ended before `now`.
pub async fn prune(store: &Store, now: Wall) -> Result<u64> {
    let writing = store.begin().await?;
    let gone = ban::Entity::delete_many().filter(ban::Column::ExpiresAt.lte(now.micros())).exec(&*writing).await?;
    writing.commit().await?;
    Ok(gone.rows_affected)
}

/// Firewall rules, newest first.
pub async fn firewall(store: &Store) -> Result<Vec<FirewallRow>> {
    let rows = firewall::Entity::find().order_by_desc(firewall::Column::Id).all(store.read()).await?;
    Ok(rows.into_iter().map(FirewallRow::from).collect())
}

/// Adds a firewall rule: `verdict` is `allow` or `deny`.
pub async fn add_rule(store: &Store, by: &By, verdict: &str, cidr: &str) -> Result<i64> {
    let writing = store.begin().await?;
    let row = firewall::ActiveModel {
        id: NotSet,
        verdict: Set(verdict.to_owned()),
        cidr: Set(cidr.to_owned()),
        created_by: Set(by.who.clone()),
        created_at: Set(by.at.micros()),
    };
    let made = firewall::Entity::insert(row).exec_with_returning(&*writing).await;
    let made = made.map_err(|error| match Error::is_duplicate(&error) {
        true => Error::exists("firewall rule for", cidr),
        false => error.into(),
    })?;
    let is_now = Some(serde_json::Value::from(verdict));
    audit::note(&writing, by, Change { action: "add", noun: "firewall", subject: cidr, was: None, is_now }).await?;
    versions::bump(&writing, Topic::Bans).await?;
    writing.commit().await?;
    Ok(made.id)
}

/// Removes a firewall rule.
pub async fn remove_rule(store: &Store, by: &By, id: i64) -> Result<()> {
    let writing = store.begin().await?;
    let row = firewall::Entity::find_by_id(id).one(&*writing).await?;
    let row = row.ok_or_else(|| Error::missing("firewall rule", id))?;
    firewall::Entity::delete_by_id(id).exec(&*writing).await?;
    let was = Some(serde_json::Value::from(row.verdict));
    audit::note(&writing, by, Change { action: "remove", noun: "firewall", subject: &row.cidr, was, is_now: None })
        .await?;
    versions::bump(&writing, Topic::Bans).await?;
    writing.commit().await
}

impl From<&BanRow> for ban::ActiveModel {
    fn from(row: &BanRow) -> ban::ActiveModel {
        ban::ActiveModel {
            id: NotSet,
            scope: Set(row.scope.clone()),
            subject: Set(row.subject.clone()),
            reason: Set(row.reason.clone()),
            evidence: Set(row.evidence.clone()),
            created_by: Set(row.created_by.clone()),
            created_at: Set(row.created_at.micros()),
            expires_at: Set(row.expires_at.map(Wall::micros)),
        }
    }
}

impl From<ban::Model> for BanRow {
    fn from(row: ban::Model) -> BanRow {
        BanRow {
            scope: row.scope,
            subject: row.subject,
            reason: row.reason,
            evidence: row.evidence,
            created_by: row.created_by,
            created_at: Wall::from_micros(row.created_at),
            expires_at: row.expires_at.map(Wall::from_micros),
        }
    }
}

impl From<firewall::Model> for FirewallRow {
    fn from(row: firewall::Model) -> FirewallRow {
        FirewallRow {
            id: row.id,
            verdict: row.verdict,
            cidr: row.cidr,
            created_by: row.created_by,
            created_at: Wall::from_micros(row.created_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, by};

    both!(bans_last_until_their_time, rules_are_written_once);

    async fn bans_last_until_their_time(store: Store) {
        let ban = |subject: &str, until: Option<i64>| BanRow {
            scope: "ip".to_owned(),
            subject: subject.to_owned(),
            reason: "scanner".to_owned(),
            evidence: "OPTIONS sip:100@".to_owned(),
            created_by: "platform".to_owned(),
            created_at: Wall::from_secs(1),
            expires_at: until.map(Wall::from_secs),
        };
        save(&store, &[ban("192.0.2.1", Some(10)), ban("192.0.2.2", None)]).await.unwrap();
        save(&store, &[ban("192.0.2.1", Some(20))]).await.unwrap();
        let subjects = async |now| -> Vec<String> {
            list(&store, Wall::from_secs(now)).await.unwrap().into_iter().map(|ban| ban.subject).collect()
        };
        assert_eq!(subjects(15).await, ["192.0.2.2", "192.0.2.1"]);
        assert_eq!(subjects(20).await, ["192.0.2.2"]);
        assert_eq!(prune(&store, Wall::from_secs(20)).await.unwrap(), 1);
        add(&store, &by(1), &ban("192.0.2.3", None)).await.unwrap();
        assert_eq!(remove(&store, &by(2), Some("192.0.2.9")).await.unwrap(), 0);
        assert_eq!(remove(&store, &by(2), None).await.unwrap(), 2);
    }

    async fn rules_are_written_once(store: Store) {
        let id = add_rule(&store, &by(1), "deny", "198.51.100.0/24").await.unwrap();
        let error = add_rule(&store, &by(1), "allow", "198.51.100.0/24").await.unwrap_err();
        assert_eq!(error.to_string(), "firewall rule for 198.51.100.0/24 exists already");
        remove_rule(&store, &by(2), id).await.unwrap();
        assert_eq!(
            remove_rule(&store, &by(2), id).await.unwrap_err().to_string(),
            format!("there is no firewall rule {id}")
        );
    }
}
