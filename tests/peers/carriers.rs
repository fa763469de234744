//! Carriers and traffic senders: failover, refusals that are final, credentials, addresses that pay, numbers that come in.

use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::Server;
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, SECOND_CARRIER, add_carrier, add_prepaid, add_user, assert_books_balance};

/// Two carriers, the first preferred, and Alice who may call.
fn two_roads(net: &Network) -> Server {
    let server = Server::at(net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_carrier(&server, "second", net.sip(SECOND_CARRIER), 2);
    add_prepaid(&server, "alice", "10.00");
    server
}

fn call(server: &Server, net: &Network) -> Sipp {
    Sipp::new(server, net.host(10), "call").user("alice").callee(NUMBER).pause(Duration::from_secs(1))
}

#[test]
fn a_carrier_out_of_service_is_followed_by_the_next() {
    for status in [500, 503] {
        let net = Network::lease();
        let server = two_roads(&net);
        let first = Sipp::listening(&server, net.host(CARRIER), "decline").word("status", status).start();
        let second = Sipp::listening(&server, net.host(SECOND_CARRIER), "answer").start();
        call(&server, &net).run();
        first.await_done(1);
        second.await_done(1);
        server.await_quiet();
        let cdr = server.only_cdr();
        assert_eq!((&cdr["status"], &cdr["trunk_out"]), (&"answered".into(), &"second".into()), "{cdr:#}");
        assert_books_balance(&server, "alice");
    }
}

#[test]
fn a_carrier_that_is_not_there_is_followed_by_the_next() {
    let net = Network::lease();
    let server = two_roads(&net);
    // Nothing listens at the first carrier's address: the kernel says so, or nobody says anything.
    let second = Sipp::listening(&server, net.host(SECOND_CARRIER), "answer").start();
    call(&server, &net).patience(Duration::from_secs(60)).run();
    second.await_done(1);
    assert_eq!(server.only_cdr()["trunk_out"], "second");
}

#[test]
fn busy_and_a_final_refusal_are_not_tried_elsewhere() {
    for status in [486, 603, 404] {
        let net = Network::lease();
        let server = two_roads(&net);
        let first = Sipp::listening(&server, net.host(CARRIER), "decline").word("status", status).start();
        let second = Sipp::listening(&server, net.host(SECOND_CARRIER), "answer").start();
        Sipp::new(&server, net.host(10), "call_refused").user("alice").callee(NUMBER).word("status", status).run();
        first.await_done(1);
        assert_eq!(second.report().done, 0);
        let cdr = server.only_cdr();
        assert_eq!((&cdr["status"], &cdr["sip_status"]), (&"failed".into(), &status.into()), "{cdr:#}");
        assert_books_balance(&server, "alice");
    }
}

#[test]
fn a_stranger_who_challenges_within_a_call_gets_no_proof() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let ringing = bob.await_request("INVITE");
    let challenge =
        "Proxy-Authenticate: Digest realm=\"elsewhere\", nonce=\"1\", algorithm=MD5, qop=\"auth\"".to_owned();
    bob.answer(&ringing, 407, &[challenge], "");
    bob.expect_none("a proof", Duration::from_millis(700), |m| {
        !m.header("Proxy-Authorization").is_empty() || !m.header("Authorization").is_empty()
    });
    alice.await_refusal(&invite);
}

#[test]
fn a_traffic_sender_is_known_by_its_address_and_pays() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&[
        "user",
        "add",
        "whole",
        "--kind",
        "traffic-sender",
        "--prepaid",
        "--credit",
        "10.00",
        "--deck",
        "sell",
    ]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let run =
        |host: u8, scenario| Sipp::new(&server, net.host(host), scenario).word("user", "19995550100").callee(NUMBER);
    run(30, "trunk_call").pause(Duration::from_millis(2500)).run();
    carrier.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!((&cdr["user"], &cdr["trunk_in"]), (&"whole".into(), &"in".into()), "{cdr:#}");
    assert_eq!((&cdr["billed_seconds"], &cdr["sell_cost"]), (&3.into(), &"0.300000".into()), "{cdr:#}");
    assert_eq!(world::shown(&server, "whole", "balance"), "9.700000");
    assert_books_balance(&server, "whole");
    // Somebody else's address is a stranger: a challenge or a refusal, and no call.
    let mut stranger = Phone::udp(&server, net.host(31), "19995550100");
    let uri = format!("sip:{NUMBER}@{}", crate::server::DOMAIN);
    stranger.password = "none".to_owned();
    let answer = stranger.request("INVITE", &uri, &uri, &[], "");
    assert!(matches!(answer.status(), 401 | 403 | 407), "{answer:#?}");
    assert_eq!(carrier.report().done, 1);
}

#[test]
fn a_tech_prefix_opens_the_trunk_and_does_not_reach_the_carrier() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&[
        "user",
        "add",
        "whole",
        "--kind",
        "traffic-sender",
        "--prepaid",
        "--credit",
        "10.00",
        "--deck",
        "sell",
    ]);
    let source = net.host(30).to_string();
    server.ok(&[
        "trunk",
        "add",
        "in",
        "--ingress",
        "--address",
        &source,
        "--auth",
        "ip+prefix",
        "--prefix",
        "7788",
        "--account",
        "whole",
    ]);
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let dialled = format!("7788{NUMBER}");
    let run =
        |number: &str, scenario| Sipp::new(&server, net.host(30), scenario).word("user", "19995550100").callee(number);
    run(&dialled, "trunk_call").pause(Duration::from_secs(1)).run();
    carrier.await_done(1);
    assert!(!carrier.messages().contains("7788"), "{}", carrier.messages());
    let mut without = Phone::udp(&server, net.host(30), "19995550100");
    let uri = format!("sip:{NUMBER}@{}", crate::server::DOMAIN);
    assert!(matches!(without.request("INVITE", &uri, &uri, &[], "").status(), 401 | 403 | 407));
}

#[test]
fn a_number_comes_in_by_a_did_carrier_and_rings_its_user() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "bob", &[]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "numbers", "--ingress", "--address", &source, "--auth", "ip"]);
    server.ok(&["did", "add", "441632960000-441632960099", "--user", "bob"]);
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let callee = Sipp::listening(&server, net.host(11), "answer").start();
    let from = |number, scenario| Sipp::new(&server, net.host(30), scenario).word("user", "12025550199").callee(number);
    from("441632960042", "trunk_call").pause(Duration::from_secs(1)).run();
    callee.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!(cdr["sell_cost"], "0.000000", "a call to a number of ours is free to the callee: {cdr:#}");
    // A DID carrier reaches our numbers and nothing else.
    from(NUMBER, "trunk_refused").word("status", 404).run();
}

#[test]
fn the_carrier_hears_the_callers_number_and_never_a_user_name() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_user(&server, "alice", &["--prepaid", "--credit", "10.00", "--deck", "sell", "--caller-id", "441632960123"]);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let mut spoofed = vec!["P-Asserted-Identity: <sip:12025550000@bank.example>".to_owned()];
    spoofed.push("Remote-Party-ID: <sip:12025550000@bank.example>".to_owned());
    let invite = alice.invite(NUMBER, &spoofed, &offer);
    let (_, seen) = carrier.pick_up();
    assert!(seen.header("From").contains("441632960123"), "{seen:#?}");
    let whole = format!("{seen:?}");
    assert!(!whole.contains("alice"), "{seen:#?}");
    assert!(!whole.contains("12025550000"), "what a phone asserts about itself is not passed on: {seen:#?}");
    assert!(seen.start.contains(NUMBER), "{seen:#?}");
    let (mut dialog, _) = alice.await_answer(&invite);
    alice.hang_up(&mut dialog);
    carrier.await_bye();
}

#[test]
fn a_withheld_number_is_told_only_to_a_carrier_that_keeps_it_to_itself() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_user(&server, "alice", &["--prepaid", "--credit", "10.00", "--deck", "sell", "--caller-id", "441632960123"]);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let withheld = ["Privacy: id".to_owned()];
    //  option          headers          asserted  shown
    for (assert, headers, asserted, shown) in [
        ("no", &withheld[..], false, false),
        ("yes", &withheld[..], true, false),
        ("yes", &[], true, true),
        ("no", &[], false, true),
    ] {
        server.ok(&["trunk", "set", "carrier", "--assert-identity", assert]);
        let offer = alice.sdp();
        let invite = alice.invite(NUMBER, headers, &offer);
        let (_, seen) = carrier.pick_up();
        let case = format!("--assert-identity {assert}, {headers:?}: {seen:#?}");
        assert_eq!(seen.header("P-Asserted-Identity").contains("441632960123"), asserted, "{case}");
        assert_eq!(seen.all("P-Asserted-Identity").count(), usize::from(asserted), "{case}");
        assert_eq!(seen.header("From").contains("441632960123"), shown, "{case}");
        assert_eq!(seen.header("From").contains("anonymous"), !shown, "{case}");
        assert_eq!(seen.header("Privacy").contains("id"), !shown, "{case}");
        let (mut dialog, _) = alice.await_answer(&invite);
        alice.hang_up(&mut dialog);
        carrier.await_bye();
    }
    let misfit = server.cli(&["trunk", "set", "carrier", "--assert-identity", "perhaps"]);
    assert_eq!(misfit.status, 1, "{misfit:?}");
}

#[test]
fn a_trunk_that_is_full_is_followed_by_the_next() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::import_decks(&server);
    for (name, host, priority, lines) in [("carrier", CARRIER, "1", "1"), ("second", SECOND_CARRIER, "2", "10")] {
        let address = net.sip(host).to_string();
        server.ok(&["trunk", "add", name, "--egress", "--address", &address, "--deck", "buy", "--max-lines", lines]);
        server.ok(&["route", "add", "--prefix", "44", "--trunk", name, "--priority", priority]);
    }
    add_prepaid(&server, "alice", "10.00");
    let first = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let second = Sipp::listening(&server, net.host(SECOND_CARRIER), "answer").start();
    let caller = Sipp::new(&server, net.host(10), "call").user("alice").callee("441632960001");
    caller.pause(Duration::from_secs(3)).load(3, 10, 3).run();
    first.await_done(1);
    second.await_done(2);
    server.await_quiet();
}

#[test]
fn a_trunk_registers_with_its_carrier() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let address = net.sip(CARRIER).to_string();
    server.ok(&[
        "trunk",
        "add",
        "carrier",
        "--egress",
        "--address",
        &address,
        "--username",
        "customer-7",
        "--password",
        "secret-7-secret",
        "--register",
    ]);
    let first = carrier.await_request("REGISTER");
    assert!(first.header("To").contains("customer-7"), "{first:#?}");
    let realm = net.host(CARRIER);
    let challenge = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"");
    carrier.answer(&first, 401, &[challenge], "");
    let second = carrier.await_message("a REGISTER with proof", |m| !m.header("Authorization").is_empty());
    assert!(second.header("Authorization").contains("username=\"customer-7\""), "{second:#?}");
    let contact = format!("Contact: {};expires=60", second.header("Contact"));
    carrier.answer(&second, 200, &[contact], "");
}
