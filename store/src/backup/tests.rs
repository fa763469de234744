//! From either engine to either, and what is refused.

use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use tollgate_billing::ledger::{Credit, EntryKind, What};
use tollgate_billing::policy::Rules;
use tollgate_billing::{Ask, AskKey};
use tollgate_types::{CallId, Mono, Wall};

use super::{restore, save, tables};
use crate::book::Book;
use crate::open::{Options, Store};
use crate::seal::KEY_FILE;
use crate::testing::{self, both, by};
use crate::users::{self, NewSecret, Payer, UserTerms};
use crate::{accounts, ledger, secrets, settings};

both!(every_table_is_in_a_backup, what_is_saved_comes_back_on_sqlite);

async fn every_table_is_in_a_backup(store: Store) {
    let (backend, ask) = match store.read().get_database_backend() {
        DatabaseBackend::Postgres => (
            DatabaseBackend::Postgres,
            "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = current_schema()",
        ),
        other => (other, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"),
    };
    let rows = store.read().query_all_raw(Statement::from_string(backend, ask)).await.unwrap();
    let mut found: Vec<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
    found.retain(|name| name != "seaql_migrations");
    found.sort_unstable();
    let mut known = tables::TABLES.to_vec();
    known.sort_unstable();
    assert_eq!(found, known);
}

fn ha1() -> tollgate_routing::Ha1s {
    tollgate_routing::Ha1s { md5: [1; 16], sha256: [2; 32], sha512_256: [3; 32] }
}

/// A reseller below whom an older user was put later, money, a secret and text that needs escaping.
async fn furnish(store: &Store) {
    let terms = |name: &str| UserTerms { email: Some("\"Ä\\ \u{1}'\n".into()), ..UserTerms::new(name) };
    let payer = || Payer::Own(Box::default());
    let secret = NewSecret { realm: "voip.test".into(), ha1: ha1() };
    let anna = users::create(store, &by(1), &terms("anna"), payer(), Some(secret)).await.unwrap();
    let boss = users::create(store, &by(2), &terms("boss"), payer(), None).await.unwrap();
    users::edit(store, &by(3), "anna", |user, account| {
        user.parent = Some(boss.id);
        account.account.parent = Some(boss.account);
        Ok(())
    })
    .await
    .unwrap();
    settings::set(store, &by(4), "lines.max", "9").await.unwrap();
    let mut book = Book::open(store).await.unwrap();
    let credit = Credit {
        account: anna.account,
        amount: "12.345678".parse().unwrap(),
        kind: EntryKind::Opening,
        note: "é".into(),
        force: false,
    };
    let key = AskKey { call: CallId::from_i64(1), paid_leg: 0, sequence: 0 };
    let ask = Ask { key, give_up_at: Mono::NEVER, what: What::Credit(credit) };
    book.commit(&Rules::default(), &[ask], Wall::from_secs(5)).await.unwrap();
    ledger::anchor(store).await.unwrap();
}

async fn check(store: &Store) {
    let anna = users::named(store, "anna").await.unwrap();
    assert_eq!(anna.terms.email.as_deref(), Some("\"Ä\\ \u{1}'\n"));
    assert_eq!(anna.terms.parent, Some(users::named(store, "boss").await.unwrap().id));
    let account = accounts::get(store, anna.account).await.unwrap();
    assert_eq!(account.row.state.balance.to_string(), "12.345678");
    assert_eq!(ledger::verify(store).await.unwrap(), ledger::Verdict { entries: 1, breach: None });
    assert_eq!(secrets::get(store, anna.id, "voip.test").await.unwrap(), Some(ha1()));
    assert_eq!(settings::get(store, "lines.max").await.unwrap().unwrap().value, "9");
    // Numbers go on after those restored.
    let next = users::create(store, &by(9), &UserTerms::new("next"), Payer::Shared(anna.account), None).await.unwrap();
    assert!(next.id.0 > anna.id.0 + 1);
}

async fn what_is_saved_comes_back_on_sqlite(store: Store) {
    furnish(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, fresh) = (folder.path().join("b.jsonl"), folder.path().join("fresh"));
    std::fs::create_dir(&fresh).unwrap();
    let saved = save(&store, &file, true).await.unwrap();
    let options = Options::embedded(&fresh);
    let restored = restore(&options, &file).await.unwrap();
    assert_eq!((restored.rows, restored.key_restored), (saved.rows, true));
    let again = restore(&options, &file).await.unwrap_err().to_string();
    assert!(again.starts_with("the database is not empty (there are settings)"), "{again}");
    let copy = Store::open(options).await.unwrap();
    check(&copy).await;
    copy.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_saved_comes_back_on_postgres() {
    let house = testing::sqlite().await;
    furnish(&house.store).await;
    let Some((options, schema)) = testing::postgres_options().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.jsonl");
    save(&house.store, &file, true).await.unwrap();
    let options = Options { data_dir: folder.path().into(), key: crate::seal::KeySource::DataDir, ..options };
    restore(&options, &file).await.unwrap();
    let copy = Store::open(options).await.unwrap();
    check(&copy).await;
    copy.close().await.unwrap();
    schema.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_whole_restores_nothing() {
    let house = testing::sqlite().await;
    furnish(&house.store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.jsonl");
    save(&house.store, &file, false).await.unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    assert!(good.lines().next().unwrap().contains("\"seal_key\":null"), "the key goes in only when asked for");
    let lines: Vec<&str> = good.lines().collect();
    let cases = [
        ("cut", lines[..lines.len() - 1].join("\n"), "the file ends where the end of the backup should be"),
        ("altered", good.replace("12345678", "99345678"), "is not as it was written"),
        ("another format", good.replacen("backup\":1", "backup\":7", 1), "format 7 is not known, only 1"),
        ("no backup", "hello\n".to_owned(), "it is not a backup's header"),
        ("empty", String::new(), "the file ends where a backup's header should be"),
    ];
    for (what, text, told) in cases {
        std::fs::write(&file, text).unwrap();
        let fresh = tempfile::tempdir().unwrap();
        let error = restore(&Options::embedded(fresh.path()), &file).await.unwrap_err().to_string();
        assert!(error.contains(told), "{what}: {error}");
        let store = Store::open(Options::embedded(fresh.path())).await.unwrap();
        assert!(users::is_empty(&store).await.unwrap(), "{what}");
    }
    // Without its key, what was restored says what is missing.
    std::fs::write(&file, good).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    restore(&Options::embedded(fresh.path()), &file).await.unwrap();
    let error = Store::open(Options::embedded(fresh.path())).await.err().unwrap().to_string();
    assert!(error.ends_with("but the database holds 1 secret(s) sealed with it: put the key back"), "{error}");
    std::fs::copy(house.store.file().unwrap().with_file_name(KEY_FILE), fresh.path().join(KEY_FILE)).unwrap();
    check(&Store::open(Options::embedded(fresh.path())).await.unwrap()).await;
}
