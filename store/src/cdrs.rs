//! Records of calls: written by the books, read here.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tollgate_billing::Cdr;
use tollgate_types::{AccountId, CallId, Wall};

use crate::book::rows;
use crate::entity::cdr;
use crate::error::{Error, Result};
use crate::open::Store;

/// Rows that [`export`] reads at a time.
const PAGE: u64 = 1000;

/// A record with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct CdrRow {
    /// Its number; later ones are higher.
    pub id: i64,
    /// The record.
    pub cdr: Cdr,
}

/// Which records.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this user, by the name of that time.
    pub user: Option<String>,
    /// Paid by this account.
    pub account: Option<AccountId>,
    /// Begun then or later.
    pub since: Option<Wall>,
    /// Begun before.
    pub until: Option<Wall>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// Records that fit, newest first.
pub async fn list(store: &Store, filter: &Filter) -> Result<Vec<CdrRow>> {
    let find = select(filter).order_by_desc(cdr::Column::StartedAt).order_by_desc(cdr::Column::Id);
    let rows = find.limit(filter.limit).all(store.read()).await?;
    rows.into_iter().map(read).collect()
}

/// One record.
pub async fn show(store: &Store, id: i64) -> Result<CdrRow> {
    let row = cdr::Entity::find_by_id(id).one(store.read()).await?;
    read(row.ok_or_else(|| Error::missing("CDR", id))?)
}

/// All records of one call: one for each paid leg.
pub async fn of_call(store: &Store, call: CallId) -> Result<Vec<CdrRow>> {
    let find = cdr::Entity::find().filter(cdr::Column::Call.eq(call.to_i64())).order_by_asc(cdr::Column::PaidLeg);
    find.all(store.read()).await?.into_iter().map(read).collect()
}

/// Hands all records that fit to `each`, oldest first, without having them all in memory. Stops when `each` fails.
pub async fn export(
    store: &Store,
    filter: &Filter,
    mut each: impl FnMut(CdrRow) -> std::io::Result<()>,
) -> Result<std::io::Result<u64>> {
    let (mut after, mut count) = (0, 0);
    loop {
        let page = select(filter).filter(cdr::Column::Id.gt(after)).order_by_asc(cdr::Column::Id).limit(PAGE);
        let page = page.all(store.read()).await?;
        let Some(last) = page.last() else { return Ok(Ok(count)) };
        after = last.id;
        for row in page {
            if filter.limit == Some(count) {
                return Ok(Ok(count));
            }
            if let Err(error) = each(read(row)?) {
                return Ok(Err(error));
            }
            count += 1;
        }
    }
}

fn select(filter: &Filter) -> sea_orm::Select<cdr::Entity> {
    let mut find = cdr::Entity::find();
    if let Some(user) = &filter.user {
        find = find.filter(cdr::Column::UserName.eq(user));
    }
    if let Some(account) = filter.account {
        find = find.filter(cdr::Column::AccountId.eq(account.0));
    }
    if let Some(since) = filter.since {
        find = find.filter(cdr::Column::StartedAt.gte(since.micros()));
    }
    if let Some(until) = filter.until {
        find = find.filter(cdr::Column::StartedAt.lt(until.micros()));
    }
    find
}

fn read(row: cdr::Model) -> Result<CdrRow> {
    Ok(CdrRow { id: row.id, cdr: rows::cdr(row)? })
}
