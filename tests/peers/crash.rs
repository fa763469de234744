//! `kill -9` in the middle of calls: what was proven is paid, what was held comes back, and both legs are told.

use std::time::{Duration, Instant};

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Database, Server, let_pass, until};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, assert_books_balance, millionths, shown};

fn killed_in_mid_call(database: Database) {
    let net = Network::lease();
    let mut server = Server::at(&net).database(database).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "50.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    carrier.pick_up();
    alice.await_answer(&invite);
    let answered = Instant::now();
    let_pass(Duration::from_secs(4));
    server.kill();
    let talked = answered.elapsed();
    let_pass(Duration::from_secs(2));
    server.start_again();
    // Both sides still believe in the call; the server that comes back ends it.
    alice.await_bye();
    carrier.await_bye();
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!(cdr["status"], "answered", "{cdr:#}");
    let proven = cdr["talk_ms"].as_u64().unwrap();
    let talked = u64::try_from(talked.as_millis()).unwrap();
    // Proof of life is written each second: at most one second and a commit are given away, none invented.
    assert!(proven <= talked + 300 && proven + 1700 >= talked, "proven {proven} ms of {talked} ms: {cdr:#}");
    let cost = millionths(cdr["sell_cost"].as_str().unwrap());
    assert_eq!(cost, i64::try_from(proven.div_ceil(1000)).unwrap() * 100_000, "{cdr:#}");
    assert_eq!(millionths(&shown(&server, "alice", "balance")), 50_000_000 - cost);
    assert_books_balance(&server, "alice");
    // And life goes on.
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    carrier.pick_up();
    let (mut dialog, _) = alice.await_answer(&invite);
    alice.hang_up(&mut dialog);
    carrier.await_bye();
}

#[test]
fn a_call_killed_in_the_middle_is_paid_to_the_last_proven_second_and_ended_on_both_sides() {
    killed_in_mid_call(Database::Sqlite);
}

#[test]
fn a_call_killed_in_the_middle_is_paid_and_ended_on_postgresql_too() {
    killed_in_mid_call(Database::Postgres);
}

fn killed_while_200_race(database: Database) {
    let net = Network::lease();
    let mut server = Server::at(&net).database(database).start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&["user", "add", "whole", "--kind", "traffic-sender", "--prepaid", "--credit", "3.75", "--deck", "sell"]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    let _carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let race = Sipp::new(&server, net.host(30), "trunk_race").word("user", "19995550100").callee("441632960001");
    let racing = race.load(200, 400, 200).patience(Duration::from_secs(60)).start();
    until("some of them talk", Duration::from_secs(15), || {
        server.rows(&["call", "list"]).iter().filter(|c| !c["answered_at"].is_null()).count() >= 20
    });
    let_pass(Duration::from_secs(2));
    server.kill();
    let_pass(Duration::from_secs(1));
    server.start_again();
    server.await_quiet();
    let balance = millionths(&shown(&server, "whole", "balance"));
    assert!((0..3_750_000).contains(&balance), "{balance}");
    let spent: i64 = server
        .rows(&["cdr", "list", "--limit", "1000"])
        .iter()
        .filter(|c| c["status"] == "answered")
        .map(|c| millionths(c["sell_cost"].as_str().unwrap()))
        .sum();
    assert_eq!(spent + balance, 3_750_000, "every unit is spent or still there");
    assert_books_balance(&server, "whole");
    drop(racing);
}

#[test]
fn a_race_of_200_calls_killed_in_the_middle_balances_to_the_millionth() {
    killed_while_200_race(Database::Sqlite);
}

#[test]
fn a_race_of_200_calls_killed_in_the_middle_balances_on_postgresql_too() {
    killed_while_200_race(Database::Postgres);
}

fn killed_in_silence(database: Database) {
    let net = Network::lease();
    let mut server = Server::at(&net).database(database).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "50.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    carrier.pick_up();
    let (_, answer) = alice.await_answer(&invite);
    let port: u16 = {
        let line = answer.body.lines().find(|line| line.starts_with("m=audio ")).expect("an audio line");
        line.split(' ').nth(1).and_then(|port| port.parse().ok()).expect("a port")
    };
    // Alice speaks for four seconds, in packets of 20 ms; then nobody does.
    let voice = std::net::UdpSocket::bind((net.host(10), 16_000)).expect("her media port");
    for n in 0..200_u16 {
        let mut packet = vec![0x80, 8];
        packet.extend_from_slice(&n.to_be_bytes());
        packet.extend_from_slice(&(u32::from(n) * 160).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 7]);
        packet.extend_from_slice(&[0xd5; 160]);
        voice.send_to(&packet, (net.host(1), port)).expect("sent");
        let_pass(Duration::from_millis(20));
    }
    let_pass(Duration::from_secs(14));
    server.kill();
    server.start_again();
    alice.await_bye();
    carrier.await_bye();
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!((&cdr["status"], &cdr["cause"]), (&"answered".into(), &"crash".into()), "{cdr:#}");
    let proven = cdr["talk_ms"].as_u64().unwrap();
    assert!((3_500..6_500).contains(&proven), "four seconds were heard: {cdr:#}");
    assert_books_balance(&server, "alice");
}

#[test]
fn a_call_killed_in_silence_is_paid_to_the_last_packet_heard() {
    killed_in_silence(Database::Sqlite);
}

#[test]
fn a_call_killed_in_silence_is_paid_to_the_last_packet_heard_on_postgresql_too() {
    killed_in_silence(Database::Postgres);
}

#[test]
fn a_call_killed_while_it_rings_costs_nothing() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "5.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let _ringing = alice.invite(NUMBER, &[], &offer);
    let at_carrier = carrier.await_request("INVITE");
    carrier.answer(&at_carrier, 180, &[], "");
    alice.await_status(180, "INVITE");
    server.kill();
    server.start_again();
    server.await_quiet();
    assert_eq!(shown(&server, "alice", "balance"), "5.000000");
    assert_books_balance(&server, "alice");
}

#[test]
fn sigterm_lets_running_calls_end_within_the_drain_and_exits_0() {
    let net = Network::lease();
    let mut server = Server::at(&net).drain_seconds(3).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "50.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    carrier.pick_up();
    alice.await_answer(&invite);
    server.ask_to_stop();
    let_pass(Duration::from_millis(500));
    // No new calls while it drains.
    let mut late = Phone::udp(&server, net.host(12), "alice");
    let uri = format!("sip:{NUMBER}@{}", crate::server::DOMAIN);
    let offer = late.sdp();
    let refused = late.request("INVITE", &uri, &uri, &[], &offer);
    assert_eq!(refused.status(), 503, "{refused:#?}");
    // What still runs after the drain gets a BYE.
    alice.await_bye();
    carrier.await_bye();
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{status:?}");
    server.start_again();
    let cdr = server.rows(&["cdr", "list"]).into_iter().find(|c| c["status"] == "answered").expect("the call's CDR");
    let talked = cdr["talk_ms"].as_u64().unwrap();
    assert!((2500..6000).contains(&talked), "{cdr:#}");
    assert_books_balance(&server, "alice");
}
