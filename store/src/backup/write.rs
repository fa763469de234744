//! Writing a backup.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, StreamTrait};
use serde::Serialize;

use super::{Begin, End, FORMAT, Header, Sum, WHOLE, tables};
use crate::error::{Error, Result};
use crate::ledger;
use crate::open::{Engine, Store};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Tables.
    pub tables: usize,
    /// Rows of all of them.
    pub rows: u64,
}

/// Writes everything to `file`, which only its owner can read, while calls go on. It has its name only when it is whole; a file of
/// that name is replaced. `with_key`: the seal key goes in, and whoever has the file has the secrets.
pub async fn save(store: &Store, file: &Path, with_key: bool) -> Result<Saved> {
    let failed = |source| Error::File { path: file.to_owned(), source };
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
    let mut lines = Lines { out: BufWriter::new(open), table: Sum::new(), whole: Sum::new(), file };
    let written = write(store, &mut lines, with_key).await;
    let written = written.and_then(|saved| {
        let open = lines.out.into_inner().map_err(|error| failed(error.into_error()))?;
        open.sync_all().map_err(failed)?;
        std::fs::rename(&part, file).map_err(failed)?;
        Ok(saved)
    });
    if written.is_err() {
        // Nothing half-done is left; that the file cannot be removed either changes nothing for who asked.
        drop(std::fs::remove_file(&part));
    }
    written
}

struct Lines<'a> {
    out: BufWriter<File>,
    table: Sum,
    whole: Sum,
    file: &'a Path,
}

async fn write(store: &Store, lines: &mut Lines<'_>, with_key: bool) -> Result<Saved> {
    let created_at = store.now().await?;
    let snapshot = ledger::snapshot(store).await?;
    let engine = match store.engine() {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    };
    lines.json(&Header {
        tollgate_backup: FORMAT,
        created_at,
        engine: engine.to_owned(),
        schema: tollgate_migrations::newest(),
        seal_key: with_key.then(|| store.seal().reveal()),
    })?;
    let mut all = 0;
    for table in tables::TABLES {
        all += write_table(&snapshot, lines, table).await?;
    }
    let sha256 = std::mem::replace(&mut lines.whole, Sum::new()).hex();
    lines.json(&End { end: WHOLE.to_owned(), rows: all, sha256 })?;
    Ok(Saved { tables: tables::TABLES.len(), rows: all })
}

async fn write_table(snapshot: &DatabaseTransaction, lines: &mut Lines<'_>, table: &str) -> Result<u64> {
    let columns = tables::columns(snapshot, table).await?;
    let backend = ConnectionTrait::get_database_backend(snapshot);
    let select = tables::select(backend, table, &columns);
    lines.table = Sum::new();
    lines.json(&Begin { table: table.to_owned(), columns })?;
    let mut rows = 0;
    let mut stream = snapshot.stream_raw(Statement::from_string(backend, select)).await?;
    while let Some(row) = stream.try_next().await? {
        lines.line(&row.try_get::<String>("", "line")?)?;
        rows += 1;
    }
    let sha256 = std::mem::replace(&mut lines.table, Sum::new()).hex();
    lines.json(&End { end: table.to_owned(), rows, sha256 })?;
    Ok(rows)
}

impl Lines<'_> {
    fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.line(&serde_json::to_string(value).map_err(Error::corrupt)?)
    }

    fn line(&mut self, line: &str) -> Result<()> {
        self.table.line(line);
        self.whole.line(line);
        writeln!(self.out, "{line}").map_err(|source| Error::File { path: self.file.to_owned(), source })
    }
}
