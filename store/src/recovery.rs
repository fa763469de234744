//! What was running when a node died: its holds, with the last instant it is known to have lived.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use tollgate_billing::HoldRow;
use tollgate_types::Wall;

use crate::book::rows;
use crate::entity::{hold, life};
use crate::error::Result;
use crate::nodes::{self, Life};
use crate::open::Store;

/// A hold whose process is gone, and until when it was proven to live.
#[derive(Clone, Debug, PartialEq)]
pub struct Orphan {
    /// The hold.
    pub hold: HoldRow,
    /// Charge up to here at most.
    pub proven_until: Wall,
}

/// Everything that earlier lives of this node left behind: to be settled before `ready`, both legs to be sent BYE.
pub async fn of_earlier_lives(store: &Store, life: &Life) -> Result<Vec<Orphan>> {
    let find = hold::Entity::find()
        .filter(hold::Column::NodeId.eq(i64::from(life.node)))
        .filter(hold::Column::Life.ne(life.id))
        .order_by_asc(hold::Column::Call)
        .order_by_asc(hold::Column::PaidLeg);
    orphans(store, find.all(store.read()).await?).await
}

/// Says that earlier lives of this node left nothing behind any more; those that still have holds stay open.
pub async fn close_earlier_lives(store: &Store, life: &Life) -> Result<()> {
    for earlier in
        nodes::open_lives(store).await?.into_iter().filter(|open| open.node == life.node && open.id < life.id)
    {
        let left = hold::Entity::find()
            .filter(hold::Column::NodeId.eq(i64::from(life.node)))
            .filter(hold::Column::Life.eq(earlier.id))
            .one(store.read())
            .await?;
        if left.is_none() {
            nodes::end(store, earlier.id).await?;
        }
    }
    Ok(())
}

/// What other nodes that are dead left behind, once its paid time and `skew` are over: nobody there can be talking any more.
/// A hold without paid time (it rang, or it is free) is over when its node has been dead for `skew`.
pub async fn of_dead_nodes(store: &Store, life: &Life, skew: Duration) -> Result<Vec<Orphan>> {
    let now = store.now().await?;
    let lives: BTreeMap<i64, Life> = nodes::open_lives(store).await?.into_iter().map(|open| (open.id, open)).collect();
    let paid_until = hold::Column::PaidUntil;
    let over = Condition::any().add(paid_until.is_null()).add(paid_until.lt((now - skew).micros()));
    let find = hold::Entity::find()
        .filter(hold::Column::NodeId.ne(i64::from(life.node)))
        .filter(over)
        .order_by_asc(hold::Column::Call);
    let rows = find.all(store.read()).await?.into_iter().filter(|row| {
        let silent = lives.get(&row.life).map_or(Duration::MAX, |life| now.since(life.alive_at));
        silent > nodes::ALIVE_FOR + skew
    });
    orphans(store, rows.collect()).await
}

async fn orphans(store: &Store, rows: Vec<hold::Model>) -> Result<Vec<Orphan>> {
    let proofs: BTreeMap<i64, i64> =
        life::Entity::find().all(store.read()).await?.into_iter().map(|life| (life.id, life.alive_at)).collect();
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let hold = rows::hold(rows::hold_key(row.call, row.paid_leg)?, &row.hold)?;
        // A life that left no proof proves nothing but that the hold was made.
        let proven_until = proofs.get(&row.life).map_or(hold.held_at, |at| Wall::from_micros(*at));
        found.push(Orphan { hold, proven_until });
    }
    Ok(found)
}
