//! Calls between users and over a carrier, from both ends: rings, answers, refusals, races.

use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Server, let_pass};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user, assert_books_balance};

/// Alice at .10 and Bob at .11, who is registered.
fn two_phones(net: &Network, server: &Server) -> (Phone, Phone) {
    for user in ["alice", "bob"] {
        add_user(server, user, &[]);
    }
    let alice = Phone::udp(server, net.host(10), "alice");
    let mut bob = Phone::udp(server, net.host(11), "bob");
    bob.register();
    (alice, bob)
}

fn sipp_calls_sipp(shards: u16, tcp: bool) {
    let net = Network::lease();
    let server = Server::at(&net).shards(shards).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let callee = Sipp::listening(&server, net.host(11), "answer").pause(Duration::from_millis(300)).start();
    let caller = Sipp::new(&server, net.host(10), "call").user("alice").callee("bob").pause(Duration::from_secs(1));
    if tcp {
        caller.tcp().run()
    } else {
        caller.run()
    };
    callee.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!(cdr["status"], "answered", "{cdr:#}");
    assert_eq!(cdr["sip_status"], 200, "{cdr:#}");
    assert_eq!(cdr["user"], "alice", "{cdr:#}");
    assert_eq!(cdr["sell_cost"], "0.000000", "user to user is free: {cdr:#}");
    let talk = cdr["talk_ms"].as_u64().unwrap();
    assert!((900..2000).contains(&talk), "{cdr:#}");
    assert_books_balance(&server, "alice");
}

#[test]
fn two_sipps_call_each_other() {
    sipp_calls_sipp(1, false);
}

#[test]
fn two_sipps_call_each_other_over_three_shards() {
    sipp_calls_sipp(3, false);
}

#[test]
fn a_caller_on_tcp_reaches_a_callee_on_udp() {
    sipp_calls_sipp(1, true);
}

#[test]
fn a_callee_hangs_up_and_the_caller_is_told() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let callee = Sipp::listening(&server, net.host(11), "answer_and_hang_up").pause(Duration::from_secs(1)).start();
    Sipp::new(&server, net.host(10), "call_until_bye").user("alice").callee("bob").run();
    callee.await_done(1);
    let cdr = server.only_cdr();
    assert_eq!(cdr["hangup_side"], "callee", "{cdr:#}");
}

#[test]
fn a_busy_callee_is_busy_to_the_caller() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let callee = Sipp::listening(&server, net.host(11), "decline").word("status", 486).start();
    Sipp::new(&server, net.host(10), "call_refused").user("alice").callee("bob").word("status", 486).run();
    callee.await_done(1);
    let cdr = server.only_cdr();
    assert_eq!((&cdr["status"], &cdr["sip_status"]), (&"failed".into(), &486.into()), "{cdr:#}");
    assert_eq!(cdr["talk_seconds"], 0);
}

#[test]
fn nobody_answers_and_the_caller_gives_up() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let callee = Sipp::listening(&server, net.host(11), "ring_until_cancel").start();
    Sipp::new(&server, net.host(10), "call_cancelled").user("alice").callee("bob").pause(Duration::from_secs(1)).run();
    callee.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!((&cdr["status"], &cdr["sip_status"]), (&"failed".into(), &487.into()), "{cdr:#}");
}

#[test]
fn a_user_without_a_device_is_unavailable_and_a_stranger_is_unknown() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    for (callee, status, rule) in [("bob", 480, "user_offline"), ("nobody", 404, "user_unknown")] {
        Sipp::new(&server, net.host(10), "call_refused").user("alice").callee(callee).word("status", status).run();
        let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
        assert_eq!(cdr["refusal"]["rule"], rule, "{cdr:#}");
        assert_eq!(cdr["sip_status"], status);
    }
}

#[test]
fn no_address_of_one_side_is_visible_to_the_other() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut bob) = two_phones(&net, &server);
    let offer = alice.sdp();
    let invite = alice.invite("bob", &["User-Agent: secret-brand/1.0".to_owned()], &offer);
    let (mut at_bob, seen) = bob.pick_up();
    let (_, answer) = alice.await_answer(&invite);
    let (his, hers) = (net.host(11).to_string(), net.host(10).to_string());
    let whole = format!("{seen:?}");
    assert!(!whole.contains(&hers), "the callee sees {hers}: {seen:#?}");
    assert!(!format!("{answer:?}").contains(&his), "the caller sees {his}: {answer:#?}");
    assert_eq!(seen.all("Via").count(), 1, "{seen:#?}");
    bob.hang_up(&mut at_bob);
    alice.await_bye();
}

#[test]
fn early_media_reaches_the_caller_before_the_answer() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    let carrier = Sipp::listening(&server, net.host(CARRIER), "early_media").pause(Duration::from_millis(500)).start();
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    let progress = alice.await_status(183, "INVITE");
    assert!(progress.sdp("c=").contains(&net.host(1).to_string()), "media goes through the relay: {progress:#?}");
    let (mut dialog, answer) = alice.await_answer(&invite);
    assert_eq!(answer.sdp("m="), progress.sdp("m="), "the relay's port stays: {answer:#?}");
    alice.hang_up(&mut dialog);
    carrier.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert!(cdr["talk_ms"].as_u64().unwrap() < 450, "early media is not talk: {cdr:#}");
}

#[test]
fn an_offer_of_srtp_alone_is_not_acceptable() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut bob) = two_phones(&net, &server);
    let offer = alice
        .sdp_with("RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR\r\n");
    let invite = alice.invite("bob", &[], &offer);
    assert_eq!(alice.await_refusal(&invite).status(), 488);
    bob.expect_none("an INVITE", Duration::from_millis(500), |m| m.method() == "INVITE");
    server.await_quiet();
}

#[test]
fn a_call_without_an_offer_gets_the_callees() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut bob) = two_phones(&net, &server);
    let invite = alice.invite("bob", &[], "");
    let ringing = bob.await_request("INVITE");
    assert!(ringing.body.is_empty() || ringing.sdp("m=").starts_with("audio"), "{ringing:#?}");
    let answer = bob.sdp();
    bob.answer(&ringing, 200, &[], &answer);
    let offer = alice.await_message("a 200", |m| m.status() == 200 && m.method() == "INVITE");
    assert!(offer.sdp("c=").contains(&net.host(1).to_string()), "{offer:#?}");
    let mut dialog = alice.accept(&invite, &offer);
    alice.hang_up(&mut dialog);
    bob.await_bye();
    server.await_quiet();
}

#[test]
fn cancel_and_answer_cross_and_nothing_hangs() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut bob) = two_phones(&net, &server);
    let rounds = if crate::long() { 200 } else { 20 };
    for round in 0..rounds {
        let offer = alice.sdp();
        let invite = alice.invite("bob", &[], &offer);
        let ringing = bob.await_request("INVITE");
        bob.answer(&ringing, 180, &[], "");
        alice.await_status(180, "INVITE");
        // Both leave within the same instant; who is first changes from round to round.
        let answer = bob.sdp();
        if round % 2 == 0 {
            alice.cancel(&invite);
            bob.answer(&ringing, 200, &[], &answer);
        } else {
            bob.answer(&ringing, 200, &[], &answer);
            alice.cancel(&invite);
        }
        let end = alice.await_message("an end", |m| m.method() == "INVITE" && m.status() >= 200);
        if end.status() == 200 {
            let mut dialog = alice.accept(&invite, &end);
            bob.await_request("ACK");
            alice.hang_up(&mut dialog);
        } else {
            assert_eq!(end.status(), 487, "{end:#?}");
            alice.acknowledge_refusal(&invite, &end);
        }
        // A 200 that lost the race is acknowledged and ended as well.
        bob.await_bye();
    }
    server.await_quiet();
    assert_books_balance(&server, "alice");
}

#[test]
fn cancels_at_any_moment_under_sipp_leave_nothing_behind() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &["--max-lines", "100"]);
    add_user(&server, "bob", &["--max-lines", "100"]);
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let calls = if crate::long() { 1000 } else { 60 };
    let callee = Sipp::listening(&server, net.host(11), "ring_until_cancel").start();
    for pause in [0, 20, 200] {
        Sipp::new(&server, net.host(10), "call_cancelled")
            .user("alice")
            .callee("bob")
            .pause(Duration::from_millis(pause))
            .load(calls, 30, 30)
            .patience(Duration::from_secs(120))
            .run();
    }
    callee.await_done(3 * calls);
    server.await_quiet();
    assert_books_balance(&server, "alice");
}

#[test]
fn a_retransmitted_invite_makes_one_call() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut bob) = two_phones(&net, &server);
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    alice.repeat(&invite, &offer);
    alice.repeat(&invite, &offer);
    let (mut at_bob, _) = bob.pick_up();
    alice.await_answer(&invite);
    bob.hang_up(&mut at_bob);
    alice.await_bye();
    bob.expect_none("another INVITE", Duration::from_millis(800), |m| m.method() == "INVITE");
    server.await_quiet();
    server.await_cdrs(1);
}

#[test]
fn a_caller_who_calls_himself_in_a_circle_is_stopped() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, _bob) = two_phones(&net, &server);
    let offer = alice.sdp();
    let invite = alice.invite("bob", &["Max-Forwards: 0".to_owned()], &offer);
    assert_eq!(alice.await_refusal(&invite).status(), 483);
}

#[test]
fn what_we_do_not_do_is_refused_by_its_name() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, _bob) = two_phones(&net, &server);
    alice.register();
    let domain = crate::server::DOMAIN;
    for (method, more, allowed) in [
        ("SUBSCRIBE", vec!["Event: presence".to_owned()], &[489, 405, 501][..]),
        ("PUBLISH", vec!["Event: presence".to_owned()], &[489, 405, 501][..]),
        ("FROBNICATE", vec![], &[405, 501][..]),
        ("OPTIONS", vec![], &[200][..]),
    ] {
        let uri = format!("sip:{domain}");
        let answer = alice.request(method, &uri, &uri, &more, "");
        assert!(allowed.contains(&answer.status()), "{method}: {answer:#?}");
        if answer.status() == 405 {
            assert!(!answer.header("Allow").is_empty(), "{answer:#?}");
        }
    }
    let uri = format!("sip:bob@{domain}");
    let answer = alice.request("INVITE", &uri, &uri, &["Require: time-travel".to_owned()], &alice.sdp());
    assert_eq!(answer.status(), 420, "{answer:#?}");
    assert_eq!(answer.header("Unsupported"), "time-travel");
}

#[test]
fn a_text_message_goes_from_user_to_user() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, bob) = two_phones(&net, &server);
    let reader = std::thread::spawn(move || {
        let mut bob = bob;
        let message = bob.await_request("MESSAGE");
        bob.answer(&message, 200, &[], "");
        message.body
    });
    let uri = format!("sip:bob@{}", crate::server::DOMAIN);
    let answer = alice.request("MESSAGE", &uri, &uri, &["Content-Type: text/plain".to_owned()], "hello Bob");
    assert!(matches!(answer.status(), 200 | 202), "{answer:#?}");
    assert_eq!(reader.join().expect("Bob reads"), "hello Bob");
}

#[test]
fn a_call_that_nobody_ends_but_is_hung_up_by_the_operator_ends_on_both_sides() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut bob) = two_phones(&net, &server);
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    bob.pick_up();
    alice.await_answer(&invite);
    let live = server.rows(&["call", "list"]);
    assert_eq!(live.len(), 1, "{live:#?}");
    assert_eq!(live[0]["user"], "alice");
    let id = live[0]["id"].as_str().map_or_else(|| live[0]["id"].to_string(), str::to_owned);
    let_pass(Duration::from_secs(1));
    server.ok(&["call", "hangup", &id]);
    alice.await_bye();
    bob.await_bye();
    server.await_quiet();
    assert_eq!(server.only_cdr()["status"], "answered");
}

#[test]
fn a_sixth_call_of_an_end_user_finds_all_lines_in_use() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "100.00");
    let _carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let caller = Sipp::new(&server, net.host(10), "call")
        .user("alice")
        .callee(NUMBER)
        .pause(Duration::from_secs(8))
        .load(5, 50, 5);
    let talking = caller.start();
    crate::server::until("five lines are in use", Duration::from_secs(6), || {
        world::shown(&server, "alice", "lines_in_use") == "5"
    });
    let sixth = Sipp::new(&server, net.host(12), "call_refused").user("alice").callee(NUMBER);
    sixth.word("status", 486).run();
    talking.finish();
    server.await_quiet();
    let refused: Vec<_> = server.await_cdrs(6).into_iter().filter(|c| c["status"] == "refused").collect();
    assert_eq!(refused[0]["refusal"]["rule"], "lines", "{refused:#?}");
    assert_eq!(refused[0]["refusal"]["limit"], "5", "{refused:#?}");
    assert_books_balance(&server, "alice");
}
