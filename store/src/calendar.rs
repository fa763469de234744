//! The platform's calendar: peak, off-peak, holidays; one for prices and lines.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};
use tollgate_billing::calendar::Calendar;

use crate::audit::{self, Change};
use crate::entity::calendar;
use crate::error::{Error, Result};
use crate::open::{By, Store};
use crate::versions::{self, Topic};

const NAME: &str = "default";

/// The calendar in force; billing's default where none was set.
pub async fn get(store: &Store) -> Result<Calendar> {
    let row = calendar::Entity::find_by_id(NAME.to_owned()).one(store.read()).await?;
    let read = row.map(|row| serde_json::from_str(&row.definition)).transpose();
    Ok(read.map_err(|error| Error::corrupt(format!("calendar: {error}")))?.unwrap_or_default())
}

/// Replaces it.
pub async fn set(store: &Store, by: &By, calendar: &Calendar) -> Result<()> {
    let is_now = serde_json::to_value(calendar).map_err(Error::corrupt)?;
    let writing = store.begin().await?;
    let old = calendar::Entity::find_by_id(NAME.to_owned()).one(&*writing).await?;
    let was = old.and_then(|row| serde_json::from_str(&row.definition).ok());
    let row = calendar::ActiveModel {
        name: Set(NAME.to_owned()),
        definition: Set(is_now.to_string()),
        changed_at: Set(by.at.micros()),
    };
    use calendar::Column::{ChangedAt, Definition, Name};
    let replaced = OnConflict::column(Name).update_columns([Definition, ChangedAt]).to_owned();
    calendar::Entity::insert(row).on_conflict(replaced).exec_without_returning(&*writing).await?;
    let is_now = Some(is_now);
    audit::note(&writing, by, Change { action: "set", noun: "calendar", subject: NAME, was, is_now }).await?;
    versions::bump(&writing, Topic::Prices).await?;
    writing.commit().await
}
