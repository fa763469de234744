//! What may happen while a call is up: hold, glare, timers, transfers, silence, wrong tags.

use std::time::Duration;

use crate::dialog::Dialog;
use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, let_pass};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user, assert_books_balance};

/// Alice and Bob in a call.
fn in_a_call(net: &Network, server: &Server) -> (Phone, Dialog, Phone, Dialog) {
    for user in ["alice", "bob"] {
        add_user(server, user, &[]);
    }
    let mut alice = Phone::udp(server, net.host(10), "alice");
    let mut bob = Phone::udp(server, net.host(11), "bob");
    alice.register();
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let (at_bob, _) = bob.pick_up();
    let (at_alice, _) = alice.await_answer(&invite);
    (alice, at_alice, bob, at_bob)
}

#[test]
fn sipp_holds_and_resumes() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    Sipp::new(&server, net.host(11), "register").user("bob").word("expires", 300).run();
    let callee = Sipp::listening(&server, net.host(11), "answer_held").start();
    Sipp::new(&server, net.host(10), "call_held").user("alice").callee("bob").pause(Duration::from_secs(1)).run();
    callee.await_done(1);
    server.await_quiet();
    assert_books_balance(&server, "alice");
}

#[test]
fn two_offers_at_once_are_both_told_to_wait_or_one_wins_and_nothing_hangs() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut at_alice, mut bob, mut at_bob) = in_a_call(&net, &server);
    let rounds = if crate::long() { 100 } else { 10 };
    for _ in 0..rounds {
        let (hers, his) = (alice.sdp(), bob.sdp());
        let a = alice.send_within(&mut at_alice, "INVITE", &[], &hers);
        let b = bob.send_within(&mut at_bob, "INVITE", &[], &his);
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| settle(&mut alice, &at_alice, a));
            let second = settle(&mut bob, &at_bob, b);
            (first.join().expect("Alice's offer ends"), second)
        });
        assert!(
            matches!((first, second), (491, 491) | (200, 491) | (491, 200)),
            "of two offers that cross at most one is taken: {first} {second}"
        );
        // Whoever was told to wait tries again alone, and is heard.
        let again = std::thread::scope(|scope| {
            let other = scope.spawn(|| settle(&mut bob, &at_bob, 0));
            let again = alice.within(&mut at_alice, "INVITE", &[], &hers).status();
            other.join().expect("Bob answers");
            again
        });
        assert_eq!(again, 200);
    }
    bob.hang_up(&mut at_bob);
    alice.await_bye();
    server.await_quiet();
}

/// Answers whatever offer the platform sends and waits for the end of our own (`cseq`), whose status it returns; with
/// `cseq` 0 it only answers one offer.
fn settle(phone: &mut Phone, dialog: &Dialog, cseq: u32) -> u16 {
    let mut answered = false;
    loop {
        let message = phone.await_message("an end of the crossing offers", |m| {
            m.method() == "INVITE" && (m.status() == 0 || m.status() >= 200) || m.method() == "ACK" && cseq == 0
        });
        if message.status() == 0 && message.method() == "INVITE" {
            if cseq == 0 {
                let answer = phone.sdp();
                phone.answer(&message, 200, &[], &answer);
                answered = true;
            } else {
                phone.answer(&message, 491, &[], "");
            }
        } else if message.method() == "ACK" {
            // The ACK of what was refused before may still be under way.
            if answered {
                return 200;
            }
        } else {
            if message.status() < 300 {
                phone.acknowledge(dialog, cseq);
            } else {
                phone.acknowledge_within(dialog, &message);
            }
            return message.status();
        }
    }
}

#[test]
fn an_update_reaches_a_phone_that_knows_none_as_a_new_offer() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut at_alice, bob, _) = in_a_call(&net, &server);
    let taker = std::thread::spawn(move || {
        let mut bob = bob;
        // He never said that he knows UPDATE.
        let offer = bob.await_request("INVITE");
        let answer = bob.sdp();
        bob.answer(&offer, 200, &[], &answer);
        bob.await_request("ACK");
        bob.await_bye();
    });
    let offer = alice.sdp();
    let answer = alice.within(&mut at_alice, "UPDATE", &[], &offer);
    assert_eq!(answer.status(), 200, "{answer:#?}");
    assert!(answer.sdp("c=").contains(&net.host(1).to_string()), "{answer:#?}");
    alice.hang_up(&mut at_alice);
    taker.join().expect("Bob sees the BYE");
    server.await_quiet();
}

#[test]
fn an_info_passes_to_the_other_side() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut at_alice, bob, _) = in_a_call(&net, &server);
    let taker = std::thread::spawn(move || {
        let mut bob = bob;
        let info = bob.await_request("INFO");
        bob.answer(&info, 200, &[], "");
        bob.await_bye();
        info.body
    });
    let more = ["Content-Type: application/dtmf-relay".to_owned()];
    assert_eq!(alice.within(&mut at_alice, "INFO", &more, "Signal=5\r\nDuration=160\r\n").status(), 200);
    alice.hang_up(&mut at_alice);
    assert!(taker.join().expect("Bob sees both").contains("Signal=5"));
}

#[test]
fn a_session_interval_too_small_is_told_the_least() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let more = ["Supported: timer".to_owned(), "Session-Expires: 30".to_owned()];
    let invite = alice.invite("bob", &more, &offer);
    let refusal = alice.await_refusal(&invite);
    assert_eq!(refusal.status(), 422, "{refusal:#?}");
    assert!(refusal.header("Min-SE").parse::<u32>().is_ok_and(|n| n >= 90), "{refusal:#?}");
    let more = ["Supported: timer".to_owned(), "Session-Expires: 90;refresher=uac".to_owned()];
    let invite = alice.invite("bob", &more, &offer);
    bob.pick_up();
    let (mut dialog, answer) = alice.await_answer(&invite);
    assert!(answer.header("Session-Expires").starts_with("90"), "{answer:#?}");
    if crate::long() {
        // The phone that promised to refresh is silent: the session ends a little before its interval is over.
        let_pass(Duration::from_secs(70));
        alice.await_bye();
        bob.await_bye();
    } else {
        alice.hang_up(&mut dialog);
        bob.await_bye();
    }
    server.await_quiet();
}

#[test]
fn a_blind_transfer_joins_the_other_two_and_the_one_who_transfers_pays_the_new_leg() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    add_prepaid(&server, "bob", "10.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let (mut at_bob, _) = bob.pick_up();
    let (mut at_alice, _) = alice.await_answer(&invite);
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let refer_to = format!("Refer-To: <sip:{NUMBER}@{DOMAIN}>");
    let accepted = bob.within(&mut at_bob, "REFER", &[refer_to], "");
    assert_eq!(accepted.status(), 202, "{accepted:#?}");
    let (mut at_carrier, _) = carrier.pick_up();
    let done = bob.await_message("the news of the transfer", |m| m.method() == "NOTIFY" && m.body.contains("200"));
    bob.answer(&done, 200, &[], "");
    let_pass(Duration::from_millis(1200));
    // Alice may be told of the new media by a re-INVITE; then she hangs up, and the carrier is told.
    while let Some(message) = alice.receive(Duration::from_millis(300)) {
        if message.status() == 0 && message.method() == "INVITE" {
            let answer = alice.sdp();
            alice.answer(&message, 200, &[], &answer);
        }
    }
    alice.hang_up(&mut at_alice);
    carrier.await_bye();
    let _ = &mut at_carrier;
    server.await_quiet();
    let cdrs = server.await_cdrs(2);
    let paid = cdrs.iter().find(|c| c["trunk_out"] == "carrier").expect("the new leg has a CDR");
    assert_eq!(paid["user"], "bob", "{cdrs:#?}");
    assert!(!paid["parent_id"].is_null(), "{cdrs:#?}");
    assert_books_balance(&server, "alice");
    assert_books_balance(&server, "bob");
}

#[test]
fn an_attended_transfer_joins_the_two_who_wait() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut at_alice, mut bob, mut at_bob) = in_a_call(&net, &server);
    add_user(&server, "carol", &[]);
    let mut carol = Phone::udp(&server, net.host(12), "carol");
    carol.register();
    // Bob puts Alice aside, asks Carol, and joins the two.
    let offer = bob.sdp();
    let enquiry = bob.invite("carol", &[], &offer);
    let (mut at_carol, _) = carol.pick_up();
    let (bob_to_carol, _) = bob.await_answer(&enquiry);
    let refer_to = format!("Refer-To: <sip:carol@{DOMAIN}?Replaces={}>", bob_to_carol.replaces());
    let accepted = bob.within(&mut at_bob, "REFER", &[refer_to], "");
    assert_eq!(accepted.status(), 202, "{accepted:#?}");
    let done = bob.await_message("the news of the transfer", |m| m.method() == "NOTIFY" && m.body.contains("200"));
    bob.answer(&done, 200, &[], "");
    // Whatever offers come, both take; both of Bob's calls are ended by him or for him.
    for phone in [&mut alice, &mut carol] {
        while let Some(message) = phone.receive(Duration::from_millis(500)) {
            if message.status() == 0 && message.method() == "INVITE" {
                let answer = phone.sdp();
                phone.answer(&message, 200, &[], &answer);
            }
        }
    }
    alice.hang_up(&mut at_alice);
    carol.await_bye();
    let _ = &mut at_carol;
    server.await_quiet();
}

#[test]
fn a_transfer_asked_by_a_trunk_is_refused() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    let (mut at_carrier, _) = carrier.pick_up();
    let (mut at_alice, _) = alice.await_answer(&invite);
    let answer = carrier.within(&mut at_carrier, "REFER", &[format!("Refer-To: <sip:79001234567@{DOMAIN}>")], "");
    assert!(matches!(answer.status(), 403 | 405 | 603), "{answer:#?}");
    alice.hang_up(&mut at_alice);
    carrier.await_bye();
}

#[test]
fn a_bye_from_somewhere_else_or_with_wrong_tags_ends_nothing() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut at_alice, mut bob, at_bob) = in_a_call(&net, &server);
    let mut stranger = Phone::udp(&server, net.host(66), "alice");
    let mut guessed = at_bob.clone();
    guessed.forge();
    let answer = stranger.within(&mut guessed, "BYE", &[], "");
    assert!(answer.status() >= 400, "{answer:#?}");
    bob.expect_none("a BYE", Duration::from_millis(500), |m| m.method() == "BYE");
    assert_eq!(server.rows(&["call", "list"]).len(), 1);
    alice.hang_up(&mut at_alice);
    bob.await_bye();
    server.await_quiet();
}

#[test]
fn both_hang_up_at_once() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (mut alice, mut at_alice, mut bob, mut at_bob) = in_a_call(&net, &server);
    alice.send_within(&mut at_alice, "BYE", &[], "");
    bob.send_within(&mut at_bob, "BYE", &[], "");
    alice.await_status(200, "BYE");
    bob.await_status(200, "BYE");
    server.await_quiet();
    server.await_cdrs(1);
}
