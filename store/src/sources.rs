//! What source addresses used. The books write it, see [`crate::book`]; here it is read, and forgotten when it is over.

use std::net::IpAddr;
use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tollgate_billing::source::Usage;
use tollgate_types::Wall;

use crate::book;
use crate::entity::source;
use crate::error::Result;
use crate::open::Store;

/// A live call's row is written at least this often, or holds nothing.
const QUIET_MOST: Duration = Duration::from_secs(2 * 3600);

/// Forgets addresses that were not counted within `period`; all of them when nothing is limited.
pub async fn prune(store: &Store, now: Wall, period: Option<Duration>) -> Result<u64> {
    let writing = store.begin().await?;
    let mut delete = source::Entity::delete_many();
    if let Some(period) = period {
        let kept = (period + period / 12).max(QUIET_MOST);
        delete = delete.filter(source::Column::CountedAt.lt((now - kept).micros()));
    }
    let gone = delete.exec(&*writing).await?.rows_affected;
    writing.commit().await?;
    Ok(gone)
}

/// What `ip` used.
pub async fn used(store: &Store, ip: IpAddr) -> Result<Usage> {
    let row = source::Entity::find_by_id(ip.to_string()).one(store.read()).await?;
    row.map_or(Ok(Usage::default()), |row| book::sources::usage(ip, &row.used))
}
