//! What other settings would have stopped, told from the records of real calls; and counters that agree with those.

use std::time::Duration;

use serde_json::json;

use crate::network::Network;
use crate::server::{Database, Server};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, assert_books_balance};

fn told(database: Database) {
    let net = Network::lease();
    let mut server = Server::at(&net).database(database).start();
    world::open_roads(&server, net.sip(CARRIER));
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    add_prepaid(&server, "alice", "9.00");
    for call in 1..=3 {
        // Two seconds at 6.00 a minute, begun: 0.30.
        let caller = Sipp::new(&server, net.host(10), "call").user("alice").callee(NUMBER);
        caller.pause(Duration::from_millis(2300)).run();
        carrier.await_done(call);
    }
    server.await_quiet();
    let what_if = |server: &Server, set: &str| server.json(&["whatif", "--set", set, "--since", "2020-01-01"]);
    let answer = what_if(&server, "ip.calls_max=2");
    assert_eq!((&answer["calls"], &answer["honest_calls"]), (&json!(3), &json!(1)), "{answer:#}");
    let row = &answer["stopped"][0];
    assert_eq!(
        (&row["account"], &row["rule"], &row["refused"]),
        (&json!("alice"), &json!("ip_calls"), &json!(1)),
        "{answer:#}"
    );
    assert_eq!(row["text"], "2 calls from this address, 2 are allowed");
    assert_eq!(what_if(&server, "ip.calls_max=3")["stopped"], json!([]));
    let dear = what_if(&server, "price.sell_max=5");
    assert_eq!((&dear["stopped"][0]["rule"], &dear["honest_calls"]), (&json!("too_dear"), &json!(3)), "{dear:#}");
    let spent = server
        .rows(&["cdr", "list"])
        .iter()
        .map(|cdr| world::millionths(cdr["sell_cost"].as_str().expect("text")))
        .sum::<i64>();
    assert_eq!(world::millionths(dear["honest_stopped"].as_str().expect("text")), spent, "{dear:#}");
    for (set, word) in
        [("ip.calls=2", "ip.calls"), ("ip.calls_max=few", "ip.calls_max"), ("ip.calls_max", "NAME=VALUE")]
    {
        let said = server.cli(&["whatif", "--set", set, "--since", "2020-01-01"]);
        assert!(said.status == 1 && said.err.contains(word) && said.err.lines().count() == 1, "{said:?}");
    }
    // Nothing was set, and nothing counted: a fourth call goes through.
    Sipp::new(&server, net.host(10), "call").user("alice").callee(NUMBER).run();
    carrier.await_done(4);
    server.await_quiet();
    assert_eq!(server.json(&["limits", "repair", "--dry-run"]), json!([]));
    assert_books_balance(&server, "alice");
    // The same without a server.
    let before = what_if(&server, "ip.calls_max=2");
    server.terminate();
    assert_eq!(what_if(&server, "ip.calls_max=2")["stopped"], before["stopped"]);
}

#[test]
fn a_lower_limit_would_have_stopped_the_third_call() {
    told(Database::Sqlite);
}

#[test]
fn a_lower_limit_would_have_stopped_the_third_call_on_postgresql() {
    told(Database::Postgres);
}
