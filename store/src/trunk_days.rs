//! How long egress trunks talked: written by the books with each settlement, read by whoever chooses carriers.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tollgate_billing::calendar::Day;
use tollgate_types::TrunkId;

use crate::entity::trunk_day;
use crate::error::{Error, Result};
use crate::open::Store;

/// What one trunk talked, of ended calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talked {
    /// Milliseconds today.
    pub today_ms: u64,
    /// Milliseconds this month, today included.
    pub month_ms: u64,
}

/// Every trunk that talked in the month of `today`, a day of UTC.
pub async fn talked(store: &Store, today: Day) -> Result<Vec<(TrunkId, Talked)>> {
    let first = i64::from(today.month().first_day().0);
    let find = trunk_day::Entity::find().filter(trunk_day::Column::Day.gte(first));
    let mut all: Vec<(TrunkId, Talked)> = Vec::new();
    for row in find.order_by_asc(trunk_day::Column::TrunkId).all(store.read()).await? {
        let ms = u64::try_from(row.talk_ms).map_err(|_| Error::corrupt(format!("talk of trunk {}", row.trunk_id)))?;
        if all.last().is_none_or(|(trunk, _)| trunk.0 != row.trunk_id) {
            all.push((TrunkId(row.trunk_id), Talked::default()));
        }
        let Some((_, talked)) = all.last_mut() else { continue };
        talked.month_ms += ms;
        if row.day == i64::from(today.0) {
            talked.today_ms += ms;
        }
    }
    Ok(all)
}
