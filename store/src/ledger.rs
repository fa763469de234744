//! Reading the books: an account's entries, daily anchors over all chains, and the proof that nobody changed a row by hand.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sea_orm::{
    AccessMode, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IsolationLevel,
    QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
};
use tollgate_billing::account::DayRow;
use tollgate_billing::calendar::{Day, Zone};
use tollgate_billing::ledger::chain::{self, Anchor, Breach, Head};
use tollgate_billing::ledger::{EntryRow, Hash};
use tollgate_types::{AccountId, Money, Wall};

use crate::book::rows;
use crate::entity::{account, account_day, anchor, anchor_head, entry};
use crate::error::{Error, Result};
use crate::open::{Engine, Store};

/// Heads a transaction writes: about 5 ms of SQLite's write lock.
const CHUNK: usize = 500;

/// What reading all the books found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Entries read until the first that does not hold, or all.
    pub entries: u64,
    /// The first thing that does not hold, and the name of the account it is in.
    pub breach: Option<(Breach, Option<String>)>,
}

/// An account's entries, newest first.
pub async fn list(store: &Store, account: AccountId, limit: u64) -> Result<Vec<EntryRow>> {
    let find = entry::Entity::find().filter(entry::Column::AccountId.eq(account.0));
    let found = find.order_by_desc(entry::Column::Number).limit(limit).all(store.read()).await?;
    found.into_iter().map(rows::entry).collect()
}

/// An account's history of days, newest first.
pub async fn days(store: &Store, account: AccountId, limit: u64) -> Result<Vec<DayRow>> {
    let find = account_day::Entity::find().filter(account_day::Column::AccountId.eq(account.0));
    let found = find.order_by_desc(account_day::Column::Day).limit(limit).all(store.read()).await?;
    found.into_iter().map(rows::day).collect()
}

/// Takes down the heads that moved since the last anchor, once a day (UTC); answers whether it was taken now. Called at any
/// time: a day that has its anchor is left alone.
pub async fn anchor(store: &Store) -> Result<bool> {
    let now = store.now().await?;
    let day = Zone::UTC.day_of(now);
    let last = anchor::Entity::find().order_by_desc(anchor::Column::Day).one(store.read()).await?;
    if last.as_ref().is_some_and(|last| last.day >= i64::from(day.0)) {
        return Ok(false);
    }
    let previous = match last {
        Some(last) => rows::hash(&last.hash).ok_or_else(|| Error::corrupt("the last anchor"))?,
        None => Hash::default(),
    };
    // What an attempt that was cut short left.
    let writing = store.begin().await?;
    anchor_head::Entity::delete_many().filter(anchor_head::Column::Day.eq(i64::from(day.0))).exec(&*writing).await?;
    writing.commit().await?;
    let taken = chain::anchor(day, now, moved(store).await?, previous);
    for part in taken.heads.chunks(CHUNK) {
        let writing = store.begin().await?;
        let mut flat = Vec::with_capacity(part.len());
        for head in part {
            flat.push(anchor_head::ActiveModel {
                day: Set(i64::from(day.0)),
                account_id: Set(head.account.0),
                entries: Set(rows::signed(head.entries)?),
                balance: Set(head.balance.micros()),
                head: Set(head.hash.0.to_vec()),
            });
        }
        anchor_head::Entity::insert_many(flat).exec_without_returning(&*writing).await?;
        writing.commit().await?;
    }
    let writing = store.begin().await?;
    let row = anchor::ActiveModel {
        day: Set(i64::from(day.0)),
        at: Set(now.micros()),
        previous: Set(taken.previous.0.to_vec()),
        hash: Set(taken.hash.0.to_vec()),
    };
    anchor::Entity::insert(row).exec_without_returning(&*writing).await?;
    writing.commit().await?;
    Ok(true)
}

/// Reads all the books and names the first entry that was altered, removed or put in another's place, a balance that is not the
/// sum, or an end that was cut off. Calls go on meanwhile: it reads one snapshot.
pub async fn verify(store: &Store) -> Result<Verdict> {
    let snapshot = snapshot(store).await?;
    let (heads, names) = heads(&snapshot).await?;
    let anchors = anchors(&snapshot).await?;
    let mut entries = 0;
    let outcome = match chain::Audit::begin(heads, anchors) {
        Ok(audit) => walk(&snapshot, audit, &names, &mut entries).await?,
        Err(breach) => Some(breach),
    };
    let breach = outcome.map(|breach| {
        let name = account_of(&breach).and_then(|id| names.get(&id)).cloned();
        (breach, name)
    });
    Ok(Verdict { entries, breach })
}

async fn walk(
    snapshot: &DatabaseTransaction,
    mut audit: chain::Audit,
    names: &BTreeMap<AccountId, String>,
    count: &mut u64,
) -> Result<Option<Breach>> {
    let find = entry::Entity::find().order_by_asc(entry::Column::AccountId).order_by_asc(entry::Column::Number);
    let mut stream = find.stream(snapshot).await?;
    while let Some(row) = stream.try_next().await? {
        let (account, number) = (AccountId(row.account_id), u64::try_from(row.number).unwrap_or(0));
        if !names.contains_key(&account) {
            return Ok(Some(Breach::Head { account, number }));
        }
        // A column that no longer means anything was altered as well.
        let Ok(entry) = rows::entry(row) else { return Ok(Some(Breach::Altered { account, number })) };
        if let Err(breach) = audit.read(&entry) {
            return Ok(Some(breach));
        }
        *count += 1;
    }
    Ok(audit.end().err())
}

pub(crate) async fn snapshot(store: &Store) -> Result<DatabaseTransaction> {
    // SQLite's log gives every read transaction a snapshot.
    Ok(match store.engine() {
        Engine::Sqlite => store.read().begin().await?,
        Engine::Postgres => {
            let (level, access) = (Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly));
            store.read().begin_with_config(level, access).await?
        }
    })
}

async fn heads(database: &impl ConnectionTrait) -> Result<(Vec<Head>, BTreeMap<AccountId, String>)> {
    let (mut heads, mut names) = (Vec::new(), BTreeMap::new());
    let columns = [account::Column::Id, account::Column::Entries, account::Column::Balance];
    let find = account::Entity::find().select_only().columns(columns);
    let find = find.columns([account::Column::Head, account::Column::Name]);
    let found: Vec<(i64, i64, i64, Vec<u8>, String)> = find.into_tuple().all(database).await?;
    for (id, entries, balance, head, name) in found {
        // A count or hash that cannot be is as wrong as any other: it will not be met.
        heads.push(Head {
            account: AccountId(id),
            entries: u64::try_from(entries).unwrap_or(u64::MAX),
            hash: rows::hash(&head).unwrap_or(Hash([0xff; 32])),
            balance: Money::from_micros(balance),
        });
        names.insert(AccountId(id), name);
    }
    Ok((heads, names))
}

async fn anchors(database: &impl ConnectionTrait) -> Result<Vec<Anchor>> {
    let mut heads: BTreeMap<i64, Vec<Head>> = BTreeMap::new();
    let find = anchor_head::Entity::find().order_by_asc(anchor_head::Column::Day);
    for row in find.order_by_asc(anchor_head::Column::AccountId).all(database).await? {
        heads.entry(row.day).or_default().push(Head {
            account: AccountId(row.account_id),
            entries: u64::try_from(row.entries).unwrap_or(u64::MAX),
            hash: rows::hash(&row.head).unwrap_or(Hash([0xff; 32])),
            balance: Money::from_micros(row.balance),
        });
    }
    let mut anchors = Vec::new();
    for row in anchor::Entity::find().order_by_asc(anchor::Column::Day).all(database).await? {
        anchors.push(Anchor {
            day: Day(i32::try_from(row.day).map_err(|_| Error::corrupt(format!("anchor {}", row.day)))?),
            at: Wall::from_micros(row.at),
            heads: heads.remove(&row.day).unwrap_or_default(),
            previous: rows::hash(&row.previous).unwrap_or(Hash([0xff; 32])),
            hash: rows::hash(&row.hash).unwrap_or(Hash([0xff; 32])),
        });
    }
    Ok(anchors)
}

/// Heads with more entries than the last anchor knew.
async fn moved(store: &Store) -> Result<Vec<Head>> {
    let snapshot = snapshot(store).await?;
    let known: Vec<(i64, Option<i64>)> = anchor_head::Entity::find()
        .select_only()
        .column(anchor_head::Column::AccountId)
        .column_as(anchor_head::Column::Entries.max(), "entries")
        .group_by(anchor_head::Column::AccountId)
        .into_tuple()
        .all(&snapshot)
        .await?;
    let known: BTreeMap<i64, i64> = known.into_iter().map(|(id, entries)| (id, entries.unwrap_or(0))).collect();
    let (mut heads, _) = heads(&snapshot).await?;
    heads.retain(|head| {
        let before = known.get(&head.account.0).copied().unwrap_or(0);
        i64::try_from(head.entries).is_ok_and(|entries| entries > before)
    });
    Ok(heads)
}

fn account_of(breach: &Breach) -> Option<AccountId> {
    match breach {
        Breach::Altered { account, .. }
        | Breach::Missing { account, .. }
        | Breach::Unchained { account, .. }
        | Breach::Balance { account, .. }
        | Breach::Tail { account, .. }
        | Breach::Head { account, .. } => Some(*account),
        Breach::Anchor(_) => None,
    }
}
