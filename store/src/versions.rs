//! How every node learns that something was written: a number per topic, bumped in the writer's own transaction.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, EntityTrait};

use crate::entity::version;
use crate::error::Result;
use crate::open::{Store, Writing};

/// What nodes keep in memory and load again when its number moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Users, accounts' plain columns, trunks, DIDs, routes.
    Directory,
    /// Decks, calendars, currency rates.
    Prices,
    /// Settings.
    Settings,
    /// Bans and firewall rules.
    Bans,
}

/// The numbers as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of [`Topic::Directory`].
    pub directory: i64,
    /// Of [`Topic::Prices`].
    pub prices: i64,
    /// Of [`Topic::Settings`].
    pub settings: i64,
    /// Of [`Topic::Bans`].
    pub bans: i64,
}

/// Reads all numbers: one small query, cheap enough for each second.
pub async fn read(store: &Store) -> Result<Versions> {
    let mut versions = Versions::default();
    for row in version::Entity::find().all(store.read()).await? {
        match row.topic.as_str() {
            "directory" => versions.directory = row.version,
            "prices" => versions.prices = row.version,
            "settings" => versions.settings = row.version,
            "bans" => versions.bans = row.version,
            _ => {}
        }
    }
    Ok(versions)
}

pub(crate) async fn bump(writing: &Writing, topic: Topic) -> Result<()> {
    let row = version::ActiveModel { topic: Set(topic.name().to_owned()), version: Set(1) };
    let next = Expr::col((version::Entity, version::Column::Version)).add(1);
    let conflict = OnConflict::column(version::Column::Topic).value(version::Column::Version, next).to_owned();
    version::Entity::insert(row).on_conflict(conflict).exec_without_returning(&**writing).await?;
    Ok(())
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Topic::Directory => "directory",
            Topic::Prices => "prices",
            Topic::Settings => "settings",
            Topic::Bans => "bans",
        }
    }
}
