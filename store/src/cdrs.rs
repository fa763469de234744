//! Records of calls: written by the books, read here.

use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
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

/// How many records there are of `[since, until)`.
pub async fn count(store: &Store, since: Wall, until: Wall) -> Result<u64> {
    let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
    Ok(select(&filter).count(store.read()).await?)
}

/// The next thousand records of `[since, until)` by the time they began, without what is for people to read (trace, ladder,
/// media); `after` is the last one of the page before.
pub async fn in_order(store: &Store, since: Wall, until: Wall, after: Option<&CdrRow>) -> Result<Vec<CdrRow>> {
    let mut find = select(&Filter { since: Some(since), until: Some(until), ..Filter::default() });
    if let Some(CdrRow { id, cdr }) = after {
        let (at, id) = (cdr.started_at.micros(), *id);
        let same = Condition::all().add(cdr::Column::StartedAt.eq(at)).add(cdr::Column::Id.gt(id));
        let later = Condition::any().add(cdr::Column::StartedAt.gt(at)).add(same);
        // The first condition alone lets an index find the place.
        find = find.filter(cdr::Column::StartedAt.gte(at)).filter(later);
    }
    let rows = find.order_by_asc(cdr::Column::StartedAt).order_by_asc(cdr::Column::Id).limit(PAGE);
    let rows = rows.all(store.read()).await?.into_iter().map(|row| {
        let empty = || "[]".to_owned();
        read(cdr::Model { trace: empty(), ladder: empty(), media: empty(), ..row })
    });
    rows.collect()
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
