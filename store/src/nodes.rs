//! Nodes and their lives: who is running, and until when an earlier life was proven to be.
//!
//! `alive_at` is written each second with the database's clock. It is the proof of talk: calls of a life that ended without
//! saying so are charged up to it.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};
use serde::Serialize;
use tollgate_types::Wall;

use crate::entity::{life, node};
use crate::error::{Error, Result};
use crate::open::{Engine, Store};

/// A node whose heartbeat is younger than this is running.
pub const ALIVE_FOR: Duration = Duration::from_secs(5);

const MOST_NODES: i64 = 1024;

/// One run of a node, from its start to its end or its death.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Life {
    /// Its number; a later life has a higher one.
    pub id: i64,
    /// The node, as CallIds carry it.
    pub node: u16,
    /// When it began.
    pub started_at: Wall,
    /// Until when it is proven.
    pub alive_at: Wall,
    /// When its holds were all settled, by itself or by a later one.
    pub ended_at: Option<Wall>,
}

/// Begins a life of the node called `name`, which gets a number the first time. A node that runs already is refused, because
/// two of one number would mint the same CallIds; on the embedded database the lock file says that instead.
pub async fn begin(store: &Store, name: &str) -> Result<Life> {
    let now = store.now().await?;
    let writing = store.begin().await?;
    if store.engine() == Engine::Postgres {
        // Two new nodes would count to the same number.
        writing.execute_unprepared("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let known = node::Entity::find().filter(node::Column::Name.eq(name)).one(&*writing).await?;
    let id = match known {
        Some(node) => node.id,
        None => {
            let taken = node::Entity::find().order_by_desc(node::Column::Id).one(&*writing).await?;
            let id = taken.map_or(0, |node| node.id + 1);
            if id >= MOST_NODES {
                return Err(Error::Refused(format!("there can be no more than {MOST_NODES} nodes")));
            }
            let row = node::ActiveModel { id: Set(id), name: Set(name.to_owned()) };
            node::Entity::insert(row).exec_without_returning(&*writing).await?;
            id
        }
    };
    let latest = life::Entity::find()
        .filter(life::Column::NodeId.eq(id))
        .filter(life::Column::EndedAt.is_null())
        .order_by_desc(life::Column::Id)
        .one(&*writing)
        .await?;
    if let Some(latest) = latest
        && store.engine() == Engine::Postgres
        && now.since(Wall::from_micros(latest.alive_at)) < ALIVE_FOR
    {
        return Err(Error::Refused(format!("node {name} is running already, or died less than 5 seconds ago")));
    }
    let row = life::ActiveModel {
        id: NotSet,
        node_id: Set(id),
        started_at: Set(now.micros()),
        alive_at: Set(now.micros()),
        ended_at: Set(None),
    };
    let row = life::Entity::insert(row).exec_with_returning(&*writing).await?;
    writing.commit().await?;
    Life::try_from(row)
}

/// Says that this life goes on; answers until when it is proven now.
pub async fn heartbeat(store: &Store, life: &Life) -> Result<Wall> {
    let now = store.now().await?;
    let writing = store.begin().await?;
    life::Entity::update_many()
        .col_expr(life::Column::AliveAt, Expr::value(now.micros()))
        .filter(life::Column::Id.eq(life.id))
        .filter(life::Column::AliveAt.lt(now.micros()))
        .exec(&*writing)
        .await?;
    writing.commit().await?;
    Ok(now)
}

/// Says that nothing of this life is left to settle.
pub async fn end(store: &Store, life: i64) -> Result<()> {
    let now = store.now().await?;
    let writing = store.begin().await?;
    life::Entity::update_many()
        .col_expr(life::Column::EndedAt, Expr::value(now.micros()))
        .filter(life::Column::Id.eq(life))
        .exec(&*writing)
        .await?;
    writing.commit().await
}

/// Lives that have not ended, of all nodes, oldest first.
pub async fn open_lives(store: &Store) -> Result<Vec<Life>> {
    let find = life::Entity::find().filter(life::Column::EndedAt.is_null()).order_by_asc(life::Column::Id);
    find.all(store.read()).await?.into_iter().map(Life::try_from).collect()
}

impl TryFrom<life::Model> for Life {
    type Error = Error;
    fn try_from(row: life::Model) -> Result<Life> {
        Ok(Life {
            id: row.id,
            node: u16::try_from(row.node_id).map_err(|_| Error::corrupt(format!("node {}", row.node_id)))?,
            started_at: Wall::from_micros(row.started_at),
            alive_at: Wall::from_micros(row.alive_at),
            ended_at: row.ended_at.map(Wall::from_micros),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::both;

    both!(a_life_is_proven_until_its_last_heartbeat);

    async fn a_life_is_proven_until_its_last_heartbeat(store: Store) {
        let first = begin(&store, "alpha").await.unwrap();
        let proven = heartbeat(&store, &first).await.unwrap();
        let other = begin(&store, "beta").await.unwrap();
        assert_eq!((first.node, other.node), (0, 1));
        if store.engine() == Engine::Postgres {
            let error = begin(&store, "alpha").await.unwrap_err();
            assert_eq!(error.to_string(), "node alpha is running already, or died less than 5 seconds ago");
        } else {
            assert_eq!(begin(&store, "alpha").await.unwrap().node, 0);
        }
        let open = open_lives(&store).await.unwrap();
        assert_eq!((open[0].id, open[0].alive_at), (first.id, proven));
        end(&store, first.id).await.unwrap();
        assert!(open_lives(&store).await.unwrap().iter().all(|life| life.id != first.id));
    }
}
