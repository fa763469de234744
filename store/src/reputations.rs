//! What calls taught of numbers, written behind and read at start.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tollgate_routing::list::Reputation;
use tollgate_types::{E164, Wall};

use crate::column;
use crate::entity::reputation;
use crate::error::Result;
use crate::open::Store;

/// Rows in one statement: a transaction of these keeps SQLite's write lock for a few milliseconds.
const CHUNK: usize = 200;

/// The numbers heard of latest, at most `most`, the latest last.
pub async fn latest(store: &Store, most: u64) -> Result<Vec<(E164, Reputation)>> {
    let find = reputation::Entity::find().order_by_desc(reputation::Column::HeardAt).limit(most);
    let mut rows: Vec<_> = find.all(store.read()).await?.into_iter().map(read).collect::<Result<_>>()?;
    rows.reverse();
    Ok(rows)
}

/// Writes what is known of numbers now.
pub async fn write(store: &Store, known: &[(E164, Reputation)]) -> Result<()> {
    for part in known.chunks(CHUNK) {
        let writing = store.begin().await?;
        let rows = part.iter().map(|(number, known)| reputation::ActiveModel {
            number: Set(number.digits().to_owned()),
            in_a_row: Set(i64::from(known.in_a_row)),
            answered: Set(i64::from(known.answered)),
            unroutable: Set(i64::from(known.unroutable)),
            unanswered: Set(i64::from(known.unanswered)),
            score: Set(i64::from(known.score)),
            heard_at: Set(known.heard_at.micros()),
            until: Set(known.until.map(Wall::micros)),
        });
        let conflict = OnConflict::column(reputation::Column::Number)
            .update_columns([
                reputation::Column::InARow,
                reputation::Column::Answered,
                reputation::Column::Unroutable,
                reputation::Column::Unanswered,
                reputation::Column::Score,
                reputation::Column::HeardAt,
                reputation::Column::Until,
            ])
            .to_owned();
        reputation::Entity::insert_many(rows).on_conflict(conflict).exec_without_returning(&*writing).await?;
        writing.commit().await?;
    }
    Ok(())
}

/// Forgets what was heard before `at`.
pub async fn forget(store: &Store, at: Wall) -> Result<u64> {
    let writing = store.begin().await?;
    let old = reputation::Entity::delete_many().filter(reputation::Column::HeardAt.lt(at.micros()));
    let gone = old.exec(&*writing).await?.rows_affected;
    writing.commit().await?;
    Ok(gone)
}

fn read(row: reputation::Model) -> Result<(E164, Reputation)> {
    let place = format!("reputation {}", row.number);
    let known = Reputation {
        in_a_row: column::count(row.in_a_row, &place)?,
        answered: column::count(row.answered, &place)?,
        unroutable: column::count(row.unroutable, &place)?,
        unanswered: column::count(row.unanswered, &place)?,
        score: column::count(row.score, &place)?,
        heard_at: Wall::from_micros(row.heard_at),
        until: row.until.map(Wall::from_micros),
    };
    Ok((column::read(&row.number, &place)?, known))
}
