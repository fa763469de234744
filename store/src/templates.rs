//! What new users take where nothing is said: options by name, as they are typed.

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use tollgate_types::Wall;

use crate::audit::{self, Change};
use crate::entity::{template, user};
use crate::error::{Error, Result};
use crate::open::{By, Store};

/// Options by name.
pub type Terms = BTreeMap<String, String>;

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// What it says.
    pub terms: Terms,
    /// Since when it says so.
    pub changed_at: Wall,
}

/// The template called `name`.
pub async fn named(store: &Store, name: &str) -> Result<Template> {
    let row = template::Entity::find_by_id(name.to_owned()).one(store.read()).await?;
    row.ok_or_else(|| Error::missing("template", name))?.try_into()
}

/// All templates, newest first.
pub async fn list(store: &Store) -> Result<Vec<Template>> {
    let find = template::Entity::find().order_by_desc(template::Column::ChangedAt);
    let rows = find.order_by_asc(template::Column::Name).all(store.read()).await?;
    rows.into_iter().map(Template::try_from).collect()
}

/// How many users follow it.
pub async fn users(store: &Store, name: &str) -> Result<u64> {
    Ok(user::Entity::find().filter(user::Column::Template.eq(name)).count(store.read()).await?)
}

/// Makes one.
pub async fn create(store: &Store, by: &By, name: &str, terms: &Terms) -> Result<()> {
    let writing = store.begin().await?;
    if template::Entity::find_by_id(name.to_owned()).one(&*writing).await?.is_some() {
        return Err(Error::exists("template", name));
    }
    let row = flat(name, terms, by.at)?;
    let is_now = serde_json::to_value(terms).ok();
    template::Entity::insert(row).exec_without_returning(&*writing).await?;
    audit::note(&writing, by, Change { action: "add", noun: "template", subject: name, was: None, is_now }).await?;
    writing.commit().await
}

/// Says something else from now on.
pub async fn set(store: &Store, by: &By, name: &str, terms: &Terms) -> Result<()> {
    let was = named(store, name).await?.terms;
    let writing = store.begin().await?;
    template::Entity::update(flat(name, terms, by.at)?).exec(&*writing).await?;
    let (was, is_now) = (serde_json::to_value(&was).ok(), serde_json::to_value(terms).ok());
    audit::note(&writing, by, Change { action: "set", noun: "template", subject: name, was, is_now }).await?;
    writing.commit().await
}

/// Removes one that nobody follows.
pub async fn remove(store: &Store, by: &By, name: &str) -> Result<()> {
    let was = serde_json::to_value(&named(store, name).await?.terms).ok();
    let writing = store.begin().await?;
    let followers = user::Entity::find().filter(user::Column::Template.eq(name)).count(&*writing).await?;
    if followers > 0 {
        return Err(Error::Refused(format!("template {name} has {followers} user(s): give them another one first")));
    }
    template::Entity::delete_by_id(name.to_owned()).exec(&*writing).await?;
    audit::note(&writing, by, Change { action: "remove", noun: "template", subject: name, was, is_now: None }).await?;
    writing.commit().await
}

fn flat(name: &str, terms: &Terms, at: Wall) -> Result<template::ActiveModel> {
    let terms = serde_json::to_string(terms).map_err(Error::corrupt)?;
    Ok(template::ActiveModel { name: Set(name.to_owned()), terms: Set(terms), changed_at: Set(at.micros()) })
}

impl TryFrom<template::Model> for Template {
    type Error = Error;
    fn try_from(row: template::Model) -> Result<Template> {
        let terms = serde_json::from_str(&row.terms)
            .map_err(|error| Error::corrupt(format!("template {}: {error}", row.name)))?;
        Ok(Template { name: row.name, terms, changed_at: Wall::from_micros(row.changed_at) })
    }
}
