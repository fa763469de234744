//! What an operator set. The registry knows names, types and ranges; here they are text.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder};
use serde::Serialize;
use serde_json::Value;
use tollgate_types::Wall;

use crate::audit::{self, Change};
use crate::entity::setting;
use crate::error::Result;
use crate::marks;
use crate::open::{By, Store};
use crate::versions::{self, Topic};

/// One setting that is not at its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    /// Its name in the registry.
    pub name: String,
    /// Its value as the registry prints it.
    pub value: String,
    /// Since when.
    pub changed_at: Wall,
    /// By whom.
    pub changed_by: String,
}

/// All that is set, by name.
pub async fn list(store: &Store) -> Result<Vec<SettingRow>> {
    let rows = setting::Entity::find().order_by_asc(setting::Column::Name).all(store.read()).await?;
    Ok(rows.into_iter().map(SettingRow::from).collect())
}

/// One of them; `None`: it has its default.
pub async fn get(store: &Store, name: &str) -> Result<Option<SettingRow>> {
    Ok(setting::Entity::find_by_id(name.to_owned()).one(store.read()).await?.map(SettingRow::from))
}

/// Sets one.
pub async fn set(store: &Store, by: &By, name: &str, value: &str) -> Result<()> {
    change(store, by, &[(name, Some(value))]).await
}

/// Puts one back to its default.
pub async fn unset(store: &Store, by: &By, name: &str) -> Result<()> {
    change(store, by, &[(name, None)]).await
}

/// Sets (`Some`) and unsets (`None`) several at once, as a profile does: all or none. Each that differs leaves an audit row.
pub async fn change(store: &Store, by: &By, changes: &[(&str, Option<&str>)]) -> Result<()> {
    let writing = store.begin().await?;
    let mut changed = false;
    for (name, value) in changes {
        let was = setting::Entity::find_by_id((*name).to_owned()).one(&*writing).await?.map(|row| row.value);
        if was.as_deref() == *value {
            continue;
        }
        changed = true;
        match value {
            Some(value) => {
                let row = setting::ActiveModel {
                    name: Set((*name).to_owned()),
                    value: Set((*value).to_owned()),
                    changed_at: Set(by.at.micros()),
                    changed_by: Set(by.who.clone()),
                };
                use setting::Column::{ChangedAt, ChangedBy, Name, Value};
                let conflict = OnConflict::column(Name).update_columns([Value, ChangedAt, ChangedBy]).to_owned();
                setting::Entity::insert(row).on_conflict(conflict).exec_without_returning(&*writing).await?;
            }
            None => {
                setting::Entity::delete_by_id((*name).to_owned()).exec(&*writing).await?;
            }
        }
        let action = if value.is_some() { "set" } else { "unset" };
        let (was, is_now) = (was.map(Value::from), value.map(Value::from));
        audit::note(&writing, by, Change { action, noun: "setting", subject: name, was, is_now }).await?;
    }
    if changed {
        versions::bump(&writing, Topic::Settings).await?;
    }
    writing.commit().await
}

/// Chooses the profile that gives every setting its value unless set; `mark` is where the choice is remembered.
pub async fn choose_profile(store: &Store, by: &By, mark: &str, profile: &str) -> Result<()> {
    let writing = store.begin().await?;
    let was = marks::replace(&*writing, mark, profile).await?;
    if was.as_deref() != Some(profile) {
        let (was, is_now) = (was.map(Value::from), Some(profile.into()));
        audit::note(&writing, by, Change { action: "set", noun: "profile", subject: profile, was, is_now }).await?;
        versions::bump(&writing, Topic::Settings).await?;
    }
    writing.commit().await
}

impl From<setting::Model> for SettingRow {
    fn from(row: setting::Model) -> SettingRow {
        SettingRow {
            name: row.name,
            value: row.value,
            changed_at: Wall::from_micros(row.changed_at),
            changed_by: row.changed_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, by};

    both!(a_change_leaves_its_trace_and_a_repetition_none);

    async fn a_change_leaves_its_trace_and_a_repetition_none(store: Store) {
        let before = versions::read(&store).await.unwrap().settings;
        set(&store, &by(1), "lines.max", "5").await.unwrap();
        set(&store, &by(2), "lines.max", "5").await.unwrap();
        set(&store, &by(3), "lines.max", "7").await.unwrap();
        assert_eq!(get(&store, "lines.max").await.unwrap().unwrap().value, "7");
        assert_eq!(versions::read(&store).await.unwrap().settings, before + 2);
        unset(&store, &by(4), "lines.max").await.unwrap();
        assert_eq!(get(&store, "lines.max").await.unwrap(), None);
        change(&store, &by(5), &[("a", Some("1")), ("b", Some("2"))]).await.unwrap();
        assert_eq!(list(&store).await.unwrap().len(), 2);

        let trail = audit::list(&store, Some("setting"), Some("lines.max"), 10).await.unwrap();
        let told: Vec<_> = trail.iter().map(|row| (row.action.as_str(), row.was.clone(), row.is_now.clone())).collect();
        let text = |value: &str| Some(Value::from(value));
        assert_eq!(told, [("unset", text("7"), None), ("set", text("5"), text("7")), ("set", None, text("5"))]);
    }
}
