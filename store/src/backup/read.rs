//! Filling an empty database from a backup: all of it, or nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::iter::{Enumerate, Peekable};
use std::path::Path;

use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, Statement, TransactionTrait};
use serde::de::DeserializeOwned;
use tollgate_types::Wall;

use super::{Begin, End, FORMAT, Header, Sum, WHOLE, tables};
use crate::error::{Error, Result};
use crate::open::{self, Options};
use crate::seal::{Found, KEY_FILE, KeySource, Seal};

/// Rows a statement carries.
const CHUNK: usize = 500;

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub created_at: Wall,
    /// Rows of all tables.
    pub rows: u64,
    /// The seal key was in the file and is in data_dir now. Without it, the old `seal.key` must be put there.
    pub key_restored: bool,
}

/// Fills the database of `options` from `file`. The database must be empty but for what a start leaves; it may be the other engine
/// than the one saved. A key in the file is written to data_dir unless it is there already; a different one there is refused.
pub async fn restore(options: &Options, file: &Path) -> Result<Restored> {
    let mut source = Source::open(file)?;
    let header: Header = source.json("a backup's header")?;
    if header.tollgate_backup != FORMAT {
        return Err(source.wrong(format!("format {} is not known, only {FORMAT}", header.tollgate_backup)));
    }
    let newest = tollgate_migrations::newest();
    if header.schema != newest {
        let what = format!("it was made with schema {}, this program has {newest}", header.schema);
        return Err(source.wrong(what));
    }
    let key_restored = check_key(&source, &header, options)?;
    let database = open::connect_alone(options).await?;
    tollgate_migrations::up(&database).await?;
    let transaction = database.begin().await?;
    let backend = ConnectionTrait::get_database_backend(&transaction);
    transaction
        .execute_unprepared(match backend {
            DatabaseBackend::Postgres => "SET CONSTRAINTS ALL DEFERRED",
            _ => "PRAGMA defer_foreign_keys = ON",
        })
        .await?;
    empty(&transaction).await?;
    let rows = fill(&transaction, &mut source).await?;
    if backend == DatabaseBackend::Postgres {
        count_on(&transaction).await?;
    }
    if let (true, Some(key)) = (key_restored, &header.seal_key) {
        Seal::write(&options.data_dir.join(KEY_FILE), key)?;
    }
    transaction.commit().await?;
    database.close().await?;
    Ok(Restored { created_at: header.created_at, rows, key_restored })
}

/// Is there a key to be written? A different one in its place is an error before anything is done.
fn check_key(source: &Source<'_>, header: &Header, options: &Options) -> Result<bool> {
    let (Some(key), KeySource::DataDir) = (&header.seal_key, &options.key) else { return Ok(false) };
    match Seal::find(&options.key, &options.data_dir)? {
        Found::Absent(_) => Ok(true),
        Found::Key(found) if found.reveal() == *key => Ok(false),
        Found::Key(_) => {
            let there = options.data_dir.join(KEY_FILE);
            Err(source.wrong(format!("its seal key is not the one in {}: move that away first", there.display())))
        }
    }
}

async fn empty(transaction: &DatabaseTransaction) -> Result<()> {
    let backend = ConnectionTrait::get_database_backend(transaction);
    for table in tables::TABLES.iter().filter(|table| !tables::PREFILLED.contains(table)) {
        let ask = Statement::from_string(backend, format!("SELECT 1 AS one FROM {table} LIMIT 1"));
        if transaction.query_one_raw(ask).await?.is_some() {
            return Err(Error::Refused(format!("the database is not empty (there are {table}): nothing was restored")));
        }
    }
    for table in tables::PREFILLED {
        transaction.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    }
    Ok(())
}

async fn fill(transaction: &DatabaseTransaction, source: &mut Source<'_>) -> Result<u64> {
    let backend = ConnectionTrait::get_database_backend(transaction);
    let mut all = 0;
    for table in tables::TABLES {
        source.table = Sum::new();
        let begin: Begin = source.json(&format!("the beginning of table {table}"))?;
        if begin.table != *table || begin.columns != tables::columns(transaction, table).await? {
            return Err(source.wrong(format!("it should be table {table} with the columns it has here")));
        }
        let insert = tables::insert(backend, table, &begin.columns);
        let mut rows = 0;
        loop {
            let part = source.rows(CHUNK)?;
            if part.is_empty() {
                break;
            }
            rows += part.len() as u64;
            let list = format!("[{}]", part.join(","));
            let ask = Statement::from_sql_and_values(backend, &insert, [list.into()]);
            transaction.execute_raw(ask).await.map_err(|error| source.wrong(format!("table {table}: {error}")))?;
        }
        let sum = std::mem::replace(&mut source.table, Sum::new()).hex();
        let end: End = source.json(&format!("the end of table {table}"))?;
        if (end.end.as_str(), end.rows, end.sha256) != (*table, rows, sum) {
            return Err(source.wrong(format!("table {table} is not as it was written")));
        }
        all += rows;
    }
    let sum = std::mem::replace(&mut source.whole, Sum::new()).hex();
    let end: End = source.json("the end of the backup")?;
    if (end.end.as_str(), end.rows, end.sha256) != (WHOLE, all, sum) {
        return Err(source.wrong("the backup is not as it was written".to_owned()));
    }
    Ok(all)
}

/// Lets numbers go on after the highest restored; SQLite does so by itself.
async fn count_on(transaction: &DatabaseTransaction) -> Result<()> {
    for table in tables::TABLES {
        let columns = tables::columns(transaction, table).await?;
        if columns.first().is_none_or(|column| column.name != "id") || *table == "nodes" {
            continue;
        }
        let set = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) IS NOT NULL"
        );
        transaction.execute_unprepared(&set).await?;
    }
    Ok(())
}

struct Source<'a> {
    file: &'a Path,
    lines: Peekable<Enumerate<Lines<BufReader<File>>>>,
    at: usize,
    table: Sum,
    whole: Sum,
}

impl Source<'_> {
    fn open(file: &Path) -> Result<Source<'_>> {
        let open = File::open(file).map_err(|source| Error::File { path: file.to_owned(), source })?;
        let lines = BufReader::new(open).lines().enumerate().peekable();
        Ok(Source { file, lines, at: 0, table: Sum::new(), whole: Sum::new() })
    }

    fn wrong(&self, what: String) -> Error {
        Error::Backup { path: self.file.to_owned(), what: format!("line {}: {what}", self.at) }
    }

    fn line(&mut self) -> Result<Option<String>> {
        let Some((at, line)) = self.lines.next() else { return Ok(None) };
        self.at = at + 1;
        let line = line.map_err(|error| self.wrong(error.to_string()))?;
        self.table.line(&line);
        self.whole.line(&line);
        Ok(Some(line))
    }

    fn json<T: DeserializeOwned>(&mut self, expected: &str) -> Result<T> {
        let line = self.line()?.ok_or_else(|| self.wrong(format!("the file ends where {expected} should be")))?;
        serde_json::from_str(&line).map_err(|_| self.wrong(format!("it is not {expected}")))
    }

    /// The next rows of a table; none at its end.
    fn rows(&mut self, most: usize) -> Result<Vec<String>> {
        let mut rows = Vec::new();
        while rows.len() < most
            && self.lines.peek().is_some_and(|(_, line)| line.as_ref().is_ok_and(|line| line.starts_with('[')))
            && let Some(line) = self.line()?
        {
            rows.push(line);
        }
        Ok(rows)
    }
}
