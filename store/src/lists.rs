//! Black and white lists.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait, QueryOrder,
};
use tollgate_routing::list::{Entry, Numbers};
use tollgate_types::{AccountId, Wall};

use crate::audit::{self, Change};
use crate::column;
use crate::entity::number_list;
use crate::error::{Error, Result};
use crate::open::{By, Store};
use crate::versions::{self, Topic};

/// All entries, newest first.
pub async fn list(store: &Store) -> Result<Vec<Entry>> {
    let rows = number_list::Entity::find().order_by_desc(number_list::Column::Id).all(store.read()).await?;
    rows.into_iter().map(read).collect()
}

/// Adds entries, all or none; their `id`s are given here.
pub async fn add(store: &Store, by: &By, entries: &[Entry]) -> Result<Vec<i64>> {
    let writing = store.begin().await?;
    let mut made = Vec::with_capacity(entries.len());
    for entry in entries {
        let row = number_list::ActiveModel {
            id: NotSet,
            color: Set(entry.color.name().to_owned()),
            numbers: Set(entry.numbers.to_string()),
            side: Set(entry.side.name().to_owned()),
            certainty: Set(i64::from(entry.certainty)),
            account_id: Set(entry.account.map(|id| id.0)),
            until: Set(entry.until.map(Wall::micros)),
            source: Set(entry.source.to_string()),
            created_at: Set(by.at.micros()),
        };
        let row = number_list::Entity::insert(row).exec_with_returning(&*writing).await?;
        made.push(row.id);
        if entries.len() == 1 {
            let (subject, is_now) = (row.id.to_string(), serde_json::to_value(&row).ok());
            let change = Change { action: "add", noun: "list", subject: &subject, was: None, is_now };
            audit::note(&writing, by, change).await?;
        }
    }
    if let ([first, .., last], [entry, ..]) = (&made[..], entries) {
        let is_now = Some(serde_json::json!({ "entries": made.len(), "first": first, "last": last }));
        let change = Change { action: "import", noun: "list", subject: &entry.source, was: None, is_now };
        audit::note(&writing, by, change).await?;
    }
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await?;
    Ok(made)
}

/// Removes an entry.
pub async fn remove(store: &Store, by: &By, id: i64) -> Result<()> {
    let writing = store.begin().await?;
    let row = number_list::Entity::find_by_id(id).one(&*writing).await?;
    let row = row.ok_or_else(|| Error::missing("list entry", id))?;
    number_list::Entity::delete_by_id(id).exec(&*writing).await?;
    let (subject, was) = (id.to_string(), serde_json::to_value(&row).ok());
    audit::note(&writing, by, Change { action: "remove", noun: "list", subject: &subject, was, is_now: None }).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await
}

fn read(row: number_list::Model) -> Result<Entry> {
    let place = format!("list entry {}", row.id);
    Ok(Entry {
        id: row.id,
        color: column::read(&row.color, &place)?,
        numbers: Numbers::parse(&row.numbers).ok_or_else(|| Error::corrupt(format!("{place}: {}", row.numbers)))?,
        side: column::read(&row.side, &place)?,
        certainty: column::count(row.certainty, &place)?,
        account: row.account_id.map(AccountId),
        until: row.until.map(Wall::from_micros),
        source: row.source.into(),
    })
}
