//! Who changed what: one row for every change a person makes, in the same transaction as the change.

use sea_orm::{ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::Value;
use tollgate_types::Wall;

use crate::entity::audit;
use crate::error::{Error, Result};
use crate::open::{By, Store, Writing};

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditRow {
    /// Its number; later changes have higher ones.
    pub id: i64,
    /// When.
    pub at: Wall,
    /// Who.
    pub who: String,
    /// The verb: `add`, `set`, `remove`, …
    pub action: String,
    /// The kind of thing.
    pub noun: String,
    /// The thing.
    pub subject: String,
    /// What was there before, if anything.
    pub was: Option<Value>,
    /// What is there now, if anything.
    pub is_now: Option<Value>,
}

/// The latest changes, newest first; of one `noun`, of one `subject`, if given.
pub async fn list(store: &Store, noun: Option<&str>, subject: Option<&str>, limit: u64) -> Result<Vec<AuditRow>> {
    let mut find = audit::Entity::find();
    if let Some(noun) = noun {
        find = find.filter(audit::Column::Noun.eq(noun));
    }
    if let Some(subject) = subject {
        find = find.filter(audit::Column::Subject.eq(subject));
    }
    let rows = find.order_by_desc(audit::Column::Id).limit(limit).all(store.read()).await?;
    rows.into_iter().map(AuditRow::try_from).collect()
}

/// Leaves a row for what a person did where no row of ours changed: a call hung up, a binding forgotten, a backup written.
pub async fn record(store: &Store, by: &By, action: &str, noun: &str, subject: &str) -> Result<()> {
    let writing = store.begin().await?;
    note(&writing, by, Change { action, noun, subject, was: None, is_now: None }).await?;
    writing.commit().await
}

/// What a change did, for [`note`].
pub(crate) struct Change<'a> {
    pub action: &'a str,
    pub noun: &'a str,
    pub subject: &'a str,
    pub was: Option<Value>,
    pub is_now: Option<Value>,
}

pub(crate) async fn note(writing: &Writing, by: &By, change: Change<'_>) -> Result<()> {
    let row = audit::ActiveModel {
        id: NotSet,
        at: Set(by.at.micros()),
        who: Set(by.who.clone()),
        action: Set(change.action.to_owned()),
        noun: Set(change.noun.to_owned()),
        subject: Set(change.subject.to_owned()),
        was: Set(change.was.map(|value| value.to_string())),
        is_now: Set(change.is_now.map(|value| value.to_string())),
    };
    audit::Entity::insert(row).exec_without_returning(&**writing).await?;
    Ok(())
}

/// What differs between two versions of a row, as (was, is now); `None` when nothing does.
pub(crate) fn difference(was: &impl Serialize, is_now: &impl Serialize) -> Option<(Value, Value)> {
    let (Ok(Value::Object(mut was)), Ok(Value::Object(mut is_now))) =
        (serde_json::to_value(was), serde_json::to_value(is_now))
    else {
        return None;
    };
    let same: Vec<String> =
        was.iter().filter(|(key, value)| is_now.get(*key) == Some(value)).map(|(key, _)| key.clone()).collect();
    for key in &same {
        was.remove(key);
        is_now.remove(key);
    }
    (!was.is_empty() || !is_now.is_empty()).then_some((Value::Object(was), Value::Object(is_now)))
}

impl TryFrom<audit::Model> for AuditRow {
    type Error = Error;
    fn try_from(row: audit::Model) -> Result<AuditRow> {
        let read = |text: Option<String>| {
            text.map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|error| Error::corrupt(format!("audit {}: {error}", row.id)))
        };
        Ok(AuditRow {
            was: read(row.was)?,
            is_now: read(row.is_now)?,
            id: row.id,
            at: Wall::from_micros(row.at),
            who: row.who,
            action: row.action,
            noun: row.noun,
            subject: row.subject,
        })
    }
}
