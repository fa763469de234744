//! Addresses at which somebody has registered lately: served first when strangers storm, also after a restart.

use std::net::IpAddr;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tollgate_types::Wall;

use crate::entity::known_source;
use crate::error::Result;
use crate::open::Store;

/// Rows in one statement.
const CHUNK: usize = 400;

/// Addresses seen since then, the latest first, at most `most`.
pub async fn since(store: &Store, then: Wall, most: u64) -> Result<Vec<(IpAddr, Wall)>> {
    let rows = known_source::Entity::find()
        .filter(known_source::Column::SeenAt.gt(then.micros()))
        .order_by_desc(known_source::Column::SeenAt)
        .limit(most)
        .all(store.read())
        .await?;
    let read = |row: known_source::Model| Some((row.address.parse().ok()?, Wall::from_micros(row.seen_at)));
    Ok(rows.into_iter().filter_map(read).collect())
}

/// They were seen now.
pub async fn saw(store: &Store, seen: &[(IpAddr, Wall)]) -> Result<()> {
    for chunk in seen.chunks(CHUNK) {
        let writing = store.begin().await?;
        let rows = chunk.iter().map(|(address, at)| known_source::ActiveModel {
            address: Set(address.to_string()),
            seen_at: Set(at.micros()),
        });
        let conflict =
            OnConflict::column(known_source::Column::Address).update_column(known_source::Column::SeenAt).to_owned();
        known_source::Entity::insert_many(rows).on_conflict(conflict).exec_without_returning(&*writing).await?;
        writing.commit().await?;
    }
    Ok(())
}

/// Forgets those not seen since then.
pub async fn prune(store: &Store, then: Wall) -> Result<()> {
    let writing = store.begin().await?;
    let old = known_source::Column::SeenAt.lte(then.micros());
    known_source::Entity::delete_many().filter(old).exec(&*writing).await?;
    writing.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::both;

    both!(who_was_here_is_known_for_a_while);

    async fn who_was_here_is_known_for_a_while(store: Store) {
        let (at, one, two) = (Wall::from_secs, IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap());
        saw(&store, &[(one, at(10)), (two, at(20))]).await.unwrap();
        saw(&store, &[(one, at(30))]).await.unwrap();
        assert_eq!(since(&store, at(0), 10).await.unwrap(), [(one, at(30)), (two, at(20))]);
        assert_eq!(since(&store, at(0), 1).await.unwrap(), [(one, at(30))]);
        prune(&store, at(20)).await.unwrap();
        assert_eq!(since(&store, at(0), 10).await.unwrap(), [(one, at(30))]);
        saw(&store, &[]).await.unwrap();
    }
}
