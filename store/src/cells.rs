//! Reading many rows fast, on either engine: by position, from a connection that does nothing else.
//!
//! The ordinary way looks each column up by its name and, on SQLite, hands each row from thread to thread: ten times the cost,
//! which nobody notices before a start reads a hundred thousand users.

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

use crate::error::{Error, Result};
use crate::open::Store;

/// A row; cells are counted from 0.
pub(crate) trait Cells {
    fn integer(&self, at: usize) -> Result<Option<i64>>;
    fn text(&self, at: usize) -> Result<Option<String>>;
    fn bytes(&self, at: usize) -> Result<Vec<u8>>;
    fn flag(&self, at: usize) -> Result<bool>;

    /// A cell that is never empty.
    fn number(&self, at: usize) -> Result<i64> {
        self.integer(at)?.ok_or_else(|| Error::corrupt(format!("cell {at} is empty")))
    }

    /// A cell that is never empty.
    fn word(&self, at: usize) -> Result<String> {
        self.text(at)?.ok_or_else(|| Error::corrupt(format!("cell {at} is empty")))
    }
}

/// All rows of `ask`, each turned into something by `read`.
pub(crate) async fn all<T: Send + 'static>(
    store: &Store,
    ask: &'static str,
    read: fn(&dyn Cells) -> Result<T>,
) -> Result<Vec<T>> {
    let Some(file) = store.file() else {
        return from_server(store.read().get_postgres_connection_pool(), ask, read).await;
    };
    let file = file.to_owned();
    let reading = tokio::task::spawn_blocking(move || -> Result<Vec<T>> {
        let connection = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = connection.prepare(ask)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    });
    reading.await.map_err(|error| Error::Database(error.to_string()))?
}

async fn from_server<T>(pool: &PgPool, ask: &'static str, read: fn(&dyn Cells) -> Result<T>) -> Result<Vec<T>> {
    let mut rows = sqlx::query(ask).fetch(pool);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        found.push(read(&row)?);
    }
    Ok(found)
}

impl Cells for rusqlite::Row<'_> {
    fn integer(&self, at: usize) -> Result<Option<i64>> {
        Ok(self.get(at)?)
    }

    fn text(&self, at: usize) -> Result<Option<String>> {
        Ok(self.get(at)?)
    }

    fn bytes(&self, at: usize) -> Result<Vec<u8>> {
        Ok(self.get(at)?)
    }

    fn flag(&self, at: usize) -> Result<bool> {
        Ok(self.get(at)?)
    }
}

impl Cells for PgRow {
    fn integer(&self, at: usize) -> Result<Option<i64>> {
        Ok(self.try_get(at)?)
    }

    fn text(&self, at: usize) -> Result<Option<String>> {
        Ok(self.try_get(at)?)
    }

    fn bytes(&self, at: usize) -> Result<Vec<u8>> {
        Ok(self.try_get(at)?)
    }

    fn flag(&self, at: usize) -> Result<bool> {
        Ok(self.try_get(at)?)
    }
}
