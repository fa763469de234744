//! Rate decks in versions. An import writes its rows in parts under a new version and makes it live by one row; a rollback makes
//! the one before live again. Calls keep the prices they were quoted, so old versions may go.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use tollgate_billing::Price;
use tollgate_billing::calendar::Zone;
use tollgate_billing::deck::{Band, Deck, DeckKind, DeckRow};
use tollgate_types::{Currency, DeckId, Money, Rate, Wall};

use crate::audit::{self, Change};
use crate::column;
use crate::entity::{deck, deck_row, deck_version};
use crate::error::{Error, Result};
use crate::open::{By, Store, Writing};
use crate::versions::{self, Topic};

/// Rows a transaction writes: about 5 ms of SQLite's write lock.
const CHUNK: usize = 250;

/// Versions that are kept, the live one included.
const VERSIONS_KEPT: usize = 5;

/// A deck and its live version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeckSummary {
    /// The deck; `version` is 0 before its first import.
    pub deck: Deck,
    /// How many rows are live.
    pub rows: u64,
    /// When the live version was imported, and from what.
    pub imported: Option<(Wall, String)>,
}

/// Which deck an import goes to; it is made if there is none of that name.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The deck's name.
    pub name: &'a str,
    /// Its side; an existing deck's cannot change.
    pub kind: DeckKind,
    /// Its currency; an existing deck's cannot change.
    pub currency: Currency,
    /// Where its bands begin and end; an import may change it.
    pub zone: Zone,
    /// The file, for people.
    pub source: &'a str,
}

/// All decks, newest first.
pub async fn list(store: &Store) -> Result<Vec<DeckSummary>> {
    let mut found = Vec::new();
    for row in deck::Entity::find().order_by_desc(deck::Column::Id).all(store.read()).await? {
        found.push(summary(store, row).await?);
    }
    Ok(found)
}

/// The deck called `name`.
pub async fn named(store: &Store, name: &str) -> Result<DeckSummary> {
    let row = deck::Entity::find().filter(deck::Column::Name.eq(name)).one(store.read()).await?;
    summary(store, row.ok_or_else(|| Error::missing("deck", name))?).await
}

/// The deck with this id.
pub async fn get(store: &Store, id: DeckId) -> Result<DeckSummary> {
    let row = deck::Entity::find_by_id(id.0).one(store.read()).await?;
    summary(store, row.ok_or_else(|| Error::missing("deck", id))?).await
}

/// The rows of a deck's live version.
pub async fn rows(store: &Store, id: DeckId) -> Result<Vec<DeckRow>> {
    let deck = deck::Entity::find_by_id(id.0).one(store.read()).await?.ok_or_else(|| Error::missing("deck", id))?;
    let Some(live) = live(store.read(), &deck).await? else { return Ok(Vec::new()) };
    let find = deck_row::Entity::find().filter(deck_row::Column::VersionId.eq(live.id));
    find.order_by_asc(deck_row::Column::Id).all(store.read()).await?.into_iter().map(read).collect()
}

/// Makes a deck without a price, unless there is one of that name; answers whether it was made.
pub async fn create(store: &Store, by: &By, target: &Target<'_>) -> Result<bool> {
    let writing = store.begin().await?;
    if deck::Entity::find().filter(deck::Column::Name.eq(target.name)).one(&*writing).await?.is_some() {
        return Ok(false);
    }
    let is_now = deck::Entity::insert(empty(target, by)).exec_with_returning(&*writing).await?;
    let is_now = serde_json::to_value(&is_now).ok();
    audit::note(&writing, by, Change { action: "add", noun: "deck", subject: target.name, was: None, is_now }).await?;
    versions::bump(&writing, Topic::Prices).await?;
    writing.commit().await?;
    Ok(true)
}

fn empty(target: &Target<'_>, by: &By) -> deck::ActiveModel {
    deck::ActiveModel {
        id: NotSet,
        name: Set(target.name.to_owned()),
        kind: Set(target.kind.id().to_owned()),
        currency: Set(target.currency.to_string()),
        zone: Set(target.zone.to_string()),
        live_version: Set(None),
        created_at: Set(by.at.micros()),
    }
}

/// Imports rows as a new version and makes it live. `progress` hears how many rows are written. Until the last moment nothing is
/// changed for calls; an import that was interrupted leaves rows that the next one clears away.
pub async fn import(
    store: &Store,
    by: &By,
    target: &Target<'_>,
    rows: &[DeckRow],
    mut progress: impl FnMut(u64),
) -> Result<DeckSummary> {
    let (deck, version) = begin(store, by, target).await?;
    for (part, done) in rows.chunks(CHUNK).zip((CHUNK as u64..).step_by(CHUNK)) {
        let writing = store.begin().await?;
        let flat = part.iter().map(|row| flat(version.id, row));
        deck_row::Entity::insert_many(flat).exec_without_returning(&*writing).await?;
        writing.commit().await?;
        progress(done.min(rows.len() as u64));
    }
    let writing = store.begin().await?;
    let complete = deck_version::ActiveModel {
        id: Set(version.id),
        complete: Set(true),
        row_count: Set(i64::try_from(rows.len()).unwrap_or(i64::MAX)),
        ..<deck_version::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    deck_version::Entity::update(complete).exec(&*writing).await?;
    make_live(&writing, by, &deck, version.number, "import").await?;
    writing.commit().await?;
    prune(store, deck.id).await?;
    named(store, target.name).await
}

/// Makes the version before the live one live again.
pub async fn rollback(store: &Store, by: &By, name: &str) -> Result<DeckSummary> {
    let writing = store.begin().await?;
    let deck = deck::Entity::find().filter(deck::Column::Name.eq(name)).one(&*writing).await?;
    let deck = deck.ok_or_else(|| Error::missing("deck", name))?;
    let before = deck_version::Entity::find()
        .filter(deck_version::Column::DeckId.eq(deck.id))
        .filter(deck_version::Column::Complete.eq(true))
        .filter(deck_version::Column::Number.lt(deck.live_version.unwrap_or(0)))
        .order_by_desc(deck_version::Column::Number)
        .one(&*writing)
        .await?;
    let Some(before) = before else {
        return Err(Error::Refused(format!("deck {name} has no earlier version to go back to")));
    };
    make_live(&writing, by, &deck, before.number, "rollback").await?;
    writing.commit().await?;
    named(store, name).await
}

async fn begin(store: &Store, by: &By, target: &Target<'_>) -> Result<(deck::Model, deck_version::Model)> {
    let writing = store.begin().await?;
    let found = deck::Entity::find().filter(deck::Column::Name.eq(target.name)).one(&*writing).await?;
    let deck = match found {
        Some(deck) if deck.kind != target.kind.id() => {
            let text = format!("deck {} is a {} deck, not a {} deck", deck.name, deck.kind, target.kind);
            return Err(Error::Refused(text));
        }
        Some(deck) if deck.currency != target.currency.as_str() => {
            return Err(Error::Refused(format!(
                "deck {} is in {}, not in {}",
                deck.name, deck.currency, target.currency
            )));
        }
        Some(deck) => {
            let zone = deck::ActiveModel {
                id: Set(deck.id),
                zone: Set(target.zone.to_string()),
                ..<deck::ActiveModel as sea_orm::ActiveModelTrait>::default()
            };
            deck::Entity::update(zone).exec(&*writing).await?
        }
        None => deck::Entity::insert(empty(target, by)).exec_with_returning(&*writing).await?,
    };
    let latest = deck_version::Entity::find()
        .filter(deck_version::Column::DeckId.eq(deck.id))
        .order_by_desc(deck_version::Column::Number)
        .one(&*writing)
        .await?;
    let row = deck_version::ActiveModel {
        id: NotSet,
        deck_id: Set(deck.id),
        number: Set(latest.map_or(0, |latest| latest.number) + 1),
        complete: Set(false),
        row_count: Set(0),
        source: Set(target.source.to_owned()),
        imported_by: Set(by.who.clone()),
        imported_at: Set(by.at.micros()),
    };
    let version = deck_version::Entity::insert(row).exec_with_returning(&*writing).await?;
    writing.commit().await?;
    Ok((deck, version))
}

async fn make_live(writing: &Writing, by: &By, deck: &deck::Model, number: i64, action: &str) -> Result<()> {
    let flip = deck::ActiveModel {
        id: Set(deck.id),
        live_version: Set(Some(number)),
        ..<deck::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    deck::Entity::update(flip).exec(&**writing).await?;
    let (was, is_now) = (deck.live_version.map(Into::into), Some(number.into()));
    audit::note(writing, by, Change { action, noun: "deck", subject: &deck.name, was, is_now }).await?;
    versions::bump(writing, Topic::Prices).await
}

/// Clears away versions beyond those kept, and what interrupted imports left, in parts.
async fn prune(store: &Store, deck: i64) -> Result<()> {
    let row = deck::Entity::find_by_id(deck).one(store.read()).await?;
    let live = row.and_then(|row| row.live_version).unwrap_or(0);
    let all = deck_version::Entity::find()
        .filter(deck_version::Column::DeckId.eq(deck))
        .order_by_desc(deck_version::Column::Number)
        .all(store.read())
        .await?;
    let kept: Vec<i64> =
        all.iter().filter(|version| version.complete).take(VERSIONS_KEPT).map(|version| version.id).collect();
    // A higher number than the live one may be an import that is still under way.
    let gone = all.iter().filter(|version| version.number < live && !kept.contains(&version.id));
    for version in gone {
        loop {
            let writing = store.begin().await?;
            let part: Vec<i64> = deck_row::Entity::find()
                .select_only()
                .column(deck_row::Column::Id)
                .filter(deck_row::Column::VersionId.eq(version.id))
                .limit(4 * CHUNK as u64)
                .into_tuple()
                .all(&*writing)
                .await?;
            if part.is_empty() {
                deck_version::Entity::delete_by_id(version.id).exec(&*writing).await?;
                writing.commit().await?;
                break;
            }
            deck_row::Entity::delete_many().filter(deck_row::Column::Id.is_in(part)).exec(&*writing).await?;
            writing.commit().await?;
        }
    }
    Ok(())
}

async fn live(database: &impl sea_orm::ConnectionTrait, deck: &deck::Model) -> Result<Option<deck_version::Model>> {
    let Some(number) = deck.live_version else { return Ok(None) };
    let find = deck_version::Entity::find().filter(deck_version::Column::DeckId.eq(deck.id));
    Ok(find.filter(deck_version::Column::Number.eq(number)).one(database).await?)
}

async fn summary(store: &Store, row: deck::Model) -> Result<DeckSummary> {
    let place = format!("deck {}", row.id);
    let live = live(store.read(), &row).await?;
    let rows = match &live {
        Some(live) => {
            deck_row::Entity::find().filter(deck_row::Column::VersionId.eq(live.id)).count(store.read()).await?
        }
        None => 0,
    };
    Ok(DeckSummary {
        deck: Deck {
            id: DeckId(row.id),
            kind: column::read(&row.kind, &place)?,
            currency: column::read(&row.currency, &place)?,
            zone: column::read(&row.zone, &place)?,
            version: column::count(row.live_version.unwrap_or(0), &place)?,
            name: row.name,
        },
        rows,
        imported: live.map(|live| (Wall::from_micros(live.imported_at), live.source)),
    })
}

fn flat(version: i64, row: &DeckRow) -> deck_row::ActiveModel {
    deck_row::ActiveModel {
        id: NotSet,
        version_id: Set(version),
        prefix: Set(row.prefix.digits().to_owned()),
        destination: Set(row.destination.clone()),
        price: Set(row.price.rate.nanos()),
        setup_fee: Set(row.price.setup_fee.micros()),
        first_increment: Set(i64::from(row.price.first)),
        next_increment: Set(i64::from(row.price.next)),
        grace: Set(i64::from(row.price.grace)),
        band: Set(row.band.to_string()),
        effective_from: Set(row.effective_from.map(Wall::micros)),
        blocked: Set(row.blocked),
    }
}

fn read(row: deck_row::Model) -> Result<DeckRow> {
    let place = format!("deck row {}", row.id);
    Ok(DeckRow {
        prefix: column::read(&row.prefix, &place)?,
        destination: row.destination,
        price: Price {
            rate: Rate::from_nanos(row.price),
            setup_fee: Money::from_micros(row.setup_fee),
            first: column::count(row.first_increment, &place)?,
            next: column::count(row.next_increment, &place)?,
            grace: column::count(row.grace, &place)?,
        },
        band: Band::from(row.band.as_str()),
        effective_from: row.effective_from.map(Wall::from_micros),
        blocked: row.blocked,
    })
}
