//! Many calls: a thousand short ones in a run, ten thousand in a long one, and nothing is left of any of them.

use std::time::Duration;

use crate::network::Network;
use crate::server::{Server, until};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, assert_books_balance, millionths, shown};

fn short_calls(shards: u16, calls: u32, rate: u32) {
    let net = Network::lease();
    // Hundreds of calls of a tenth of a second from one number are what autoban is for.
    let server = Server::at(&net).shards(shards).policy("fraud.autoban", "\"off\"").start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&[
        "user",
        "add",
        "whole",
        "--kind",
        "traffic-sender",
        "--prepaid",
        "--credit",
        "100000.00",
        "--deck",
        "sell",
    ]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").patience(Duration::from_secs(60)).start();
    let before = server.memory_kib();
    let caller = Sipp::new(&server, net.host(30), "trunk_call").word("user", "19995550100").callee("441632960001");
    let report =
        caller.pause(Duration::from_millis(100)).load(calls, rate, 500).patience(Duration::from_secs(900)).run();
    assert_eq!(report.successful, calls, "{report:?}");
    assert!(report.retransmissions < calls / 10, "messages were lost or late: {report:?}");
    carrier.await_done(calls);
    server.await_quiet();
    until("every call has its CDR", Duration::from_secs(30), || {
        server.rows(&["cdr", "list", "--limit", "100000"]).len() == calls as usize
    });
    let cdrs = server.rows(&["cdr", "list", "--limit", "100000"]);
    assert!(cdrs.iter().all(|c| c["status"] == "answered"), "every call was answered");
    let spent: i64 = cdrs.iter().map(|c| millionths(c["sell_cost"].as_str().unwrap())).sum();
    assert_eq!(spent + millionths(&shown(&server, "whole", "balance")), 100_000_000_000);
    assert_books_balance(&server, "whole");
    let grown = server.memory_kib().saturating_sub(before);
    assert!(grown < 150 * 1024, "{calls} calls that are over keep {grown} KiB");
}

#[test]
fn a_thousand_short_calls_leave_no_call_line_or_hold() {
    let (calls, rate) = if crate::long() { (10_000, 100) } else { (1000, 50) };
    short_calls(1, calls, rate);
}

#[test]
fn short_calls_over_three_shards_leave_no_call_line_or_hold() {
    let (calls, rate) = if crate::long() { (10_000, 100) } else { (300, 50) };
    short_calls(3, calls, rate);
}

#[test]
fn a_long_call_is_held_extended_and_billed_to_the_second() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    world::add_prepaid(&server, "alice", "100.00");
    let carrier =
        Sipp::listening(&server, net.host(CARRIER), "answer").echo().patience(Duration::from_secs(30)).start();
    // Without a phone that sends media a long call would end for silence, so the talk is a baresip's.
    let mut alice = crate::baresip::Baresip::of(&server, "alice", 440.0).start();
    let seconds = if crate::long() { 3600 } else { 25 };
    alice.dial("441632960001");
    alice.await_event("CALL_ESTABLISHED");
    crate::server::let_pass(Duration::from_secs(seconds));
    alice.hang_up();
    carrier.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    let billed = cdr["billed_seconds"].as_u64().unwrap();
    assert!((seconds..=seconds + 2).contains(&billed), "{cdr:#}");
    assert_eq!(millionths(cdr["sell_cost"].as_str().unwrap()), i64::try_from(billed).unwrap() * 10_000, "{cdr:#}");
    assert_books_balance(&server, "alice");
}
