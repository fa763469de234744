//! What calls cost, when they end for want of money, and how many of many are granted.

use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Database, Server, let_pass, until};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, assert_books_balance, millionths, shown};

/// A server with roads and a carrier that answers at once.
fn answering(net: &Network, database: Database, shards: u16) -> (Server, crate::sipp::Running) {
    let server = Server::at(net).database(database).shards(shards).start();
    world::open_roads(&server, net.sip(CARRIER));
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    (server, carrier)
}

fn credit_ends(database: Database) {
    let net = Network::lease();
    let (server, carrier) = answering(&net, database, 1);
    // Ten seconds are held at the start, two more are bought second by second; 0.05 buys no further second.
    add_prepaid(&server, "alice", "1.25");
    let caller = Sipp::new(&server, net.host(10), "call_until_bye").user("alice").callee(NUMBER);
    caller.patience(Duration::from_secs(40)).run();
    carrier.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!(cdr["billed_seconds"], 12, "{cdr:#}");
    assert_eq!(cdr["sell_cost"], "1.200000", "{cdr:#}");
    assert_eq!(cdr["cause"], "credit", "{cdr:#}");
    assert_eq!(shown(&server, "alice", "balance"), "0.050000", "what buys no increment stays");
    assert_books_balance(&server, "alice");
    let refused = Sipp::new(&server, net.host(10), "call_refused").user("alice").callee(NUMBER).word("status", 402);
    refused.run();
    let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
    assert_eq!(cdr["refusal"]["rule"], "credit", "{cdr:#}");
    assert_eq!(carrier.report().done, 1, "a refused call is never dialled");
}

#[test]
fn a_prepaid_call_ends_with_the_credit_to_the_second() {
    credit_ends(Database::Sqlite);
}

#[test]
fn a_prepaid_call_ends_with_the_credit_to_the_second_on_postgresql() {
    credit_ends(Database::Postgres);
}

/// 200 calls at once on a balance that affords 37 minimum asks.
fn exactly_37(database: Database, shards: u16) {
    let net = Network::lease();
    let (server, carrier) = answering(&net, database, shards);
    // A minimum ask is ten seconds at 0.60 a minute: 0.10. 3.75 affords 37 of them and half of another.
    server.ok(&["user", "add", "whole", "--kind", "traffic-sender", "--prepaid", "--credit", "3.75", "--deck", "sell"]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    let race = Sipp::new(&server, net.host(30), "trunk_race").word("user", "19995550100").callee("441632960001");
    race.load(200, 400, 200).patience(Duration::from_secs(90)).run();
    server.await_quiet();
    let cdrs = server.rows(&["cdr", "list", "--limit", "1000"]);
    let answered: Vec<_> = cdrs.iter().filter(|c| c["status"] == "answered").collect();
    // Repeated identical refusals within a minute fold into one row with a count.
    let refused: u64 = cdrs
        .iter()
        .filter(|c| c["status"] == "refused")
        .map(|c| {
            assert_eq!(c["refusal"]["rule"], "credit", "{c:#}");
            1.max(c["repeats"].as_u64().unwrap_or(1))
        })
        .sum();
    assert_eq!((answered.len(), refused), (37, 163));
    carrier.await_done(37);
    assert_eq!(carrier.report().done, 37, "the carrier saw what was granted and nothing else");
    let left = millionths(&shown(&server, "whole", "balance"));
    assert!((0..=37 * 10_000).contains(&left), "used to within one increment a call: {left}");
    let spent: i64 = answered.iter().map(|c| millionths(c["sell_cost"].as_str().unwrap())).sum();
    assert_eq!(spent + left, 3_750_000);
    assert_books_balance(&server, "whole");
}

#[test]
fn of_200_parallel_calls_exactly_the_37_affordable_ones_are_granted() {
    exactly_37(Database::Sqlite, 1);
}

#[test]
fn of_200_parallel_calls_exactly_the_37_affordable_ones_are_granted_over_three_shards() {
    exactly_37(Database::Sqlite, 3);
}

#[test]
fn of_200_parallel_calls_exactly_the_37_affordable_ones_are_granted_on_postgresql() {
    exactly_37(Database::Postgres, 1);
}

#[test]
fn increments_setup_fees_and_grace_are_billed_as_the_deck_says() {
    let net = Network::lease();
    let (server, _carrier) = answering(&net, Database::Sqlite, 1);
    add_prepaid(&server, "alice", "100.00");
    //  number, talk ms, billed seconds, cost
    for (number, talk, billed, cost) in [
        ("441632960001", 1500, 2, "0.020000"),
        ("493012345678", 1500, 60, "0.350000"),
        ("33123456789", 1500, 0, "0.000000"),
        (NUMBER, 500, 1, "0.100000"),
    ] {
        let caller = Sipp::new(&server, net.host(10), "call").user("alice").callee(number);
        caller.pause(Duration::from_millis(talk)).run();
        server.await_quiet();
        until("the CDR is there", Duration::from_secs(10), || {
            server.rows(&["cdr", "list", "--limit", "1"]).first().is_some_and(|c| c["callee"] == number)
        });
        let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
        assert_eq!((&cdr["billed_seconds"], &cdr["sell_cost"]), (&billed.into(), &cost.into()), "{cdr:#}");
    }
    assert_eq!(shown(&server, "alice", "balance"), "99.530000");
    assert_books_balance(&server, "alice");
}

#[test]
fn a_blocked_prefix_and_a_number_without_price_are_refused_before_anything_is_held() {
    let net = Network::lease();
    let (server, carrier) = answering(&net, Database::Sqlite, 1);
    server.ok(&["route", "add", "--prefix", "81", "--trunk", "carrier"]);
    add_prepaid(&server, "alice", "100.00");
    for (number, status, rule) in [
        ("79001234567", 403, "destination_blocked"),
        ("81312345678", 403, "no_price"),
        ("55111234567", 404, "no_route"),
    ] {
        Sipp::new(&server, net.host(10), "call_refused").user("alice").callee(number).word("status", status).run();
        let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
        assert_eq!((&cdr["status"], &cdr["refusal"]["rule"]), (&"refused".into(), &rule.into()), "{cdr:#}");
        assert!(!cdr["refusal"]["text"].as_str().unwrap_or_default().is_empty(), "{cdr:#}");
    }
    assert_eq!(carrier.report().done, 0);
    assert_eq!(shown(&server, "alice", "balance"), "100.000000");
    assert_books_balance(&server, "alice");
}

fn refusals_fold(database: Database) {
    let net = Network::lease();
    let mut server = Server::at(&net).database(database).start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&["user", "add", "poor", "--kind", "traffic-sender", "--prepaid", "--credit", "0.01", "--deck", "sell"]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "poor"]);
    let hammer = |callee: &str, calls| {
        let race = Sipp::new(&server, net.host(30), "trunk_refused").word("user", "19995550100").callee(callee);
        race.word("status", 402).load(calls, 100, 50).patience(Duration::from_secs(60)).run();
    };
    hammer(NUMBER, 40);
    let records = server.rows(&["cdr", "list", "--limit", "1000"]);
    assert_eq!(records.len(), 1, "identical refusals share a record: {records:#?}");
    assert_eq!(records[0]["repeats"], 40, "{:#}", records[0]);
    // A hundred numbers: 59 more records in this minute, and one for the rest.
    for n in 0..100 {
        hammer(&format!("1202555{n:04}"), 1);
    }
    let records = server.rows(&["cdr", "list", "--limit", "1000"]);
    let attempts: u64 = records.iter().map(|c| c["repeats"].as_u64().unwrap()).sum();
    assert_eq!(attempts, 140, "every attempt is counted");
    assert!((61..=122).contains(&records.len()), "{} records", records.len());
    // The count is in the books, not in the process alone.
    server.kill();
    server.start_again();
    let records = server.rows(&["cdr", "list", "--limit", "1000"]);
    assert_eq!(records.iter().map(|c| c["repeats"].as_u64().unwrap()).sum::<u64>(), 140);
    assert_books_balance(&server, "poor");
}

#[test]
fn refusals_that_repeat_share_a_record() {
    refusals_fold(Database::Sqlite);
}

#[test]
fn refusals_that_repeat_share_a_record_on_postgresql_too() {
    refusals_fold(Database::Postgres);
}

#[test]
fn a_ringing_call_holds_money_and_gives_all_of_it_back() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "5.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    let ringing = carrier.await_request("INVITE");
    assert_eq!(shown(&server, "alice", "reserved"), "1.000000", "ten seconds are held before the carrier is dialled");
    assert_eq!(shown(&server, "alice", "available"), "4.000000");
    carrier.answer(&ringing, 180, &[], "");
    alice.await_status(180, "INVITE");
    alice.cancel(&invite);
    let cancel = carrier.await_request("CANCEL");
    carrier.answer(&cancel, 200, &[], "");
    carrier.answer(&ringing, 487, &[], "");
    alice.await_refusal(&invite);
    server.await_quiet();
    assert_eq!(shown(&server, "alice", "balance"), "5.000000");
    assert_books_balance(&server, "alice");
}

#[test]
fn a_top_up_lengthens_a_running_call() {
    let net = Network::lease();
    let (server, carrier) = answering(&net, Database::Sqlite, 1);
    add_prepaid(&server, "alice", "1.00");
    let caller = Sipp::new(&server, net.host(10), "call").user("alice").callee(NUMBER).pause(Duration::from_secs(14));
    let talking = caller.patience(Duration::from_secs(40)).start();
    until("the call is up", Duration::from_secs(10), || {
        server.rows(&["call", "list"]).first().is_some_and(|c| !c["answered_at"].is_null())
    });
    let_pass(Duration::from_secs(4));
    server.ok(&["credit", "add", "alice", "10.00", "--note", "voucher"]);
    talking.finish();
    carrier.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert!((14..=15).contains(&cdr["billed_seconds"].as_u64().unwrap()), "{cdr:#}");
    assert_books_balance(&server, "alice");
}

#[test]
fn a_disabled_user_is_cut_off_at_once() {
    let net = Network::lease();
    let (server, carrier) = answering(&net, Database::Sqlite, 1);
    add_prepaid(&server, "alice", "100.00");
    let talking = Sipp::new(&server, net.host(10), "call_until_bye").user("alice").callee(NUMBER).start();
    until("the call is up", Duration::from_secs(10), || {
        server.rows(&["call", "list"]).first().is_some_and(|c| !c["answered_at"].is_null())
    });
    server.ok(&["user", "disable", "alice"]);
    talking.finish();
    carrier.await_done(1);
    server.await_quiet();
    assert_eq!(server.only_cdr()["cause"], "user_disabled");
    assert_books_balance(&server, "alice");
}

#[test]
fn a_postpaid_account_may_fall_to_its_credit_limit_and_no_further() {
    let net = Network::lease();
    let (server, carrier) = answering(&net, Database::Sqlite, 1);
    let options = ["--postpaid", "--credit-limit", "1.10", "--deck", "sell"];
    world::add_user(&server, "alice", &options);
    let caller = Sipp::new(&server, net.host(10), "call_until_bye").user("alice").callee(NUMBER);
    caller.patience(Duration::from_secs(40)).run();
    carrier.await_done(1);
    server.await_quiet();
    assert_eq!(shown(&server, "alice", "balance"), "-1.100000");
    assert_books_balance(&server, "alice");
}

#[test]
fn explain_says_beforehand_what_the_call_will_meet() {
    let net = Network::lease();
    let (server, _carrier) = answering(&net, Database::Sqlite, 1);
    add_prepaid(&server, "alice", "1.25");
    let good = server.json(&["explain", "--from", "alice", "--to", NUMBER]);
    assert_eq!(good["price_per_minute"], "6.000000", "{good:#}");
    assert_eq!((&good["max_seconds"], &good["trunk"]), (&12.into(), &"carrier".into()), "{good:#}");
    assert!(good["refusal"].is_null(), "{good:#}");
    assert!(good["trace"].as_array().is_some_and(|t| t.len() > 3), "{good:#}");
    let bad = server.json(&["explain", "--from", "alice", "--to", "79001234567"]);
    assert_eq!(bad["refusal"]["rule"], "destination_blocked", "{bad:#}");
    assert!(server.rows(&["cdr", "list"]).is_empty(), "a dry run leaves nothing");
    assert_eq!(shown(&server, "alice", "reserved"), "0.000000");
}
