//! The books on PostgreSQL: the same decision, under row locks.
//!
//! Every node locks in one order: holds by key, accounts by id, line counts by holder, source addresses, talk of trunks. Two nodes can then wait for each other's
//! commit, but never for each other.

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, DatabaseConnection, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, SqlxPostgresConnector, TransactionTrait,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tollgate_billing::ledger::{Changes, Needs};
use tollgate_billing::policy::Rules;
use tollgate_billing::{Ask, Books, HoldKey, Outcome, apply};
use tollgate_types::Wall;

use super::plan::{Before, accounts_of, line_moves, released};
use super::{rows, sources};
use crate::entity::{account, account_day, cdr, entry, hold, line};
use crate::error::{Error, Result};
use crate::marks;
use crate::open::Store;

/// A lock or statement that takes longer than this ends the batch with [`Error::Busy`].
const PATIENCE: &str = "5s";

/// Rows a statement carries at most: PostgreSQL takes 65,535 parameters.
const CHUNK: usize = 1000;

/// A server that says nothing for this long is gone, whatever the network pretends.
const SILENCE: Duration = Duration::from_secs(7);

/// A connection that is not there after this long is not to be had.
const CONNECT: Duration = Duration::from_secs(3);

/// The books on a server, on a connection of their own.
pub struct Book {
    server: PgConnectOptions,
    connection: DatabaseConnection,
}

impl Book {
    /// Opens the books of a store on a server; an embedded store has none of this kind.
    pub async fn open(store: &Store) -> Result<Book> {
        let server = store.server().ok_or_else(|| Error::Refused("the database is no server".to_owned()))?;
        let server = server.clone().options([
            ("lock_timeout", PATIENCE),
            ("statement_timeout", PATIENCE),
            ("idle_in_transaction_session_timeout", "10s"),
            ("synchronous_commit", "on"),
        ]);
        Ok(Book { connection: connection(&server), server })
    }

    /// Is the server there, and does it take what is written?
    pub async fn probe(&mut self) -> Result<()> {
        let asking = async {
            let transaction = self.connection.begin().await?;
            marks::replace(&transaction, super::PROBE, "").await?;
            Ok(transaction.commit().await?)
        };
        let answer = tokio::time::timeout(SILENCE, asking).await;
        answer.unwrap_or_else(|_| Err(self.begin_anew()))
    }

    /// Decides `asks` in their order; the n-th outcome answers the n-th ask.
    pub async fn commit(&mut self, rules: &Rules, asks: &[Ask], now: Wall) -> Result<Vec<Outcome>> {
        let deciding = tokio::time::timeout(SILENCE, self.decide(rules, asks, now)).await;
        deciding.unwrap_or_else(|_| Err(self.begin_anew()))
    }

    /// The old connection may wait for ever for an answer that the network has swallowed.
    fn begin_anew(&mut self) -> Error {
        self.connection = connection(&self.server);
        Error::Unreachable(format!("the server has been silent for {} s", SILENCE.as_secs()))
    }

    async fn decide(&self, rules: &Rules, asks: &[Ask], now: Wall) -> Result<Vec<Outcome>> {
        // Dropped before its commit, a transaction is rolled back.
        let transaction = self.connection.begin().await?;
        let (mut books, before) = read(&transaction, asks).await?;
        if rules.policy.ip.is_on() {
            sources::read_server(&transaction, &mut books, asks, now).await?;
        }
        let outcomes = apply(&mut books, rules, asks, now);
        let changes = books.take_changes();
        write(&transaction, &before, &changes).await?;
        sources::write_server(&transaction, &changes, now).await?;
        transaction.commit().await?;
        Ok(outcomes)
    }
}

/// A pool of one, which connects when it is used, and again after the server was gone.
fn connection(server: &PgConnectOptions) -> DatabaseConnection {
    let one = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT);
    SqlxPostgresConnector::from_sqlx_postgres_pool(one.connect_lazy_with(server.clone()))
}

async fn read(transaction: &DatabaseTransaction, asks: &[Ask]) -> Result<(Books, Before)> {
    let needs = Needs::of(asks);
    let mut books = Books::default();
    let mut before = Before::new();
    let mut accounts = needs.accounts.clone();
    for keys in chunks(needs.holds.iter().copied()) {
        let found = hold::Entity::find()
            .filter(any_of(&keys, |key| leg(key, hold::Column::Call, hold::Column::PaidLeg)))
            .order_by_asc(hold::Column::Call)
            .order_by_asc(hold::Column::PaidLeg)
            .lock(LockType::Update)
            .all(transaction)
            .await?;
        for row in found {
            let hold = rows::hold(rows::hold_key(row.call, row.paid_leg)?, &row.hold)?;
            accounts.extend(accounts_of(&hold));
            before.insert(hold.key, hold.holders.clone());
            books.put_hold(hold);
        }
        let unheld: Vec<HoldKey> = keys.into_iter().filter(|key| !before.contains_key(key)).collect();
        if unheld.is_empty() {
            continue;
        }
        let closed: Vec<(i64, i64)> = cdr::Entity::find()
            .select_only()
            .columns([cdr::Column::Call, cdr::Column::PaidLeg])
            .filter(any_of(&unheld, |key| leg(key, cdr::Column::Call, cdr::Column::PaidLeg)))
            .into_tuple()
            .all(transaction)
            .await?;
        for (call, paid_leg) in closed {
            books.put_closed(rows::hold_key(call, paid_leg)?);
        }
    }
    let ids: Vec<i64> = accounts.iter().map(|id| id.0).collect();
    for ids in chunks(ids) {
        // Users are written with a reference to their account: a lock on its key would make them wait for calls.
        let find = account::Entity::find().filter(account::Column::Id.is_in(ids)).order_by_asc(account::Column::Id);
        for row in find.lock(LockType::NoKeyUpdate).all(transaction).await? {
            books.put_account(rows::account(row)?);
        }
    }
    let mut lines = needs.lines.clone();
    lines.extend(released(asks, &before));
    for holders in chunks(lines) {
        let asked = holders.into_iter().map(|holder| line_row(holder, 0));
        let untouched = Expr::col((line::Entity, line::Column::InUse));
        let same = OnConflict::columns([line::Column::Holder, line::Column::HolderId])
            .value(line::Column::InUse, untouched)
            .to_owned();
        let found = line::Entity::insert_many(asked).on_conflict(same).exec_with_returning(transaction).await?;
        for row in found {
            let holder = rows::holder(row.holder, row.holder_id)?;
            let in_use = u32::try_from(row.in_use).map_err(|_| Error::corrupt(format!("lines of {holder:?}")))?;
            books.put_lines(holder, in_use);
        }
    }
    for (account, key) in &needs.entries {
        let found = entry::Entity::find()
            .filter(entry::Column::AccountId.eq(account.0))
            .filter(entry::Column::Call.eq(key.call.to_i64()))
            .filter(entry::Column::PaidLeg.eq(i64::from(key.paid_leg)))
            .filter(entry::Column::Sequence.eq(i64::from(key.sequence)))
            .one(transaction)
            .await?;
        if let Some(row) = found {
            books.put_entry(rows::entry(row)?);
        }
    }
    for (account, day) in &needs.days {
        if let Some(row) = account_day::Entity::find_by_id((account.0, i64::from(day.0))).one(transaction).await? {
            books.put_day(rows::day(row)?);
        }
    }
    Ok((books, before))
}

async fn write(transaction: &DatabaseTransaction, before: &Before, changes: &Changes) -> Result<()> {
    for row in &changes.accounts {
        let state = &row.state;
        account::Entity::update_many()
            .col_expr(account::Column::Balance, Expr::value(state.balance.micros()))
            .col_expr(account::Column::Held, Expr::value(state.held.micros()))
            .col_expr(account::Column::Burning, Expr::value(state.burning.nanos()))
            .col_expr(account::Column::Entries, Expr::value(rows::signed(state.entries)?))
            .col_expr(account::Column::Head, Expr::value(state.head.0.to_vec()))
            .col_expr(account::Column::Windows, Expr::value(rows::windows(state)?))
            .filter(account::Column::Id.eq(row.id.0))
            .exec(transaction)
            .await?;
    }
    for part in changes.holds.chunks(CHUNK) {
        let flat = part.iter().map(rows::flat_hold).collect::<Result<Vec<_>>>()?;
        let replaced = OnConflict::columns([hold::Column::Call, hold::Column::PaidLeg])
            .update_columns([hold::Column::PaidUntil, hold::Column::Hold])
            .to_owned();
        let insert = hold::Entity::insert_many(flat.into_iter().map(IntoActiveModel::into_active_model));
        insert.on_conflict(replaced).exec_without_returning(transaction).await?;
    }
    for part in changes.ended.chunks(CHUNK) {
        let ended = any_of(part, |key| leg(key, hold::Column::Call, hold::Column::PaidLeg));
        hold::Entity::delete_many().filter(ended).exec(transaction).await?;
    }
    for moves in chunks(line_moves(before, changes)) {
        let sum = Expr::col((line::Entity, line::Column::InUse)).add(Expr::cust("excluded.in_use"));
        let moved = OnConflict::columns([line::Column::Holder, line::Column::HolderId])
            .value(line::Column::InUse, sum)
            .to_owned();
        let insert = line::Entity::insert_many(moves.into_iter().map(|(holder, by)| line_row(holder, by)));
        insert.on_conflict(moved).exec_without_returning(transaction).await?;
    }
    for part in changes.entries.chunks(CHUNK) {
        let flat = part.iter().map(rows::flat_entry).collect::<Result<Vec<_>>>()?;
        let insert = entry::Entity::insert_many(flat.into_iter().map(IntoActiveModel::into_active_model));
        insert.exec_without_returning(transaction).await?;
    }
    for part in changes.days.chunks(CHUNK) {
        let flat = part.iter().map(rows::flat_day).collect::<Result<Vec<_>>>()?;
        use account_day::Column::{Accepted, AccountId, Capped, Day, Spend, TalkMs};
        let replaced =
            OnConflict::columns([AccountId, Day]).update_columns([Spend, TalkMs, Capped, Accepted]).to_owned();
        let insert = account_day::Entity::insert_many(flat.into_iter().map(IntoActiveModel::into_active_model));
        insert.on_conflict(replaced).exec_without_returning(transaction).await?;
    }
    for part in changes.records.chunks(CHUNK) {
        let mut flat = Vec::with_capacity(part.len());
        for record in part {
            flat.push(cdr::ActiveModel { id: NotSet, ..rows::flat_cdr(record)?.into_active_model() });
        }
        cdr::Entity::insert_many(flat).exec_without_returning(transaction).await?;
    }
    for (key, count) in &changes.repeats {
        cdr::Entity::update_many()
            .col_expr(cdr::Column::Repeats, Expr::value(i64::from(*count)))
            .filter(leg(key, cdr::Column::Call, cdr::Column::PaidLeg))
            .filter(cdr::Column::Repeats.lt(i64::from(*count)))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

fn line_row(holder: tollgate_billing::hold::Holder, in_use: i64) -> line::ActiveModel {
    let (kind, id) = rows::flat_holder(holder);
    line::ActiveModel { holder: Set(kind), holder_id: Set(id), in_use: Set(in_use) }
}

fn leg(key: &HoldKey, call: impl ColumnTrait, paid_leg: impl ColumnTrait) -> Condition {
    Condition::all().add(call.eq(key.call.to_i64())).add(paid_leg.eq(i64::from(key.paid_leg)))
}

fn any_of(keys: &[HoldKey], is: impl Fn(&HoldKey) -> Condition) -> Condition {
    keys.iter().fold(Condition::any(), |any, key| any.add(is(key)))
}

fn chunks<T>(all: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    let mut all = all.into_iter();
    std::iter::from_fn(move || {
        let part: Vec<T> = all.by_ref().take(CHUNK).collect();
        (!part.is_empty()).then_some(part)
    })
}
