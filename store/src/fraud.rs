//! What the fraud score remembers of accounts, and callers refused for how their calls went. Written behind the calls.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tollgate_types::{AccountId, Wall};

use crate::entity::{caller_ban, fraud_profile};
use crate::error::Result;
use crate::open::Store;

/// Changes in one transaction.
const CHUNK: usize = 200;

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRow {
    /// Which.
    pub account: AccountId,
    /// Its habits, in the guard's own words.
    pub history: String,
    /// Its block.
    pub block: Option<BlockRow>,
}

/// Why an account is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Since when.
    pub since: Wall,
    /// Until when; `None` until it is released.
    pub until: Option<Wall>,
    /// The score in words.
    pub reason: String,
}

/// One refused caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerBanRow {
    /// Who, in the guard's own words.
    pub subject: String,
    /// The setting that names the limit.
    pub setting: String,
    /// What was seen.
    pub observed: String,
    /// What is usual.
    pub usual: String,
    /// Since when.
    pub since: Wall,
    /// Until when.
    pub expires_at: Wall,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An account is as this says.
    Profile(ProfileRow),
    /// A caller is refused.
    Ban(CallerBanRow),
    /// No longer.
    Unban(String),
}

/// All accounts that are remembered.
pub async fn profiles(store: &Store) -> Result<Vec<ProfileRow>> {
    let rows = fraud_profile::Entity::find().all(store.read()).await?;
    Ok(rows.into_iter().map(ProfileRow::from).collect())
}

/// Accounts that are blocked, the latest first.
pub async fn blocked(store: &Store) -> Result<Vec<ProfileRow>> {
    let find = fraud_profile::Entity::find().filter(fraud_profile::Column::BlockedAt.is_not_null());
    let rows = find.order_by_desc(fraud_profile::Column::BlockedAt).all(store.read()).await?;
    Ok(rows.into_iter().map(ProfileRow::from).collect())
}

/// One account, if it is remembered.
pub async fn profile(store: &Store, account: AccountId) -> Result<Option<ProfileRow>> {
    Ok(fraud_profile::Entity::find_by_id(account.0).one(store.read()).await?.map(ProfileRow::from))
}

/// Callers refused at `now`, the latest first.
pub async fn bans(store: &Store, now: Wall) -> Result<Vec<CallerBanRow>> {
    let find = caller_ban::Entity::find().filter(caller_ban::Column::ExpiresAt.gt(now.micros()));
    let rows = find.order_by_desc(caller_ban::Column::Since).all(store.read()).await?;
    Ok(rows.into_iter().map(CallerBanRow::from).collect())
}

/// Writes changes, each whole or not at all; the later of two about the same wins.
pub async fn write(store: &Store, changes: &[Change], now: Wall) -> Result<()> {
    for chunk in changes.chunks(CHUNK) {
        let writing = store.begin().await?;
        for change in chunk {
            match change {
                Change::Profile(row) => {
                    use fraud_profile::Column::{AccountId, BlockedAt, BlockedUntil, History, Reason, UpdatedAt};
                    let conflict = OnConflict::column(AccountId)
                        .update_columns([History, BlockedAt, BlockedUntil, Reason, UpdatedAt])
                        .to_owned();
                    let insert = fraud_profile::Entity::insert(row.to_active(now)).on_conflict(conflict);
                    insert.exec_without_returning(&*writing).await?;
                }
                Change::Ban(row) => {
                    use caller_ban::Column::{ExpiresAt, Observed, Setting, Since, Subject, Usual};
                    let conflict = OnConflict::column(Subject)
                        .update_columns([Setting, Observed, Usual, Since, ExpiresAt])
                        .to_owned();
                    let insert = caller_ban::Entity::insert(row.to_active()).on_conflict(conflict);
                    insert.exec_without_returning(&*writing).await?;
                }
                Change::Unban(subject) => {
                    caller_ban::Entity::delete_by_id(subject.clone()).exec(&*writing).await?;
                }
            }
        }
        writing.commit().await?;
    }
    Ok(())
}

/// Forgets bans that are over.
pub async fn prune(store: &Store, now: Wall) -> Result<()> {
    let writing = store.begin().await?;
    let over = caller_ban::Column::ExpiresAt.lte(now.micros());
    caller_ban::Entity::delete_many().filter(over).exec(&*writing).await?;
    writing.commit().await
}

impl ProfileRow {
    fn to_active(&self, now: Wall) -> fraud_profile::ActiveModel {
        let block = self.block.as_ref();
        fraud_profile::ActiveModel {
            account_id: Set(self.account.0),
            history: Set(self.history.clone()),
            blocked_at: Set(block.map(|block| block.since.micros())),
            blocked_until: Set(block.and_then(|block| block.until).map(Wall::micros)),
            reason: Set(block.map(|block| block.reason.clone())),
            updated_at: Set(now.micros()),
        }
    }
}

impl CallerBanRow {
    fn to_active(&self) -> caller_ban::ActiveModel {
        caller_ban::ActiveModel {
            subject: Set(self.subject.clone()),
            setting: Set(self.setting.clone()),
            observed: Set(self.observed.clone()),
            usual: Set(self.usual.clone()),
            since: Set(self.since.micros()),
            expires_at: Set(self.expires_at.micros()),
        }
    }
}

impl From<fraud_profile::Model> for ProfileRow {
    fn from(row: fraud_profile::Model) -> ProfileRow {
        let block = row.blocked_at.map(|since| BlockRow {
            since: Wall::from_micros(since),
            until: row.blocked_until.map(Wall::from_micros),
            reason: row.reason.unwrap_or_default(),
        });
        ProfileRow { account: AccountId(row.account_id), history: row.history, block }
    }
}

impl From<caller_ban::Model> for CallerBanRow {
    fn from(row: caller_ban::Model) -> CallerBanRow {
        CallerBanRow {
            subject: row.subject,
            setting: row.setting,
            observed: row.observed,
            usual: row.usual,
            since: Wall::from_micros(row.since),
            expires_at: Wall::from_micros(row.expires_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::both;

    both!(what_was_seen_outlives_a_restart);

    async fn what_was_seen_outlives_a_restart(store: Store) {
        let at = Wall::from_secs;
        let profile = |block: bool| ProfileRow {
            account: AccountId(7),
            history: "36 44;20000000;".to_owned(),
            block: block.then(|| BlockRow { since: at(5), until: None, reason: "110 points".to_owned() }),
        };
        let ban = |subject: &str, expires_at| CallerBanRow {
            subject: subject.to_owned(),
            setting: "fraud.autoban_asr".to_owned(),
            observed: "0 % of 20 calls answered".to_owned(),
            usual: "5 %".to_owned(),
            since: at(5),
            expires_at: at(expires_at),
        };
        let changes =
            [Change::Profile(profile(true)), Change::Ban(ban("user 7 anna", 10)), Change::Ban(ban("user 8 bob", 90))];
        write(&store, &changes, at(5)).await.unwrap();
        assert_eq!(blocked(&store).await.unwrap(), [profile(true)]);
        assert_eq!(bans(&store, at(10)).await.unwrap(), [ban("user 8 bob", 90)]);
        let released = [Change::Profile(profile(false)), Change::Unban("user 8 bob".to_owned())];
        write(&store, &released, at(11)).await.unwrap();
        assert_eq!(profiles(&store).await.unwrap(), [profile(false)]);
        assert_eq!(super::profile(&store, AccountId(7)).await.unwrap(), Some(profile(false)));
        assert!(blocked(&store).await.unwrap().is_empty() && bans(&store, at(0)).await.unwrap().len() == 1);
        prune(&store, at(10)).await.unwrap();
        assert!(bans(&store, at(0)).await.unwrap().is_empty());
    }
}
