//! Connections to either engine, and the schema behind them.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector, TransactionTrait};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Engine, Options, Place};
use crate::error::{Error, Result};

/// Ours among the server's advisory locks.
const MIGRATION_LOCK: i64 = 0x746f_6c6c_6761_7465;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Brings the schema up to date, one node at a time.
pub(super) async fn migrate(engine: Engine, write: &DatabaseConnection) -> Result<()> {
    let turn = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => {
            let turn = write.begin().await?;
            turn.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
            Some(turn)
        }
    };
    tollgate_migrations::up(write).await?;
    match turn {
        Some(turn) => Ok(turn.commit().await?),
        None => Ok(()),
    }
}

/// Makes the embedded database's file so that only its owner reads it; SQLite gives its log the same mode.
pub(super) fn private(path: &Path) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

/// One connection that may write, without pen or key: for filling an empty database.
pub(crate) async fn connect_alone(options: &Options) -> Result<DatabaseConnection> {
    match Place::parse(&options.url, &options.data_dir)? {
        Place::File(path) => {
            private(&path)?;
            sqlite(&path, 1, false).await
        }
        Place::Server(server) => server_pool(&server, 1).await,
    }
}

pub(super) async fn server_pool(server: &PgConnectOptions, connections: u32) -> Result<DatabaseConnection> {
    // A pool would go on trying until its time is over; whoever starts wants to hear at once what is wrong.
    let first = server.connect().await.map_err(|error| Error::Unreachable(error.to_string()))?;
    sqlx::Connection::close(first).await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_with(server.clone())
        .await
        .map_err(|error| Error::Unreachable(error.to_string()))?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

pub(super) async fn sqlite(path: &Path, connections: u32, readers: bool) -> Result<DatabaseConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(!readers)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("wal_autocheckpoint", "0")
        .pragma("query_only", if readers { "1" } else { "0" })
        .statement_cache_capacity(200)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .map_err(|error| Error::Unreachable(format!("{}: {error}", path.display())))?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}
