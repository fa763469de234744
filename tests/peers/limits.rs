//! Limits as callers meet them: lines, addresses, spend, talk time, the platform's own; each told by status, CDR and `user show`.

use std::time::Duration;

use serde_json::json;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Database, Server, until};
use crate::sipp::{Running, Sipp};
use crate::world::{self, CARRIER, NUMBER, SECOND_CARRIER, add_carrier, add_prepaid, add_user, assert_books_balance};

/// 0.60 a minute by the second.
const CHEAP: &str = "441632960001";

/// A server with roads and a carrier that answers at once.
fn answering(net: &Network, database: Database) -> (Server, Running) {
    let server = Server::at(net).database(database).start();
    world::open_roads(&server, net.sip(CARRIER));
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    (server, carrier)
}

/// Talks for `ms` and hangs up.
#[track_caller]
fn talk(server: &Server, net: &Network, user: &str, number: &str, ms: u64) {
    let caller = Sipp::new(server, net.host(10), "call").user(user).callee(number);
    caller.pause(Duration::from_millis(ms)).run();
    server.await_quiet();
}

/// Is refused with `status` by `rule`.
#[track_caller]
fn refused(server: &Server, net: &Network, host: u8, user: &str, status: u16, rule: &str) {
    let caller = Sipp::new(server, net.host(host), "call_refused").user(user).callee(CHEAP);
    caller.word("status", status).run();
    server.await_quiet();
    let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
    assert_eq!((&cdr["status"], &cdr["refusal"]["rule"]), (&json!("refused"), &json!(rule)), "{cdr:#}");
    assert!(cdr["refusal"]["setting"].is_string(), "{cdr:#}");
}

#[test]
fn the_third_of_two_lines_is_busy_until_one_hangs_up() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "50.00");
    add_user(&server, "desk", &["--account", "alice"]);
    server.ok(&["user", "set", "alice", "--max-lines", "2", "--account-max-lines", "3"]);
    let _carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut desk = Phone::udp(&server, net.host(11), "desk");
    let offer = alice.sdp();
    let first = alice.invite(CHEAP, &[], &offer);
    alice.await_answer(&first);
    let second = alice.invite(CHEAP, &[], &offer);
    let (mut talk, _) = alice.await_answer(&second);
    let third = alice.invite(CHEAP, &[], &offer);
    assert_eq!(alice.await_refusal(&third).status(), 486);
    alice.hang_up(&mut talk);
    until("a line is free", Duration::from_secs(5), || world::shown(&server, "alice", "lines_in_use") == "1");
    let instead = alice.invite(CHEAP, &[], &offer);
    alice.await_answer(&instead);
    // A user of the same account has lines of his own, as long as the account has.
    let offer = desk.sdp();
    let fourth = desk.invite(CHEAP, &[], &offer);
    desk.await_answer(&fourth);
    let fifth = desk.invite(CHEAP, &[], &offer);
    assert_eq!(desk.await_refusal(&fifth).status(), 486);
    let refusal = server.rows(&["cdr", "list", "--limit", "1"]).remove(0)["refusal"].clone();
    assert_eq!((&refusal["setting"], &refusal["limit"]), (&json!("account.max_lines"), &json!("3")));
    // Night falls: the same week, but no hour of it is peak time.
    server.ok(&["user", "set", "alice", "--max-lines-offpeak", "1"]);
    server.ok(&["calendar", "set", "--peak", "none"]);
    // To another number: a refusal that repeats within a minute shares its record.
    let sixth = alice.invite("441632960002", &[], &offer);
    assert_eq!(alice.await_refusal(&sixth).status(), 486);
    let refusal = server.rows(&["cdr", "list", "--limit", "1"]).remove(0)["refusal"].clone();
    assert_eq!((&refusal["setting"], &refusal["limit"]), (&json!("user.max_lines_offpeak"), &json!("1")));
}

fn an_address_has_its_calls(database: Database) {
    let net = Network::lease();
    let (mut server, carrier) = answering(&net, database);
    add_prepaid(&server, "alice", "50.00");
    add_prepaid(&server, "bob", "50.00");
    talk(&server, &net, "alice", CHEAP, 100);
    assert!(server.ok(&["config", "set", "maxcallperip", "3"]).contains("ip.calls_max"));
    talk(&server, &net, "alice", CHEAP, 100);
    talk(&server, &net, "bob", CHEAP, 100);
    refused(&server, &net, 10, "alice", 403, "ip_calls");
    // Another address of the same user is served; and nothing is forgotten by a kill.
    Sipp::new(&server, net.host(12), "call").user("alice").callee(CHEAP).run();
    server.kill();
    server.start_again();
    refused(&server, &net, 10, "bob", 403, "ip_calls");
    let explained = server.json(&["explain", "--from", "alice", "--to", CHEAP, "--ip", &net.host(10).to_string()]);
    assert_eq!(explained["refusal"]["rule"], "ip_calls", "{explained:#}");
    assert_eq!(server.rows(&["limits", "repair", "--dry-run"]), Vec::<serde_json::Value>::new());
    server.ok(&["config", "set", "ip.scope", "user:bob"]);
    talk(&server, &net, "alice", CHEAP, 100);
    server.ok(&["config", "set", "ip.scope", "off"]);
    server.ok(&["config", "unset", "ip.calls_max"]);
    // Six calls at 0.01 or 0.02: whatever they cost, it is more than this.
    server.ok(&["config", "set", "maxcostperip", "0.01"]);
    refused(&server, &net, 10, "alice", 403, "ip_cost");
    drop(carrier);
    assert_books_balance(&server, "alice");
}

#[test]
fn an_address_has_its_calls_and_its_money() {
    an_address_has_its_calls(Database::Sqlite);
}

#[test]
fn an_address_has_its_calls_and_its_money_on_postgresql() {
    an_address_has_its_calls(Database::Postgres);
}

#[test]
fn spend_of_days_and_months_is_capped_by_class_and_by_account() {
    let net = Network::lease();
    let (server, _carrier) = answering(&net, Database::Sqlite);
    // 6.00 a minute by the second: a call of 1.1 s costs 0.20, and holds 1.00 at the start.
    for user in ["alice", "bob", "carol"] {
        add_user(&server, user, &["--postpaid", "--deck", "sell"]);
    }
    let shown = |user: &str| server.json(&["user", "show", user]);
    // By the guide's names: end users two a day, traffic senders as they like.
    server.ok(&["config", "set", "maxdailycreditforenduser", "1.10"]);
    server.ok(&["user", "set", "bob", "--daily-limit", "0.15"]);
    server.ok(&["user", "set", "carol", "--daily-limit", "unlimited", "--monthly-limit", "0.30"]);
    talk(&server, &net, "alice", NUMBER, 1100);
    assert_eq!(shown("alice")["spend_today"], "0.200000");
    let dear = |user: &str, status: u16, rule: &str| {
        Sipp::new(&server, net.host(10), "call_refused").user(user).callee(NUMBER).word("status", status).run();
        let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
        assert_eq!(cdr["refusal"]["rule"], rule, "{cdr:#}");
        cdr["refusal"].clone()
    };
    let refusal = dear("alice", 403, "daily_limit");
    assert_eq!(
        (&refusal["setting"], &refusal["observed"], &refusal["limit"]),
        (&json!("credit.daily.enduser"), &json!("1.200000"), &json!("1.100000"))
    );
    assert_eq!(dear("bob", 403, "daily_limit")["setting"], "account.daily_limit");
    server.ok(&["config", "set", "quotadiscreason", "480"]);
    assert_eq!(dear("carol", 480, "monthly_limit")["limit"], "0.300000");
    // A traffic sender has a floor of its own.
    server.ok(&["user", "add", "whole", "--kind", "traffic-sender", "--postpaid", "--deck", "sell"]);
    let limits = shown("whole")["limits"].clone();
    let dynamic = limits.as_array().unwrap().iter().find(|limit| limit["name"] == "dynamic_limit").cloned();
    assert_eq!(dynamic.unwrap()["value"], "100.000000");
    assert_eq!(shown("whole")["daily_limit"], serde_json::Value::Null);
    assert_books_balance(&server, "alice");
}

#[test]
fn talk_time_refuses_the_next_call_and_a_carrier_that_has_talked_enough_is_passed_over() {
    let net = Network::lease();
    let (server, first) = answering(&net, Database::Sqlite);
    add_carrier(&server, "second", net.sip(SECOND_CARRIER), 2);
    let second = Sipp::listening(&server, net.host(SECOND_CARRIER), "answer").start();
    add_prepaid(&server, "alice", "50.00");
    server.ok(&["trunk", "set", "carrier", "--talk-day", "2"]);
    server.ok(&["user", "set", "alice", "--talk-day", "4"]);
    // Longer than the carrier may: it is not cut, the next call goes elsewhere.
    talk(&server, &net, "alice", CHEAP, 3200);
    talk(&server, &net, "alice", CHEAP, 1500);
    first.await_done(1);
    second.await_done(1);
    let trunk = server.json(&["trunk", "show", "carrier"]);
    assert_eq!((&trunk["talk_today"], &trunk["talk_day_limit"]), (&json!(3), &json!(2)), "{trunk:#}");
    refused(&server, &net, 10, "alice", 403, "talk_day");
    let cdrs = server.rows(&["cdr", "list"]);
    assert_eq!((&cdrs[1]["trunk_out"], &cdrs[2]["trunk_out"]), (&json!("second"), &json!("carrier")));
}

#[test]
fn the_platform_takes_on_so_many_calls_and_no_more() {
    let net = Network::lease();
    let (server, _carrier) = answering(&net, Database::Sqlite);
    add_prepaid(&server, "alice", "50.00");
    server.ok(&["config", "set", "platform.calls_max", "1"]);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let first = alice.invite(CHEAP, &[], &offer);
    alice.await_answer(&first);
    let second = alice.invite(CHEAP, &[], &offer);
    let refusal = alice.await_refusal(&second);
    assert_eq!((refusal.status(), refusal.header("Retry-After").is_empty()), (503, false));
    server.ok(&["config", "set", "platform.calls_max", "off"]);
    // A tenant's calls are lines of its reseller, and one too many is the platform's no.
    server.ok(&["user", "add", "boss", "--kind", "reseller", "--prepaid", "--credit", "50", "--deck", "sell"]);
    add_user(&server, "carl", &["--prepaid", "--credit", "50", "--deck", "sell", "--parent", "boss"]);
    server.ok(&["config", "set", "tenant.calls_max", "1"]);
    let mut carl = Phone::udp(&server, net.host(11), "carl");
    let offer = carl.sdp();
    let one = carl.invite(CHEAP, &[], &offer);
    carl.await_answer(&one);
    let two = carl.invite(CHEAP, &[], &offer);
    assert_eq!(carl.await_refusal(&two).status(), 503);
    let refusal = server.rows(&["cdr", "list", "--limit", "1"]).remove(0)["refusal"].clone();
    assert_eq!((&refusal["rule"], &refusal["setting"]), (&json!("overload"), &json!("tenant.calls_max")));
    server.ok(&["config", "set", "platform.users_max", "1"]);
    let said = server.cli(&["user", "add", "one-more"]);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.err.contains("platform.users_max"), "{said:?}");
}

#[test]
fn a_first_start_brings_empty_decks_and_templates_and_short_numbers_reach_people() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let decks = server.rows(&["deck", "list"]);
    let names: Vec<_> = decks.iter().map(|deck| (deck["name"].clone(), deck["rows"].clone())).collect();
    assert_eq!(names, [(json!("default-buy"), json!(0)), (json!("default-sell"), json!(0))]);
    let templates: Vec<_> = server.rows(&["template", "list"]).iter().map(|row| row["name"].clone()).collect();
    assert_eq!(templates, ["restricted", "standard"]);
    add_user(&server, "alice", &["--template", "restricted", "--extension", "101"]);
    add_user(&server, "bob", &["--extension", "102"]);
    let alice = server.json(&["user", "show", "alice"]);
    //  what a restricted account is
    for (field, value) in [
        ("mode", json!("prepaid")),
        ("max_lines", json!(2)),
        ("daily_limit", json!("5.000000")),
        ("deck", json!("default-sell")),
        ("extension", json!("101")),
    ] {
        assert_eq!(alice[field], value, "{field}");
    }
    for (words, names) in [
        (&["user", "set", "bob", "--extension", "101"][..], "alice"),
        (&["user", "set", "bob", "--extension", "112"][..], "emergency"),
        (&["user", "set", "bob", "--extension", "12a"][..], "digits"),
    ] {
        let said = server.cli(words);
        assert_eq!((said.status, said.err.lines().count()), (1, 1), "{said:?}");
        assert!(said.err.contains(names), "{said:?}");
    }
    let mut phone = Phone::udp(&server, net.host(11), "bob");
    phone.register();
    let mut caller = Phone::udp(&server, net.host(10), "alice");
    let offer = caller.sdp();
    caller.invite("102", &[], &offer);
    phone.await_request("INVITE");
    until("the call is listed", Duration::from_secs(5), || !server.rows(&["call", "list"]).is_empty());
}

#[test]
fn a_sender_that_may_stay_inside_reaches_numbers_of_ours_and_no_others() {
    let net = Network::lease();
    let (server, _carrier) = answering(&net, Database::Sqlite);
    server.ok(&["user", "add", "whole", "--kind", "traffic-sender", "--prepaid", "--credit", "10", "--deck", "sell"]);
    server.ok(&["user", "set", "whole", "--local-only", "true"]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    add_user(&server, "bob", &[]);
    server.ok(&["did", "add", "3615550102", "--user", "bob"]);
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let callee = Sipp::listening(&server, net.host(11), "answer").start();
    let from = |number, scenario| Sipp::new(&server, net.host(30), scenario).word("user", "19995550100").callee(number);
    from("3615550102", "trunk_call").pause(Duration::from_millis(500)).run();
    callee.await_done(1);
    from(CHEAP, "trunk_refused").word("status", 403).run();
    server.await_quiet();
    let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
    assert_eq!(cdr["refusal"]["rule"], "local_only", "{cdr:#}");
}

#[test]
fn counters_that_a_hand_was_put_in_are_told_and_put_right_while_the_platform_runs() {
    let net = Network::lease();
    let (server, _carrier) = answering(&net, Database::Sqlite);
    add_prepaid(&server, "alice", "10.00");
    talk(&server, &net, "alice", CHEAP, 1500);
    assert!(server.rows(&["limits", "repair", "--dry-run"]).is_empty());
    crate::books::put_a_hand_in_every_counter(&server, "alice");
    let told = |words: &[&str]| -> Vec<String> {
        let mut all: Vec<_> =
            server.rows(words).iter().map(|row| row["counter"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    let seen = told(&["limits", "repair", "--dry-run"]);
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert_eq!(seen[..4], ["balance", "held", &seen[2], "lines"], "{seen:?}");
    assert_eq!(world::shown(&server, "alice", "balance"), "10.980000", "looked at, not touched");
    assert_eq!(told(&["limits", "repair"]), seen);
    assert!(server.rows(&["limits", "repair"]).is_empty());
    assert_eq!(world::shown(&server, "alice", "balance"), "9.980000");
    assert_books_balance(&server, "alice");
    talk(&server, &net, "alice", CHEAP, 100);
}
