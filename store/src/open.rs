//! Opening the store: which engine, its connections, its key.

mod connect;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tollgate_types::Wall;

use crate::checkpoint::Checkpoints;
use crate::error::{Error, Result};
use crate::marks;
use crate::pen::{Pen, Stroke};
use crate::seal::{Found, KeySource, Seal};
pub(crate) use connect::connect_alone;
use connect::{migrate, private, server_pool, sqlite};

/// The embedded database's file in data_dir.
pub const SQLITE_FILE: &str = "tollgate.db";

const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;

/// Reads the time; tests give a stepped one.
pub type Clock = Arc<dyn Fn() -> Wall + Send + Sync>;

/// How to open the store.
pub struct Options {
    /// `"sqlite"`, `"sqlite://PATH"` or `"postgres://USER:PASSWORD@HOST/DATABASE"`.
    pub url: String,
    /// The folder of the embedded database and of the seal key; it must exist.
    pub data_dir: PathBuf,
    /// Where the key of sealed secrets is.
    pub key: KeySource,
    /// Bring the schema up to date; otherwise an old schema is refused with [`Error::SchemaBehind`].
    pub migrate: bool,
    /// Stands in for the database's clock. `None`: the database's own.
    pub clock: Option<Clock>,
}

/// Which database this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one node.
    Sqlite,
    /// Shared by any number of nodes.
    Postgres,
}

/// The platform's memory. Clones share connections; the runtime that opened it must outlive it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Engine,
    read: DatabaseConnection,
    write: DatabaseConnection,
    place: Place,
    pen: Pen,
    seal: Seal,
    clock: Option<Clock>,
    _checkpoints: Option<Checkpoints>,
}

enum Place {
    File(PathBuf),
    Server(Box<PgConnectOptions>),
}

/// Who changes something, and when: every change by a person leaves it in the audit.
#[derive(Clone, Debug)]
pub struct By {
    /// `cli:root`, `api:NAME`, `console:NAME`, `platform`.
    pub who: String,
    /// When.
    pub at: Wall,
}

impl Options {
    /// The embedded database in `data_dir`, migrated, with its own key and clock.
    pub fn embedded(data_dir: impl Into<PathBuf>) -> Options {
        Options {
            url: "sqlite".to_owned(),
            data_dir: data_dir.into(),
            key: KeySource::DataDir,
            migrate: true,
            clock: None,
        }
    }
}

impl Store {
    /// Connects, migrates if asked, and checks that the seal key fits.
    pub async fn open(options: Options) -> Result<Store> {
        let place = Place::parse(&options.url, &options.data_dir)?;
        let (engine, read, write) = match &place {
            Place::File(path) => {
                private(path)?;
                let write = sqlite(path, 1, false).await?;
                (Engine::Sqlite, None, write)
            }
            Place::Server(server) => {
                let both = server_pool(server, POSTGRES_CONNECTIONS).await?;
                (Engine::Postgres, Some(both.clone()), both)
            }
        };
        if options.migrate {
            migrate(engine, &write).await?;
        } else {
            let missing = tollgate_migrations::pending(&write).await?;
            if let Some(first) = missing.first() {
                return Err(Error::SchemaBehind { missing: missing.len(), first: first.clone() });
            }
        }
        let read = match (read, &place) {
            (Some(read), _) => read,
            (None, Place::File(path)) => sqlite(path, SQLITE_READERS, true).await?,
            (None, Place::Server(_)) => write.clone(),
        };
        let seal = match Seal::find(&options.key, &options.data_dir)? {
            Found::Key(seal) => *seal,
            Found::Absent(path) => match marks::sealed_rows(&write).await? {
                0 => Seal::create(&path)?,
                sealed => return Err(Error::SealKeyMissing { path, sealed }),
            },
        };
        marks::check_key(&write, &seal).await?;
        let pen = Pen::default();
        let checkpoints = match &place {
            Place::File(path) => Some(Checkpoints::start(path, pen.clone())),
            Place::Server(_) => None,
        };
        let clock = options.clock;
        Ok(Store(Arc::new(Inner { engine, read, write, place, pen, seal, clock, _checkpoints: checkpoints })))
    }

    /// Which database this is.
    pub fn engine(&self) -> Engine {
        self.0.engine
    }

    /// The embedded database's write lock.
    pub fn pen(&self) -> &Pen {
        &self.0.pen
    }

    /// The embedded database's file; `None` on a server.
    pub fn file(&self) -> Option<&Path> {
        match &self.0.place {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// Is the database there and answering? What `/readyz` asks.
    pub async fn ping(&self) -> Result<()> {
        self.read().execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// The database's time: one clock for all nodes.
    pub async fn now(&self) -> Result<Wall> {
        if let Some(clock) = &self.0.clock {
            return Ok(clock());
        }
        if self.0.engine == Engine::Sqlite {
            return Ok(local_time());
        }
        let ask = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT AS now";
        let row = self.read().query_one_raw(Statement::from_string(DatabaseBackend::Postgres, ask)).await?;
        match row {
            Some(row) => Ok(Wall::from_micros(row.try_get("", "now")?)),
            None => Err(Error::corrupt("the database has no time")),
        }
    }

    /// Closes the connections; the embedded database then is one file without a log beside it.
    pub async fn close(self) -> Result<()> {
        self.0.read.clone().close().await?;
        self.0.write.clone().close().await?;
        Ok(())
    }

    pub(crate) fn read(&self) -> &DatabaseConnection {
        &self.0.read
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.0.write
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.0.seal
    }

    pub(crate) fn server(&self) -> Option<&PgConnectOptions> {
        match &self.0.place {
            Place::Server(server) => Some(server),
            Place::File(_) => None,
        }
    }

    /// Begins to write. On the embedded database this waits for the pen.
    pub(crate) async fn begin(&self) -> Result<Writing> {
        let stroke = match self.0.engine {
            Engine::Sqlite => Some(self.0.pen.take().await),
            Engine::Postgres => None,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = match self.0.engine {
            Engine::Sqlite => self.0.write.begin_with_options(options).await?,
            Engine::Postgres => self.0.write.begin().await?,
        };
        Ok(Writing { transaction, _stroke: stroke })
    }
}

/// A transaction under way, with the pen in hand; dropped without [`Writing::commit`], nothing was written.
pub(crate) struct Writing {
    transaction: DatabaseTransaction,
    _stroke: Option<Stroke>,
}

impl Writing {
    pub(crate) async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

impl std::ops::Deref for Writing {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

impl Place {
    fn parse(url: &str, data_dir: &Path) -> Result<Place> {
        if url == "sqlite" {
            return Ok(Place::File(data_dir.join(SQLITE_FILE)));
        }
        if let Some(path) = url.strip_prefix("sqlite://").filter(|path| !path.is_empty()) {
            return Ok(Place::File(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).map_err(|_| Error::Url(without_password(url)))?;
            let options = options.application_name("tollgate").disable_statement_logging();
            return Ok(Place::Server(Box::new(options)));
        }
        Err(Error::Url(without_password(url)))
    }
}

/// This machine's time.
pub(crate) fn local_time() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://****@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn urls_say_which_engine_and_passwords_stay_out_of_messages() {
        let parse = |url: &str| Place::parse(url, Path::new("/data"));
        assert!(matches!(parse("sqlite"), Ok(Place::File(path)) if path == Path::new("/data/tollgate.db")));
        assert!(matches!(parse("sqlite:///x/y.db"), Ok(Place::File(path)) if path == Path::new("/x/y.db")));
        assert!(matches!(parse("postgres://u:p@h:5433/d"), Ok(Place::Server(_))));
        for url in ["", "mysql://u:hidden@h/d", "sqlite://", "postgres://u:hidden@h:port/d"] {
            let Err(error) = parse(url) else { panic!("{url} was taken") };
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }

    async fn refused(options: Options) -> String {
        Store::open(options).await.err().expect("it must not open").to_string()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_does_not_fit_is_refused_with_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let options = || Options::embedded(folder.path());
        let behind = refused(Options { migrate: false, ..options() }).await;
        assert!(behind.starts_with("the database lacks "), "{behind}");
        assert!(behind.contains("schema change(s), the first is m20261122_000001"), "{behind}");

        let store = Store::open(options()).await.unwrap();
        assert_eq!(std::fs::metadata(store.file().unwrap()).unwrap().permissions().mode() & 0o777, 0o600);
        let key = folder.path().join(crate::seal::KEY_FILE);
        let secret = |store: Store| async move {
            let ha1 = tollgate_routing::Ha1s { md5: [1; 16], sha256: [2; 32], sha512_256: [3; 32] };
            let secret = crate::users::NewSecret { realm: "r".into(), ha1 };
            let terms = crate::users::UserTerms::new("anna");
            let payer = crate::users::Payer::Own(Box::default());
            crate::users::create(&store, &crate::testing::by(1), &terms, payer, Some(secret)).await.unwrap();
            store.close().await.unwrap();
        };
        store.close().await.unwrap();
        // Nothing is sealed yet: another key strands nothing.
        std::fs::remove_file(&key).unwrap();
        secret(Store::open(options()).await.unwrap()).await;

        let kept = std::fs::read(&key).unwrap();
        std::fs::remove_file(&key).unwrap();
        let missing = refused(options()).await;
        assert!(missing.ends_with("the database holds 1 secret(s) sealed with it: put the key back"), "{missing}");
        assert!(!key.exists(), "no new key is made in its place");
        let wrong = refused(Options { key: KeySource::Given([9; 32]), ..options() }).await;
        assert_eq!(wrong, "the seal key does not fit this database: its secrets were sealed with another key");
        std::fs::write(&key, kept).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refused(options()).await.ends_with("can be read by others (mode 0644): chmod 600 it"));
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        Store::open(Options { migrate: false, ..options() }).await.unwrap();
        let nowhere = refused(Options { url: "postgres://u:p@127.0.0.1:1/d".into(), ..options() }).await;
        assert!(nowhere.starts_with("the database cannot be reached: "), "{nowhere}");
    }
}
