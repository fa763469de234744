//! The books on the embedded database: synchronous, on a connection and thread of their own.
//!
//! Measured, the asynchronous path costs four times as much CPU a call: each statement crosses two threads. Here statements are
//! prepared once, and a batch is one BEGIN IMMEDIATE … COMMIT with `synchronous=FULL`. Checkpoints happen elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use tollgate_billing::ledger::{Changes, Needs};
use tollgate_billing::policy::Rules;
use tollgate_billing::{Ask, Books, Outcome, apply};
use tollgate_types::Wall;

use super::plan::{Before, accounts_of, line_moves};
use super::{rows, sources};
use crate::entity::{account, account_day, entry};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::pen::Pen;

/// Only another program can hold the lock while we have the pen; it gets this long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// The same for a probe, and for the pen before it.
const PROBE_TIMEOUT: Duration = Duration::from_millis(50);
const STATEMENTS: usize = 32;

/// The books of one database file.
pub struct Book {
    file: PathBuf,
    pen: Pen,
    /// None after the disk failed, until it is opened anew.
    connection: Option<Connection>,
}

impl Book {
    /// Opens the books of an embedded store; a store on a server has none of this kind.
    pub fn open(store: &Store) -> Result<Book> {
        let file = store.file().ok_or_else(|| Error::Refused("the database is a server".to_owned()))?;
        let connection = Some(connect(&file.to_owned())?);
        Ok(Book { file: file.to_owned(), pen: store.pen().clone(), connection })
    }

    /// Decides `asks` in their order; the n-th outcome answers the n-th ask. Blocks for the pen, then for the disk.
    pub fn commit(&mut self, rules: &Rules, asks: &[Ask], now: Wall) -> Result<Vec<Outcome>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.file)?,
        };
        let stroke = self.pen.take_first();
        let result = transact(&mut connection, rules, asks, now);
        drop(stroke);
        self.keep(connection, &result);
        result
    }

    /// Is the file there, and does it take what is written? Asked while it did not: waits hardly at all, for calls that go on
    /// without it wait behind this.
    pub fn probe(&mut self) -> Result<()> {
        let stroke = self.pen.try_take_first(PROBE_TIMEOUT).ok_or(Error::Busy)?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.file)?,
        };
        let result = write_probe(&mut connection);
        drop(stroke);
        self.keep(connection, &result);
        result
    }

    fn keep<T>(&mut self, connection: Connection, result: &Result<T>) {
        // After a failure of the disk the connection may hold on to a file that is no longer there.
        if !matches!(result, Err(Error::Unreachable(_) | Error::Corrupt(_))) {
            self.connection = Some(connection);
        }
    }
}

fn write_probe(connection: &mut Connection) -> Result<()> {
    connection.busy_timeout(PROBE_TIMEOUT)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached("INSERT INTO marks (name, value) VALUES (?1, '') ON CONFLICT (name) DO UPDATE SET value = ''")?
        .execute([super::PROBE])?;
    transaction.commit()?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(())
}

fn connect(file: &PathBuf) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        file,
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn transact(connection: &mut Connection, rules: &Rules, asks: &[Ask], now: Wall) -> Result<Vec<Outcome>> {
    // Dropped before its commit, a transaction is rolled back.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (mut books, before) = read(&transaction, &Needs::of(asks))?;
    if rules.policy.ip.is_on() {
        sources::read_file(&transaction, &mut books, asks)?;
    }
    let outcomes = apply(&mut books, rules, asks, now);
    let changes = books.take_changes();
    write(&transaction, &before, &changes)?;
    sources::write_file(&transaction, &changes, now)?;
    transaction.commit()?;
    Ok(outcomes)
}

fn read(transaction: &Transaction<'_>, needs: &Needs) -> Result<(Books, Before)> {
    let mut books = Books::default();
    let mut before = Before::new();
    let mut accounts = needs.accounts.clone();
    let mut find_hold = transaction.prepare_cached("SELECT hold FROM holds WHERE call = ?1 AND paid_leg = ?2")?;
    let mut find_record = transaction.prepare_cached("SELECT 1 FROM cdrs WHERE call = ?1 AND paid_leg = ?2")?;
    for key in &needs.holds {
        let id = params![key.call.to_i64(), key.paid_leg];
        let text: Option<String> = find_hold.query_row(id, |row| row.get(0)).optional()?;
        match text {
            Some(text) => {
                let hold = rows::hold(*key, &text)?;
                accounts.extend(accounts_of(&hold));
                before.insert(*key, hold.holders.clone());
                books.put_hold(hold);
            }
            None if find_record.exists(id)? => books.put_closed(*key),
            None => {}
        }
    }
    let mut find_account = transaction.prepare_cached(ACCOUNT)?;
    for id in accounts {
        if let Some(row) = find_account.query_row([id.0], read_account).optional()? {
            books.put_account(rows::account(row)?);
        }
    }
    let mut find_lines = transaction.prepare_cached("SELECT in_use FROM lines WHERE holder = ?1 AND holder_id = ?2")?;
    for holder in &needs.lines {
        let in_use: Option<i64> = find_lines.query_row(rows::flat_holder(*holder), |row| row.get(0)).optional()?;
        let in_use = u32::try_from(in_use.unwrap_or(0)).map_err(|_| Error::corrupt(format!("lines of {holder:?}")))?;
        books.put_lines(*holder, in_use);
    }
    let mut find_entry = transaction.prepare_cached(
        "SELECT account_id, number, at, amount, balance, kind, call, paid_leg, sequence, note, previous, hash FROM entries
         WHERE account_id = ?1 AND call = ?2 AND paid_leg = ?3 AND sequence = ?4",
    )?;
    for (account, key) in &needs.entries {
        let id = params![account.0, key.call.to_i64(), key.paid_leg, key.sequence];
        if let Some(row) = find_entry.query_row(id, read_entry).optional()? {
            books.put_entry(rows::entry(row)?);
        }
    }
    let mut find_day = transaction.prepare_cached(
        "SELECT account_id, day, spend, talk_ms, capped, accepted FROM account_days WHERE account_id = ?1 AND day = ?2",
    )?;
    for (account, day) in &needs.days {
        if let Some(row) = find_day.query_row(params![account.0, day.0], read_day).optional()? {
            books.put_day(rows::day(row)?);
        }
    }
    Ok((books, before))
}

fn write(transaction: &Transaction<'_>, before: &Before, changes: &Changes) -> Result<()> {
    let mut update = transaction.prepare_cached(
        "UPDATE accounts SET balance = ?2, held = ?3, burning = ?4, entries = ?5, head = ?6, windows = ?7 WHERE id = ?1",
    )?;
    for row in &changes.accounts {
        let state = &row.state;
        update.execute(params![
            row.id.0,
            state.balance.micros(),
            state.held.micros(),
            state.burning.nanos(),
            rows::signed(state.entries)?,
            state.head.0,
            rows::windows(state)?,
        ])?;
    }
    let mut put_hold = transaction.prepare_cached(
        "INSERT INTO holds (call, paid_leg, node_id, life, paid_until, hold) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (call, paid_leg) DO UPDATE SET paid_until = excluded.paid_until, hold = excluded.hold",
    )?;
    for row in &changes.holds {
        let flat = rows::flat_hold(row)?;
        put_hold.execute(params![flat.call, flat.paid_leg, flat.node_id, flat.life, flat.paid_until, flat.hold])?;
    }
    let mut end_hold = transaction.prepare_cached("DELETE FROM holds WHERE call = ?1 AND paid_leg = ?2")?;
    for key in &changes.ended {
        end_hold.execute(params![key.call.to_i64(), key.paid_leg])?;
    }
    let mut move_lines = transaction.prepare_cached(
        "INSERT INTO lines (holder, holder_id, in_use) VALUES (?1, ?2, ?3)
         ON CONFLICT (holder, holder_id) DO UPDATE SET in_use = in_use + excluded.in_use",
    )?;
    for (holder, by) in line_moves(before, changes) {
        let (kind, id) = rows::flat_holder(holder);
        move_lines.execute(params![kind, id, by])?;
    }
    let mut enter = transaction.prepare_cached(
        "INSERT INTO entries (account_id, number, at, amount, balance, kind, call, paid_leg, sequence, note, previous, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for row in &changes.entries {
        enter.execute(params![
            row.account.0,
            rows::signed(row.number)?,
            row.at.micros(),
            row.amount.micros(),
            row.balance.micros(),
            row.kind.id(),
            row.key.call.to_i64(),
            row.key.paid_leg,
            row.key.sequence,
            row.note,
            row.previous.0,
            row.hash.0,
        ])?;
    }
    let mut put_day = transaction.prepare_cached(
        "INSERT INTO account_days (account_id, day, spend, talk_ms, capped, accepted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (account_id, day) DO UPDATE SET spend = excluded.spend, talk_ms = excluded.talk_ms,
         capped = excluded.capped, accepted = excluded.accepted",
    )?;
    for row in &changes.days {
        let flat = rows::flat_day(row)?;
        put_day.execute(params![flat.account_id, flat.day, flat.spend, flat.talk_ms, flat.capped, flat.accepted])?;
    }
    let mut record = transaction.prepare_cached(RECORD)?;
    for row in &changes.records {
        let flat = rows::flat_cdr(row)?;
        record.execute(params![
            flat.call,
            flat.paid_leg,
            flat.parent,
            flat.kind,
            flat.started_at,
            flat.answered_at,
            flat.ended_at,
            flat.user_name,
            flat.user_id,
            flat.account_id,
            flat.caller,
            flat.callee,
            flat.source_ip,
            flat.trunk_in,
            flat.trunk_out,
            flat.trunk_out_id,
            flat.status,
            flat.sip_status,
            flat.q850,
            flat.hangup_side,
            flat.cause,
            flat.talk_ms,
            flat.billed_seconds,
            flat.sell_cost,
            flat.buy_cost,
            flat.currency,
            flat.repeats,
            flat.spend_by_day,
            flat.levels,
            flat.refusal,
            flat.trace,
            flat.ladder,
            flat.media,
        ])?;
    }
    let mut repeat = transaction
        .prepare_cached("UPDATE cdrs SET repeats = ?3 WHERE call = ?1 AND paid_leg = ?2 AND repeats < ?3")?;
    for (key, count) in &changes.repeats {
        repeat.execute(params![key.call.to_i64(), key.paid_leg, count])?;
    }
    Ok(())
}

const ACCOUNT: &str = "SELECT id, name, kind, mode, currency, zone, parent_id, deck_id, disabled_at, disabled_by, credit_limit,
    max_lines, max_lines_offpeak, daily_limit, monthly_limit, monthly_increment, monthly_ceiling, dynamic_baseline, burn_rate,
    talk_day, talk_month, local_only, main_number, created_at, balance, held, burning, entries, head, windows
    FROM accounts WHERE id = ?1";

const RECORD: &str = "INSERT INTO cdrs (call, paid_leg, parent, kind, started_at, answered_at, ended_at, user_name, user_id,
    account_id, caller, callee, source_ip, trunk_in, trunk_out, trunk_out_id, status, sip_status, q850, hangup_side, cause,
    talk_ms, billed_seconds, sell_cost, buy_cost, currency, repeats, spend_by_day, levels, refusal, trace, ladder, media)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
    ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33)";

fn read_account(row: &Row<'_>) -> rusqlite::Result<account::Model> {
    Ok(account::Model {
        id: row.get(0)?,
        name: row.get(1)?,
        kind: row.get(2)?,
        mode: row.get(3)?,
        currency: row.get(4)?,
        zone: row.get(5)?,
        parent_id: row.get(6)?,
        deck_id: row.get(7)?,
        disabled_at: row.get(8)?,
        disabled_by: row.get(9)?,
        credit_limit: row.get(10)?,
        max_lines: row.get(11)?,
        max_lines_offpeak: row.get(12)?,
        daily_limit: row.get(13)?,
        monthly_limit: row.get(14)?,
        monthly_increment: row.get(15)?,
        monthly_ceiling: row.get(16)?,
        dynamic_baseline: row.get(17)?,
        burn_rate: row.get(18)?,
        talk_day: row.get(19)?,
        talk_month: row.get(20)?,
        local_only: row.get(21)?,
        main_number: row.get(22)?,
        created_at: row.get(23)?,
        balance: row.get(24)?,
        held: row.get(25)?,
        burning: row.get(26)?,
        entries: row.get(27)?,
        head: row.get(28)?,
        windows: row.get(29)?,
    })
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<entry::Model> {
    Ok(entry::Model {
        account_id: row.get(0)?,
        number: row.get(1)?,
        at: row.get(2)?,
        amount: row.get(3)?,
        balance: row.get(4)?,
        kind: row.get(5)?,
        call: row.get(6)?,
        paid_leg: row.get(7)?,
        sequence: row.get(8)?,
        note: row.get(9)?,
        previous: row.get(10)?,
        hash: row.get(11)?,
    })
}

fn read_day(row: &Row<'_>) -> rusqlite::Result<account_day::Model> {
    Ok(account_day::Model {
        account_id: row.get(0)?,
        day: row.get(1)?,
        spend: row.get(2)?,
        talk_ms: row.get(3)?,
        capped: row.get(4)?,
        accepted: row.get(5)?,
    })
}
