//! How every node learns that something was written: a number per topic, bumped in the writer's own transaction; and for the
//! directory which rows that was, so that a change of one costs one.
//!
//! The number's row is locked from the bump to the commit: who sees a number sees the changes of all before it.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use tollgate_types::{AccountId, DidId, TrunkId, UserId};

use crate::entity::{change, version};
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

/// A row of the directory that was written or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Touched {
    /// A user, or his secrets.
    User(UserId),
    /// An account's plain columns, or who owns it.
    Account(AccountId),
    /// A trunk, or its secret.
    Trunk(TrunkId),
    /// A number or range.
    Did(DidId),
    /// The routing table, which is small and read whole.
    Routes,
    /// Too much to list.
    All,
}

/// Versions whose changes are kept: a node that has missed more reads everything.
const KEPT: i64 = 10_000;
/// Rows that are listed for one version.
const LISTED_MAX: usize = 1000;

/// Says that rows of the directory changed. Last in a transaction: from here to its end other writers of the directory wait.
pub(crate) async fn touch(writing: &Writing, rows: &[Touched]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    bump(writing, Topic::Directory).await?;
    let row = version::Entity::find_by_id(Topic::Directory.name().to_owned()).one(&**writing).await?;
    let version = row.map_or(1, |row| row.version);
    let rows = if rows.len() > LISTED_MAX { &[Touched::All] } else { rows };
    let mut keys: Vec<(&'static str, i64)> = rows.iter().map(|touched| touched.key()).collect();
    keys.sort_unstable();
    keys.dedup();
    let listed = keys.into_iter().map(|(noun, row)| change::ActiveModel {
        version: Set(version),
        noun: Set(noun.to_owned()),
        row_id: Set(row),
    });
    change::Entity::insert_many(listed).exec_without_returning(&**writing).await?;
    change::Entity::delete_many().filter(change::Column::Version.lte(version - KEPT)).exec(&**writing).await?;
    Ok(())
}

/// What was written to the directory after version `known`, and which version that leads to; `None` where it cannot be told
/// any more, or is too much.
pub(crate) async fn touched_since(store: &Store, known: i64) -> Result<Option<(i64, Vec<Touched>)>> {
    let rows = change::Entity::find().filter(change::Column::Version.gt(known)).all(store.read()).await?;
    let now = rows.iter().map(|row| row.version).max().unwrap_or(known);
    let mut versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
    versions.sort_unstable();
    versions.dedup();
    let mut touched: Vec<Touched> = rows.iter().map(|row| Touched::read(&row.noun, row.row_id)).collect();
    touched.sort_unstable();
    touched.dedup();
    let is_whole = usize::try_from(now - known).is_ok_and(|steps| steps == versions.len());
    let can_be_told = is_whole && !touched.contains(&Touched::All) && touched.len() <= LISTED_MAX;
    Ok(can_be_told.then_some((now, touched)))
}

impl Touched {
    fn key(self) -> (&'static str, i64) {
        match self {
            Touched::User(id) => ("user", id.0),
            Touched::Account(id) => ("account", id.0),
            Touched::Trunk(id) => ("trunk", id.0),
            Touched::Did(id) => ("did", id.0),
            Touched::Routes => ("routes", 0),
            Touched::All => ("all", 0),
        }
    }

    /// A noun of a later version of this program is too much to tell.
    fn read(noun: &str, id: i64) -> Touched {
        match noun {
            "user" => Touched::User(UserId(id)),
            "account" => Touched::Account(AccountId(id)),
            "trunk" => Touched::Trunk(TrunkId(id)),
            "did" => Touched::Did(DidId(id)),
            "routes" => Touched::Routes,
            _ => Touched::All,
        }
    }
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
