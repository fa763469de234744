//! What the books keep beside accounts: usage of source addresses, read only while that is limited, and talk of egress trunks.

use std::net::IpAddr;

use rusqlite::{OptionalExtension, Transaction, params};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait};
use tollgate_billing::ledger::Changes;
use tollgate_billing::source::Usage;
use tollgate_billing::{Ask, Books};
use tollgate_types::Wall;

use crate::entity::{source, trunk_day};
use crate::error::{Error, Result};

pub(super) fn read_file(transaction: &Transaction<'_>, books: &mut Books, asks: &[Ask]) -> Result<()> {
    let mut find = transaction.prepare_cached("SELECT used FROM sources WHERE source = ?1")?;
    for ip in books.sources_of(asks) {
        let used: Option<String> = find.query_row([ip.to_string()], |row| row.get(0)).optional()?;
        books.put_source(ip, used.map_or(Ok(Usage::default()), |used| usage(ip, &used))?);
    }
    Ok(())
}

pub(super) fn write_file(transaction: &Transaction<'_>, changes: &Changes, now: Wall) -> Result<()> {
    for (ip, usage) in &changes.sources {
        let mut put = transaction.prepare_cached(
            "INSERT INTO sources (source, used, counted_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (source) DO UPDATE SET used = excluded.used, counted_at = excluded.counted_at",
        )?;
        put.execute(params![ip.to_string(), flat(usage)?, now.micros()])?;
    }
    for (trunk, day, ms) in &changes.trunk_talk {
        let mut add = transaction.prepare_cached(
            "INSERT INTO trunk_days (trunk_id, day, talk_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (trunk_id, day) DO UPDATE SET talk_ms = talk_ms + excluded.talk_ms",
        )?;
        add.execute(params![trunk.0, day.0, super::rows::signed(*ms)?])?;
    }
    Ok(())
}

/// Locks the rows in the order of their text; one that is new is made, so that two nodes cannot both find nothing.
pub(super) async fn read_server(
    transaction: &DatabaseTransaction,
    books: &mut Books,
    asks: &[Ask],
    now: Wall,
) -> Result<()> {
    let mut asked: Vec<(String, IpAddr)> = books.sources_of(asks).into_iter().map(|ip| (ip.to_string(), ip)).collect();
    asked.sort();
    for (text, ip) in asked {
        let row = source::ActiveModel {
            source: Set(text),
            used: Set(flat(&Usage::default())?),
            counted_at: Set(now.micros()),
        };
        let untouched = Expr::col((source::Entity, source::Column::CountedAt));
        let same = OnConflict::column(source::Column::Source).value(source::Column::CountedAt, untouched).to_owned();
        let row = source::Entity::insert(row).on_conflict(same).exec_with_returning(transaction).await?;
        books.put_source(ip, usage(ip, &row.used)?);
    }
    Ok(())
}

pub(super) async fn write_server(transaction: &DatabaseTransaction, changes: &Changes, now: Wall) -> Result<()> {
    for (ip, usage) in &changes.sources {
        let row =
            source::ActiveModel { source: Set(ip.to_string()), used: Set(flat(usage)?), counted_at: Set(now.micros()) };
        let columns = [source::Column::Used, source::Column::CountedAt];
        let replaced = OnConflict::column(source::Column::Source).update_columns(columns).to_owned();
        source::Entity::insert(row).on_conflict(replaced).exec_without_returning(transaction).await?;
    }
    for (trunk, day, ms) in &changes.trunk_talk {
        let row = trunk_day::ActiveModel {
            trunk_id: Set(trunk.0),
            day: Set(i64::from(day.0)),
            talk_ms: Set(super::rows::signed(*ms)?),
        };
        use trunk_day::Column::{Day, TalkMs, TrunkId};
        let sum = Expr::col((trunk_day::Entity, TalkMs)).add(Expr::cust("excluded.talk_ms"));
        let added = OnConflict::columns([TrunkId, Day]).value(TalkMs, sum).to_owned();
        trunk_day::Entity::insert(row).on_conflict(added).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Reads a row's usage.
pub(crate) fn usage(ip: impl std::fmt::Display, used: &str) -> Result<Usage> {
    serde_json::from_str(used).map_err(|error| Error::corrupt(format!("source {ip}: {error}")))
}

/// A usage as its table keeps it.
pub(crate) fn flat(usage: &Usage) -> Result<String> {
    serde_json::to_string(usage).map_err(Error::corrupt)
}
