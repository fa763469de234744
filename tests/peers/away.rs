//! The database goes away in the middle of everything: who may call, when calls end, and what is in the books afterwards.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dialog::Dialog;
use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Database, Server, let_pass, until};
use crate::wire::Wire;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user, assert_books_balance, millionths, shown};

/// What makes the database go away.
enum Trouble {
    /// PostgreSQL behind a wire.
    Wire(Wire),
    /// Another program sits on SQLite's write lock.
    Lock { file: std::path::PathBuf, holder: Option<Child> },
}

impl Trouble {
    fn begin(&mut self) {
        match self {
            Trouble::Wire(wire) => wire.cut(),
            Trouble::Lock { file, holder } => {
                let mut shell = Command::new("sqlite3")
                    .arg(file)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("sqlite3 is installed");
                let (mut words, said) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
                use std::io::Write;
                words.write_all(b".timeout 5000\nBEGIN EXCLUSIVE;\nSELECT 'mine';\n").unwrap();
                let mine = crate::server::lines_of(said).recv_timeout(Duration::from_secs(10));
                assert_eq!(mine.as_deref(), Ok("mine"), "the lock is taken");
                shell.stdin = Some(words);
                *holder = Some(shell);
            }
        }
    }

    fn end(&mut self) {
        match self {
            Trouble::Wire(wire) => wire.mend(),
            Trouble::Lock { holder, .. } => {
                if let Some(mut shell) = holder.take() {
                    // Its input ends, and with it the shell and its transaction.
                    drop(shell.stdin.take());
                    shell.wait().unwrap();
                }
            }
        }
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.end();
    }
}

struct Town {
    server: Server,
    trouble: Trouble,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    carrier: Phone,
}

/// Alice has 1.30 and calls over the carrier at 0.10 a second; Bob is registered and reached free of charge by Carol.
fn town(net: &Network, database: Database) -> Town {
    let (server, trouble) = match database {
        Database::Sqlite => {
            let server = Server::at(net).start();
            let file = server.data().join("tollgate.db");
            (server, Trouble::Lock { file, holder: None })
        }
        Database::Postgres => {
            let wire = Wire::to(&crate::server::cluster());
            let server = Server::at(net).database(database).through(&wire).start();
            (server, Trouble::Wire(wire))
        }
    };
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&["route", "add", "--emergency", "--prefix", "112", "--trunk", "carrier"]);
    add_prepaid(&server, "alice", "1.30");
    for user in ["bob", "carol"] {
        add_user(&server, user, &[]);
    }
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    Town {
        alice: Phone::udp(&server, net.host(10), "alice"),
        bob,
        carol: Phone::udp(&server, net.host(12), "carol"),
        carrier: Phone::udp(&server, net.host(CARRIER), "carrier"),
        server,
        trouble,
    }
}

impl Town {
    fn is_away(&self) -> bool {
        let said =
            Command::new("curl").args(["-s", &format!("http://{}:18080/readyz", self.server.sip().ip())]).output();
        let said = said.expect("curl is installed");
        String::from_utf8_lossy(&said.stdout).contains("\"database\":false")
    }

    fn go_away(&mut self) {
        self.trouble.begin();
        // The first paid attempt finds out.
        let mut eve = Phone::udp(&self.server, self.alice_host(40), "alice");
        let uri = format!("sip:{NUMBER}@{DOMAIN}");
        let offer = eve.sdp();
        let refused = eve.request("INVITE", &uri, &uri, &[], &offer);
        assert_eq!(refused.status(), 503, "{refused:#?}");
        until("the server knows", Duration::from_secs(15), || self.is_away());
    }

    fn alice_host(&self, last: u8) -> std::net::Ipv4Addr {
        let std::net::IpAddr::V4(own) = self.server.sip().ip() else { panic!("IPv4") };
        let [a, b, c, _] = own.octets();
        std::net::Ipv4Addr::new(a, b, c, last)
    }

    fn free_call(&mut self) -> (Dialog, Dialog) {
        let offer = self.carol.sdp();
        let invite = self.carol.invite("bob", &[], &offer);
        let (at_bob, _) = self.bob.pick_up();
        let (at_carol, _) = self.carol.await_answer(&invite);
        (at_carol, at_bob)
    }

    fn hang_up(&mut self, mut dialog: Dialog) {
        self.carol.hang_up(&mut dialog);
        self.bob.await_bye();
    }
}

fn of<'a>(cdrs: &'a [Value], callee: &str, status: &str) -> Vec<&'a Value> {
    cdrs.iter().filter(|c| c["callee"] == callee && c["status"] == status).collect()
}

fn goes_on_without(database: Database, killed: bool) {
    let net = Network::lease();
    let mut town = town(&net, database);
    let (held_before, _) = town.free_call();
    let offer = town.alice.sdp();
    let invite = town.alice.invite(NUMBER, &[], &offer);
    town.carrier.pick_up();
    town.alice.await_answer(&invite);
    let answered = Instant::now();
    let_pass(Duration::from_millis(1500));
    town.go_away();

    // No new paid call, and the caller is told when to come again.
    let mut again = Phone::udp(&town.server, net.host(41), "alice");
    let uri = format!("sip:{NUMBER}@{DOMAIN}");
    let offer = again.sdp();
    let refused = again.request("INVITE", &uri, &uri, &[], &offer);
    assert_eq!(refused.status(), 503, "{refused:#?}");
    assert!(refused.header("Retry-After").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{refused:#?}");

    // Free and emergency calls go on.
    town.hang_up(held_before);
    let (whole, _) = town.free_call();
    town.hang_up(whole);
    let offer = town.carol.sdp();
    let help = town.carol.invite("112", &[], &offer);
    town.carrier.pick_up();
    let (mut help, _) = town.carol.await_answer(&help);
    town.carol.hang_up(&mut help);
    town.carrier.await_bye();

    // The paid one ends by itself where what was paid ends.
    town.alice.await_bye();
    let talked = answered.elapsed();
    town.carrier.await_bye();
    assert!(talked < Duration::from_millis(13_500), "{talked:?} were talked, 13 s at most could be paid");
    // And one that is still talking when the database, or the process, is back.
    let (last, _) = town.free_call();
    // A crash at the very instant of the answer would not know of it yet.
    let_pass(Duration::from_millis(300));

    if killed {
        town.server.kill();
        town.trouble.end();
        town.server.start_again();
        town.carol.await_bye();
        town.bob.await_bye();
    } else {
        town.trouble.end();
        until("the server knows", Duration::from_secs(15), || !town.is_away());
        town.hang_up(last);
    }
    town.server.await_quiet();
    let mut cdrs = Vec::new();
    until("every record is there", Duration::from_secs(20), || {
        cdrs = town.server.rows(&["cdr", "list", "--limit", "1000"]);
        of(&cdrs, "bob", "answered").len() == 3 && !of(&cdrs, NUMBER, "answered").is_empty()
    });
    let paid = of(&cdrs, NUMBER, "answered");
    assert_eq!(paid.len(), 1, "{cdrs:#?}");
    let billed = paid[0]["billed_seconds"].as_u64().unwrap();
    assert!((10..=13).contains(&billed), "{:#}", paid[0]);
    assert!(
        u128::from(billed) * 1000 <= talked.as_millis() + 1000,
        "no second is billed that nobody talked: {:#}",
        paid[0]
    );
    let cost = millionths(paid[0]["sell_cost"].as_str().unwrap());
    assert_eq!(cost, i64::try_from(billed).unwrap() * 100_000, "{:#}", paid[0]);
    assert_eq!(paid[0]["refusal"]["rule"], "ledger_unavailable", "{:#}", paid[0]);
    assert_eq!(millionths(&shown(&town.server, "alice", "balance")), 1_300_000 - cost, "nothing is overspent");
    let refused: u64 = of(&cdrs, NUMBER, "refused").iter().map(|c| c["repeats"].as_u64().unwrap_or(1)).sum();
    assert_eq!(refused, 2, "both refusals left their mark: {cdrs:#?}");
    let helped = cdrs.iter().filter(|c| c["kind"] == "emergency" && c["status"] == "answered").count();
    assert_eq!(helped, 1, "{cdrs:#?}");
    let crashed = of(&cdrs, "bob", "answered").iter().filter(|c| c["cause"] == "crash").count();
    assert_eq!(crashed, usize::from(killed), "{cdrs:#?}");
    for user in ["alice", "carol", "bob"] {
        assert_books_balance(&town.server, user);
    }
    // And life goes on.
    world::add_prepaid(&town.server, "dora", "5.00");
    let mut dora = Phone::udp(&town.server, net.host(13), "dora");
    let offer = dora.sdp();
    let invite = dora.invite(NUMBER, &[], &offer);
    town.carrier.pick_up();
    let (mut dialog, _) = dora.await_answer(&invite);
    dora.hang_up(&mut dialog);
    town.carrier.await_bye();
}

#[test]
fn a_locked_sqlite_file_stops_paid_calls_alone_and_loses_nothing() {
    goes_on_without(Database::Sqlite, false);
}

#[test]
fn postgresql_gone_in_mid_call_stops_paid_calls_alone_and_loses_nothing() {
    goes_on_without(Database::Postgres, false);
}

#[test]
fn killed_while_the_sqlite_file_is_locked_nothing_is_lost_either() {
    goes_on_without(Database::Sqlite, true);
}

#[test]
fn killed_while_postgresql_is_gone_nothing_is_lost_either() {
    goes_on_without(Database::Postgres, true);
}

#[test]
fn a_postgresql_that_falls_silent_without_a_word_is_given_up_within_seconds() {
    let net = Network::lease();
    let mut town = town(&net, Database::Postgres);
    let offer = town.alice.sdp();
    let invite = town.alice.invite(NUMBER, &[], &offer);
    town.carrier.pick_up();
    town.alice.await_answer(&invite);
    let answered = Instant::now();
    let Trouble::Wire(wire) = &town.trouble else { panic!("PostgreSQL is behind a wire") };
    wire.go_silent();
    town.alice.await_bye();
    assert!(answered.elapsed() < Duration::from_millis(13_500), "{:?}", answered.elapsed());
    town.carrier.await_bye();
    until("the server knows", Duration::from_secs(15), || town.is_away());
    let (free, _) = town.free_call();
    town.trouble.end();
    until("the server knows", Duration::from_secs(30), || !town.is_away());
    town.hang_up(free);
    town.server.await_quiet();
    town.server.await_cdrs(2);
    assert_books_balance(&town.server, "alice");
    assert_books_balance(&town.server, "carol");
}
