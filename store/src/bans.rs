//! Bans, as the Gatekeeper finds them at start and leaves them for the next.
//!
//! One that is over is kept a week, because repeaters are banned for longer.

use std::time::Duration;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use tollgate_types::Wall;

use crate::audit::{self, Change};
use crate::entity::ban;
use crate::error::Result;
use crate::open::{By, Store};
use crate::versions::{self, Topic};

/// How long a ban that is over is held against a repeater.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

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
    /// How often the subject was banned in full by now, this time included.
    pub times: u32,
}

/// Bans in force at `now`, newest first.
pub async fn list(store: &Store, now: Wall) -> Result<Vec<BanRow>> {
    let lasting = Condition::any().add(ban::Column::ExpiresAt.is_null()).add(ban::Column::ExpiresAt.gt(now.micros()));
    let rows = ban::Entity::find().filter(lasting).order_by_desc(ban::Column::Id).all(store.read()).await?;
    Ok(rows.into_iter().map(BanRow::from).collect())
}

/// Bans in force at `now` and those that ended within the last week, newest first.
pub async fn remembered(store: &Store, now: Wall) -> Result<Vec<BanRow>> {
    list(store, now - KEPT).await
}

/// Writes bans as they now are; one that exists for the subject is replaced. What the platform decides leaves no audit row: its
/// reason and evidence are in the ban.
pub async fn save(store: &Store, bans: &[BanRow]) -> Result<()> {
    use ban::Column::{CreatedAt, CreatedBy, Evidence, ExpiresAt, Reason, Scope, Subject, Times};
    for chunk in bans.chunks(200) {
        let writing = store.begin().await?;
        let conflict = OnConflict::columns([Scope, Subject])
            .update_columns([Reason, Evidence, CreatedBy, CreatedAt, ExpiresAt, Times])
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

/// Takes away these bans, each by scope and subject; the platform's own word, or with `by` a person's, who is noted for each.
pub async fn lift(store: &Store, by: Option<&By>, gone: &[(String, String)]) -> Result<()> {
    let writing = store.begin().await?;
    for (scope, subject) in gone {
        let (scope, one) = (ban::Column::Scope.eq(scope), ban::Column::Subject.eq(subject));
        ban::Entity::delete_many().filter(scope).filter(one).exec(&*writing).await?;
        if let Some(by) = by {
            let change = Change { action: "remove", noun: "ban", subject, was: None, is_now: None };
            audit::note(&writing, by, change).await?;
        }
    }
    if !gone.is_empty() {
        versions::bump(&writing, Topic::Bans).await?;
    }
    writing.commit().await
}

/// Forgets bans that ended more than a week before `now`.
pub async fn prune(store: &Store, now: Wall) -> Result<u64> {
    let writing = store.begin().await?;
    let over = ban::Column::ExpiresAt.lte((now - KEPT).micros());
    let gone = ban::Entity::delete_many().filter(over).exec(&*writing).await?;
    writing.commit().await?;
    Ok(gone.rows_affected)
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
            times: Set(i64::from(row.times)),
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
            times: u32::try_from(row.times).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, by};

    both!(bans_last_until_their_time);

    async fn bans_last_until_their_time(store: Store) {
        let ban = |subject: &str, until: Option<i64>| BanRow {
            scope: "ip".to_owned(),
            subject: subject.to_owned(),
            reason: "scanner".to_owned(),
            evidence: "OPTIONS sip:100@".to_owned(),
            created_by: "platform".to_owned(),
            created_at: Wall::from_secs(1),
            expires_at: until.map(Wall::from_secs),
            times: 3,
        };
        save(&store, &[ban("192.0.2.1", Some(10)), ban("192.0.2.2", None)]).await.unwrap();
        save(&store, &[ban("192.0.2.1", Some(20))]).await.unwrap();
        let subjects = async |now| -> Vec<String> {
            list(&store, Wall::from_secs(now)).await.unwrap().into_iter().map(|ban| ban.subject).collect()
        };
        assert_eq!(subjects(15).await, ["192.0.2.2", "192.0.2.1"]);
        assert_eq!(subjects(20).await, ["192.0.2.2"]);
        assert_eq!(prune(&store, Wall::from_secs(20)).await.unwrap(), 0, "a week later it is not held against anybody");
        let week = 7 * 86_400;
        let kept = async |now| remembered(&store, Wall::from_secs(now)).await.unwrap();
        assert_eq!(
            kept(19 + week).await.iter().map(|ban| (&*ban.subject, ban.times)).collect::<Vec<_>>(),
            [("192.0.2.2", 3), ("192.0.2.1", 3)]
        );
        assert_eq!(prune(&store, Wall::from_secs(20 + week)).await.unwrap(), 1);
        save(&store, &[ban("192.0.2.4", None)]).await.unwrap();
        lift(&store, Some(&by(1)), &[("ip".to_owned(), "192.0.2.4".to_owned())]).await.unwrap();
        lift(&store, None, &[("ip+port".to_owned(), "192.0.2.2".to_owned())]).await.unwrap();
        assert_eq!(subjects(0).await, ["192.0.2.2"], "each in its scope");
        add(&store, &by(1), &ban("192.0.2.3", None)).await.unwrap();
        assert_eq!(remove(&store, &by(2), Some("192.0.2.9")).await.unwrap(), 0);
        assert_eq!(remove(&store, &by(2), None).await.unwrap(), 2);
    }
}
