//! Hundreds of calls whose parties act at the same moment: nothing that a race can leave behind is left.

use std::time::Duration;

use crate::network::Network;
use crate::server::{Server, until};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, assert_books_balance};

/// A traffic sender and a carrier. Most transactions linger for 64 × T1, so T1 is short; nobody is pinged, so that no transaction is
/// other than a call's.
fn quick_world(net: &Network, shards: u16) -> Server {
    let setup = Server::at(net).shards(shards).policy("sip.t1_ms", "\"100ms\"");
    // Nobody who gives up half of his calls is let go on, else.
    let server = setup.policy("fraud.autoban", "\"off\"").start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&["trunk", "set", "carrier", "--options-interval", "0"]);
    let terms = ["--kind", "traffic-sender", "--prepaid", "--credit", "1000.00", "--deck", "sell"];
    server.ok(&[&["user", "add", "whole"], &terms[..]].concat());
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    server
}

/// No call, no transaction beyond its linger (timer D is never less than 32 s, RFC 3261 §17.1.1.2), no port, no line and no hold.
#[track_caller]
fn assert_nothing_is_left(server: &Server) {
    server.await_quiet();
    for gauge in ["tollgate_calls_active", "tollgate_calls_waiting", "tollgate_media_sockets", "tollgate_transactions"]
    {
        until(&format!("{gauge} is 0, not {}", server.gauge(gauge)), Duration::from_secs(45), || {
            server.gauge(gauge) == 0.0
        });
    }
    assert_books_balance(server, "whole");
    assert_eq!(crate::books::live(server), "0 0", "holds and lines");
    let carrier = server.json(&["trunk", "show", "carrier"]);
    assert_eq!(carrier["lines_in_use"], 0, "{carrier:#}");
    assert!(!server.logged().contains("panicked"), "a panic is a bug");
}

/// Plays the calls out. A sipp that is spoken to between two commands of its script gives that call up, rudely and unasked: such a
/// peer may leave nothing behind either, so only the callers that went as written are counted.
fn race(shards: u16, caller: &'static str, callee: &'static str, calls: u32) -> (Server, Network, u32) {
    let net = Network::lease();
    let server = quick_world(&net, shards);
    let carrier = Sipp::listening(&server, net.host(CARRIER), callee).patience(Duration::from_secs(40)).start();
    let callers = Sipp::new(&server, net.host(30), caller).word("user", "19995550100").callee("441632960001");
    let (_, report) = callers.load(calls, 40, 100).patience(Duration::from_secs(40)).start().end();
    assert_eq!(report.successful + report.failed, calls, "{report:?}");
    let done = carrier.report().done;
    assert!(done > calls / 4, "the callee went through its script {done} times only");
    assert_nothing_is_left(&server);
    (server, net, report.successful)
}

fn cancels_that_cross_answers(shards: u16) {
    const CALLS: u32 = 300;
    let (server, _net, successful) = race(shards, "cancel_race", "cancel_race_answer", CALLS);
    assert_eq!(successful, CALLS, "each caller was told one end, and no other");
    let cdrs = server.await_cdrs(CALLS as usize);
    let answered = cdrs.iter().filter(|cdr| cdr["status"] == "answered").count();
    let cancelled = cdrs.iter().filter(|cdr| cdr["sip_status"] == 487).count();
    assert_eq!(
        answered + cancelled,
        CALLS as usize,
        "each call has one end: {answered} answered, {cancelled} cancelled"
    );
    assert!(cancelled > 0 && answered > 0, "a race that one side always wins is none: {answered} to {cancelled}");
}

#[test]
fn cancels_that_cross_answers_leave_nothing() {
    cancels_that_cross_answers(1);
}

#[test]
fn cancels_that_cross_answers_over_three_shards_leave_nothing() {
    cancels_that_cross_answers(3);
}

#[test]
fn offers_that_cross_leave_nothing() {
    const CALLS: u32 = 200;
    let (server, _net, successful) = race(1, "glare_call", "glare_answer", CALLS);
    assert!(successful > CALLS / 4, "{successful} calls went as written");
    let cdrs = server.await_cdrs(CALLS as usize);
    assert!(cdrs.iter().all(|cdr| cdr["status"] == "answered"), "{cdrs:#?}");
}
