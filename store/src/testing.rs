//! A fresh store on each engine, for the tests here.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;
use tollgate_types::Wall;

use crate::open::{By, Options, Store};
use crate::seal::KeySource;

/// Runs each story on both engines.
macro_rules! both {
    ($($story:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let house = $crate::testing::sqlite().await;
                super::$story(house.store.clone()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let Some(house) = $crate::testing::postgres().await else { return };
                super::$story(house.store.clone()).await;
                house.clear().await;
            })*
        }
    };
}
pub(crate) use both;

/// A store and what must outlive it.
pub struct House {
    pub store: Store,
    _folder: tempfile::TempDir,
    schema: Option<Schema>,
}

/// A schema on the test server.
pub struct Schema {
    url: String,
    name: String,
}

/// Someone who changed something at second `at`.
pub fn by(at: i64) -> By {
    By { who: "cli:test".to_owned(), at: Wall::from_secs(at) }
}

/// An embedded store in a folder of its own.
pub async fn sqlite() -> House {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(Options::embedded(folder.path())).await.expect("an embedded store");
    House { store, _folder: folder, schema: None }
}

/// A store in a schema of its own on the server of `TOLLGATE_TEST_POSTGRES`; says so when there is none.
pub async fn postgres() -> Option<House> {
    let (options, schema) = postgres_options().await?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(options).await.expect("a store on the test server");
    Some(House { store, _folder: folder, schema: Some(schema) })
}

/// How to open a store in a schema of its own, and the schema.
#[allow(clippy::print_stdout, reason = "a skipped test must say so")]
pub async fn postgres_options() -> Option<(Options, Schema)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Ok(url) = std::env::var("TOLLGATE_TEST_POSTGRES") else {
        println!("skipped: TOLLGATE_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    execute(&url, &format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).await;
    let joint = if url.contains('?') { '&' } else { '?' };
    let options = Options {
        url: format!("{url}{joint}options[search_path]={name}"),
        key: KeySource::Given([7; 32]),
        ..Options::embedded("")
    };
    Some((options, Schema { url, name }))
}

impl Schema {
    /// Takes it away again.
    pub async fn clear(&self) {
        execute(&self.url, &format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }
}

impl House {
    /// Takes the schema away again.
    pub async fn clear(self) {
        if let Some(schema) = &self.schema {
            self.store.close().await.expect("connections close");
            schema.clear().await;
        }
    }
}

async fn execute(url: &str, sql: &str) {
    let mut connection = sqlx::PgConnection::connect(url).await.expect("the test server answers");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("the test server obeys");
}
