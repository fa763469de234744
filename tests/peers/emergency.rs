//! Emergency calls pass what stops all others: a full platform, a draining one, too many calls that wait, a foreign domain.

use std::time::{Duration, Instant};

use crate::dialog::{Dialog, Invite};
use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server};
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user};

/// A user without a cent, and a route for help.
fn with_help(server: &Server, net: &Network) {
    world::open_roads(server, net.sip(CARRIER));
    server.ok(&["route", "add", "--prefix", "112", "--trunk", "carrier", "--emergency"]);
    add_prepaid(server, "alice", "100.00");
    server.ok(&["user", "set", "alice", "--max-lines", "50"]);
    add_user(server, "bob", &["--prepaid"]);
}

fn talk(caller: &mut Phone, carrier: &mut Phone, number: &str) -> (Dialog, Dialog) {
    let offer = caller.sdp();
    let invite = caller.invite(number, &[], &offer);
    let (far, _) = carrier.pick_up();
    (caller.await_answer(&invite).0, far)
}

#[track_caller]
fn refused(caller: &mut Phone, number: &str) {
    let offer = caller.sdp();
    let invite = caller.invite(number, &[], &offer);
    let answer = caller.await_refusal(&invite);
    assert_eq!(answer.status(), 503, "{answer:#?}");
    assert!(!answer.header("Retry-After").is_empty(), "{answer:#?}");
}

#[test]
fn a_full_platform_still_takes_a_call_for_help() {
    let net = Network::lease();
    // Twenty ports are five calls, the last of which is kept for emergencies.
    let server = Server::at(&net).media_ports("20000-20019").start();
    with_help(&server, &net);
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    let mut calls: Vec<Dialog> = (0..4).map(|_| talk(&mut alice, &mut carrier, NUMBER).0).collect();
    refused(&mut alice, NUMBER);
    // A number that is as short as one for help, and is none.
    refused(&mut bob, "113");
    let (mut help, _) = talk(&mut bob, &mut carrier, "112");
    // Not one port is left: this much no platform can do.
    refused(&mut bob, "112");
    bob.hang_up(&mut help);
    for call in &mut calls {
        alice.hang_up(call);
    }
    server.await_quiet();
    let help = server.rows(&["cdr", "list", "--user", "bob"]);
    assert!(help.iter().any(|cdr| cdr["status"] == "answered" && cdr["sell_cost"] == "0.000000"), "{help:#?}");
}

#[test]
fn a_draining_platform_takes_a_call_for_help_and_gives_it_the_drain_time() {
    const DRAIN: u64 = 5;
    let net = Network::lease();
    let mut server = Server::at(&net).drain_seconds(DRAIN as u32).start();
    with_help(&server, &net);
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    talk(&mut alice, &mut carrier, NUMBER);
    server.ask_to_stop();
    let asked = Instant::now();
    crate::server::let_pass(Duration::from_secs(3));
    refused(&mut alice, NUMBER);
    let (_, far) = talk(&mut bob, &mut carrier, "112");
    let began = Instant::now();
    // The other call has had its time.
    alice.await_bye();
    assert!((DRAIN - 1..DRAIN + 2).contains(&asked.elapsed().as_secs()), "{:?}", asked.elapsed());
    // From then on even help must be called elsewhere: this server is about to go.
    refused(&mut bob, "112");
    bob.await_bye();
    let had = began.elapsed();
    assert!(had >= Duration::from_millis(DRAIN * 1000 - 500), "the call for help had {had:?} only");
    // The carrier's side ends as well.
    carrier
        .await_message("the BYE of the call for help", |m| m.method() == "BYE" && m.header("Call-ID") == far.call_id);
    assert!(server.wait().success());
}

#[test]
fn neither_waiting_calls_nor_a_strange_domain_keep_a_call_for_help_out() {
    let net = Network::lease();
    let server = Server::at(&net).policy("sip.pending_max", "1").policy("sip.pending_max_total", "2").start();
    with_help(&server, &net);
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    let mut third = Phone::udp(&server, net.host(12), "alice");
    let ring = |caller: &mut Phone, carrier: &mut Phone, number: &str| -> Invite {
        let offer = caller.sdp();
        let invite = caller.invite(number, &[], &offer);
        let asked = carrier.await_request("INVITE");
        carrier.answer(&asked, 180, &[], "");
        caller.await_status(180, "INVITE");
        invite
    };
    let first = ring(&mut alice, &mut carrier, NUMBER);
    refused(&mut alice, NUMBER);
    let second = ring(&mut third, &mut carrier, NUMBER);
    // Two wait, from two addresses: nobody else may, wherever he is.
    let mut fourth = Phone::udp(&server, net.host(13), "alice");
    refused(&mut fourth, NUMBER);
    let help = ring(&mut bob, &mut carrier, "112");
    let again = ring(&mut alice, &mut carrier, "112");
    for (caller, invite) in [(&mut alice, &first), (&mut third, &second), (&mut bob, &help)] {
        caller.cancel(invite);
        assert_eq!(caller.await_refusal(invite).status(), 487);
    }
    alice.cancel(&again);
    assert_eq!(alice.await_refusal(&again).status(), 487);
    // A phone that was set up for another domain.
    let target = "sip:112@elsewhere.example";
    let offer = bob.sdp();
    let headers = bob.plain_request("INVITE", target, &[]);
    bob.send(&format!("INVITE {target} SIP/2.0"), &headers, &offer);
    let challenge = bob.await_status(401, "INVITE");
    assert!(challenge.header("WWW-Authenticate").contains(DOMAIN), "{challenge:#?}");
}
