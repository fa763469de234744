//! The ledger against an intruder with a database shell: a row altered, deleted or swapped is found and named.

use std::process::Command;

use crate::network::Network;
use crate::server::{Database, Server, psql};
use crate::world::add_prepaid;

/// A statement by a shell that is not ours.
fn shell(server: &Server, statement: &str) -> String {
    if let Some(url) = server.postgres() {
        return psql(url, statement);
    }
    let files = std::fs::read_dir(server.data()).expect("a data folder").flatten().map(|e| e.path());
    let database = files
        .filter(|path| path.extension().is_some_and(|e| ["db", "sqlite", "sqlite3"].iter().any(|x| e == *x)))
        .min()
        .expect("an SQLite file in the data folder");
    let output = Command::new("sqlite3")
        .args(["-cmd", ".timeout 5000"])
        .arg(database)
        .arg(statement)
        .output()
        .expect("sqlite3 is installed");
    assert!(output.status.success(), "sqlite3: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Balance, held, lines, a carrier's talk and a day's spend are no longer what their parts say.
pub fn put_a_hand_in_every_counter(server: &Server, user: &str) {
    for statement in [
        &format!("UPDATE accounts SET balance = balance + 1000000, held = 5 WHERE name = '{user}'"),
        "UPDATE lines SET in_use = 3",
        "UPDATE trunk_days SET talk_ms = 1",
        "UPDATE account_days SET spend = 0",
    ] {
        shell(server, statement);
    }
}

/// Holds, and lines in use, that are still in the database.
pub fn live(server: &Server) -> String {
    shell(server, "SELECT (SELECT count(*) FROM holds) || ' ' || (SELECT coalesce(sum(in_use), 0) FROM lines)")
}

/// A ledger of five entries of one account, and the server stopped so that nobody else writes.
fn five_entries(net: &Network, database: Database) -> Server {
    let mut server = Server::at(net).database(database).start();
    crate::world::import_decks(&server);
    add_prepaid(&server, "alice", "10.00");
    for amount in ["1.00", "2.00", "3.00", "-4.00"] {
        server.ok(&["credit", "add", "alice", amount, "--note", "by hand"]);
    }
    server.ok(&["ledger", "verify"]);
    assert!(server.terminate().success());
    server
}

/// Verification fails, names the entry, and exits 1.
#[track_caller]
fn assert_named(server: &Server, entry: &str) {
    let said = server.cli(&["ledger", "verify"]);
    assert_eq!(said.status, 1, "{said:?}");
    let words = format!("{}{}", said.out, said.err);
    assert!(words.split(|c: char| !c.is_alphanumeric()).any(|w| w == entry), "entry {entry} is not named: {words}");
}

fn nth(server: &Server, n: usize) -> String {
    shell(server, &format!("SELECT number FROM entries ORDER BY number LIMIT 1 OFFSET {n}"))
}

fn altered_deleted_swapped(database: Database) {
    let net = Network::lease();
    let server = five_entries(&net, database);
    let third = nth(&server, 2);
    shell(&server, &format!("UPDATE entries SET amount = amount + 1 WHERE number = {third}"));
    assert_named(&server, &third);
    shell(&server, &format!("UPDATE entries SET amount = amount - 1 WHERE number = {third}"));
    server.ok(&["ledger", "verify"]);

    let (second, fourth) = (nth(&server, 1), nth(&server, 3));
    shell(
        &server,
        &format!(
            "UPDATE entries SET amount = CASE number WHEN {second} THEN (SELECT amount FROM entries WHERE number = {fourth}) \
             ELSE (SELECT amount FROM entries WHERE number = {second}) END WHERE number IN ({second}, {fourth})"
        ),
    );
    assert_named(&server, &second);

    let net = Network::lease();
    let server = five_entries(&net, database);
    let (third, fourth) = (nth(&server, 2), nth(&server, 3));
    shell(&server, &format!("DELETE FROM entries WHERE number = {third}"));
    assert_named(&server, &fourth);
}

#[test]
fn an_entry_altered_deleted_or_swapped_with_sqlite3_is_named() {
    altered_deleted_swapped(Database::Sqlite);
}

#[test]
fn an_entry_altered_deleted_or_swapped_with_psql_is_named() {
    altered_deleted_swapped(Database::Postgres);
}

#[test]
fn a_backup_restores_the_books_and_the_secrets() {
    let net = Network::lease();
    let mut server = five_entries(&net, Database::Sqlite);
    let file = server.folder.path().join("backup");
    let path = file.to_str().expect("UTF-8").to_owned();
    server.start_again();
    server.ok(&["backup", &path]);
    server.ok(&["credit", "add", "alice", "100.00"]);
    assert!(server.terminate().success());
    let refused = server.cli(&["restore", &path]);
    assert_eq!(refused.status, 1, "a database with books in it is not overwritten: {refused:?}");
    for file in ["tollgate.db", "tollgate.db-wal", "tollgate.db-shm"] {
        let _ = std::fs::remove_file(server.data().join(file));
    }
    server.ok(&["restore", &path]);
    server.start_again();
    assert_eq!(crate::world::shown(&server, "alice", "balance"), "12.000000");
    server.ok(&["ledger", "verify"]);
    crate::sipp::Sipp::new(&server, net.host(10), "register").user("alice").word("expires", 300).run();
}
