//! What can go wrong with memory, each as one clear line.

use std::path::PathBuf;

use sea_orm::{DbErr, RuntimeErr};

/// Why the store did not do what was asked. Nothing is ever half-done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that is taken.
    #[error("{noun} {name} exists already")]
    Exists {
        /// What kind of thing.
        noun: &'static str,
        /// Its name.
        name: String,
    },
    /// A name that nothing has.
    #[error("there is no {noun} {name}")]
    Missing {
        /// What kind of thing.
        noun: &'static str,
        /// Its name.
        name: String,
    },
    /// Something else that the books or other rows forbid; the text says what.
    #[error("{0}")]
    Refused(String),
    /// `[database] url` is none that we speak.
    #[error("database url {0:?} is not \"sqlite\", \"sqlite://PATH\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"")]
    Url(String),
    /// The schema is older than this program.
    #[error("the database lacks {missing} schema change(s), the first is {first}: run `tollgate migrate`")]
    SchemaBehind {
        /// How many.
        missing: usize,
        /// The first of them.
        first: String,
    },
    /// The key of sealed secrets is gone, and there are secrets.
    #[error(
        "the seal key {path:?} is missing, but the database holds {sealed} secret(s) sealed with it: put the key back"
    )]
    SealKeyMissing {
        /// Where it must be.
        path: PathBuf,
        /// How many secrets need it.
        sealed: i64,
    },
    /// A key, but not this database's.
    #[error("the seal key does not fit this database: its secrets were sealed with another key")]
    SealKeyWrong,
    /// The key file can be read by others, or is no key.
    #[error("the seal key {path:?} {what}")]
    SealKeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A sealed value that does not open: altered, or copied from another row.
    #[error("the secret in {place} was altered or belongs to another row")]
    SealBroken {
        /// Table, row and column.
        place: String,
    },
    /// Somebody else holds the write lock for longer than we wait.
    #[error("the database is busy")]
    Busy,
    /// No room on the disk.
    #[error("the database's disk is full")]
    Full,
    /// The database cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A row that says what no row of ours can say.
    #[error("the database holds a value that cannot be: {0}")]
    Corrupt(String),
    /// A backup file that cannot be read back.
    #[error("backup {path:?}: {what}")]
    Backup {
        /// The file.
        path: PathBuf,
        /// Which line, and what is wrong.
        what: String,
    },
    /// A file next to the database.
    #[error("{path:?}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Anything else the database said.
    #[error("database: {0}")]
    Database(String),
}

/// What the store's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Worth trying again by itself: the database was busy, full or gone.
    pub fn is_outage(&self) -> bool {
        matches!(self, Error::Busy | Error::Full | Error::Unreachable(_))
    }

    /// `noun` `name` exists already.
    pub(crate) fn exists(noun: &'static str, name: impl ToString) -> Error {
        Error::Exists { noun, name: name.to_string() }
    }

    /// There is no `noun` `name`.
    pub(crate) fn missing(noun: &'static str, name: impl ToString) -> Error {
        Error::Missing { noun, name: name.to_string() }
    }

    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Error {
        Error::Corrupt(what.to_string())
    }

    /// Did a unique index refuse the row?
    pub(crate) fn is_duplicate(error: &DbErr) -> bool {
        matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Error {
        match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Error::Unreachable(error.to_string()),
            DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => classify(cause),
            _ => Error::Database(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        classify(&error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Error::Busy,
            Some(Code::DiskFull) => Error::Full,
            Some(Code::CannotOpen | Code::SystemIoFailure | Code::ReadOnly) => Error::Unreachable(error.to_string()),
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Error::Corrupt(error.to_string()),
            _ => Error::Database(error.to_string()),
        }
    }
}

fn classify(error: &sqlx::Error) -> Error {
    let text = error.to_string();
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => Error::Unreachable(text),
        sqlx::Error::Database(cause) => match cause.code().as_deref() {
            // SQLite's extended result codes: the low byte is the primary one.
            Some(code) if code.parse::<i32>().is_ok() && code.len() < 5 => {
                match code.parse::<i32>().unwrap_or_default() & 0xff {
                    5 | 6 => Error::Busy,
                    13 => Error::Full,
                    8 | 10 | 14 => Error::Unreachable(text),
                    11 | 26 => Error::Corrupt(text),
                    _ => Error::Database(text),
                }
            }
            // PostgreSQL's SQLSTATE: class 08 connection, 57P0x shutting down, 53100 disk full, 55P03 lock, 40 serialisation.
            Some(code) if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
                Error::Unreachable(text)
            }
            Some("53100") => Error::Full,
            Some("55P03" | "40001" | "40P01" | "57014") => Error::Busy,
            _ => Error::Database(text),
        },
        _ => Error::Database(text),
    }
}
