//! Two nodes on one PostgreSQL: what one is told both know, and what a dead one held the other settles.

use std::time::{Duration, Instant};

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Database, Server, let_pass, until};
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user, assert_books_balance, millionths, shown};

/// What a change on one node may take until the other obeys it.
const SOON: Duration = Duration::from_secs(2);

fn two(net: &Network) -> (Server, Server) {
    let first = Server::at(net).database(Database::Postgres).start();
    let second = crate::server::Setup::beside(&first, net).start();
    (first, second)
}

#[test]
fn a_change_made_at_one_node_takes_effect_at_the_other_within_two_seconds() {
    let net = Network::lease();
    let (first, second) = two(&net);
    world::open_roads(&first, net.sip(CARRIER));
    let mut carrier = Phone::udp(&second, net.host(CARRIER), "carrier");

    // A new user with a deck, over new roads: all of it was told the first node, the call comes to the second.
    add_prepaid(&first, "alice", "5.00");
    let told = Instant::now();
    let mut alice = Phone::udp(&second, net.host(10), "alice");
    until("the second node knows her", SOON, || {
        alice.register_with(&[format!("Contact: {}", alice.contact()), "Expires: 300".to_owned()]).status() == 200
    });
    eprintln!("a new user was known elsewhere after {:?}", told.elapsed());
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    carrier.pick_up();
    let (mut dialog, _) = alice.await_answer(&invite);
    alice.hang_up(&mut dialog);
    carrier.await_bye();

    // Another password.
    first.ok(&["user", "set", "alice", "--password", "a-new-one-4711"]);
    let register = [format!("Contact: {}", alice.contact()), "Expires: 300".to_owned()];
    until("the old password is nothing any more", SOON, || alice.register_with(&register).status() != 200);
    first.ok(&["user", "set", "alice", "--password", &world::password("alice")]);
    until("it is again", SOON, || alice.register_with(&register).status() == 200);

    // A setting.
    first.ok(&["config", "set", "credit.min_talk", "60s"]);
    until("the second node reads it", SOON, || second.json(&["config", "get", "credit.min_talk"])["value"] == 60);
    first.ok(&["config", "unset", "credit.min_talk"]);
    let_pass(SOON);

    // Disabled there, put out here, in mid call.
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    carrier.pick_up();
    alice.await_answer(&invite);
    first.ok(&["user", "disable", "alice"]);
    let told = Instant::now();
    alice.await_bye();
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    carrier.await_bye();

    // And a route that is gone is gone.
    first.ok(&["user", "enable", "alice"]);
    let route =
        first.rows(&["route", "list"]).into_iter().find(|route| route["prefix"] == "1").unwrap()["id"].to_string();
    first.ok(&["route", "remove", &route]);
    let_pass(SOON);
    let invite = alice.invite(NUMBER, &[], &alice.sdp());
    assert_eq!(alice.await_refusal(&invite).status(), 404);
    second.await_quiet();
    assert_books_balance(&first, "alice");
}

#[test]
fn what_a_dead_node_held_another_settles_exactly_once() {
    let net = Network::lease();
    let (mut first, second) = two(&net);
    world::open_roads(&first, net.sip(CARRIER));
    add_prepaid(&first, "alice", "1.30");
    add_user(&first, "bob", &[]);
    let mut alice = Phone::udp(&first, net.host(10), "alice");
    let mut carrier = Phone::udp(&first, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    carrier.pick_up();
    alice.await_answer(&invite);
    let answered = Instant::now();
    let_pass(Duration::from_secs(4));
    first.kill();
    let talked = u64::try_from(answered.elapsed().as_millis()).unwrap();
    assert_ne!(shown(&second, "alice", "reserved"), "0.000000", "somebody may still be talking there");
    until("the other node settles it", Duration::from_secs(75), || shown(&second, "alice", "reserved") == "0.000000");
    assert!(answered.elapsed() > Duration::from_secs(20), "not before paid time and skew: {:?}", answered.elapsed());
    let cdr = second.only_cdr();
    assert_eq!((&cdr["status"], &cdr["cause"]), (&"answered".into(), &"crash".into()), "{cdr:#}");
    let proven = cdr["talk_ms"].as_u64().unwrap();
    assert!(proven <= talked + 300 && proven + 1700 >= talked, "proven {proven} ms of {talked} ms: {cdr:#}");
    let cost = millionths(cdr["sell_cost"].as_str().unwrap());
    assert_eq!(millionths(&shown(&second, "alice", "balance")), 1_300_000 - cost);
    // The dead one comes back and finds nothing to do.
    first.start_again();
    let_pass(Duration::from_secs(1));
    assert_eq!(first.only_cdr(), cdr);
    assert_books_balance(&first, "alice");
    assert_books_balance(&second, "alice");
}
