//! Settings that a change makes hold at once: each case turns one while the server runs.

use std::fs;
use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, until};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user};

#[test]
fn one_call_more_than_may_wait_for_an_answer_is_told_to_come_later() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    for user in ["alice", "bob"] {
        add_prepaid(&server, user, "100.00");
        server.ok(&["user", "set", user, "--max-lines", "50"]);
    }
    server.ok(&["config", "set", "blocktoomuchpendingsession", "2"]);
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let ring = |alice: &mut Phone, carrier: &mut Phone| {
        let offer = alice.sdp();
        let invite = alice.invite(NUMBER, &[], &offer);
        let asked = carrier.await_request("INVITE");
        carrier.answer(&asked, 180, &[], "");
        alice.await_status(180, "INVITE");
        (invite, asked)
    };
    let (first, asked) = ring(&mut alice, &mut carrier);
    let (second, _) = ring(&mut alice, &mut carrier);
    let offer = alice.sdp();
    let third = alice.invite(NUMBER, &[], &offer);
    let refused = alice.await_refusal(&third);
    assert_eq!(refused.status(), 503, "{refused:#?}");
    assert!(!refused.header("Retry-After").is_empty(), "{refused:#?}");
    // Another address is not concerned.
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    ring(&mut bob, &mut carrier);
    // An answered call waits no more.
    carrier.answer(&asked, 200, &[], &carrier.sdp());
    let (mut dialog, _) = alice.await_answer(&first);
    let (fourth, _) = ring(&mut alice, &mut carrier);
    // Off is off.
    server.ok(&["config", "set", "sip.pending_max", "off"]);
    let (fifth, _) = ring(&mut alice, &mut carrier);
    for invite in [second, fourth, fifth] {
        alice.cancel(&invite);
        assert_eq!(alice.await_refusal(&invite).status(), 487);
    }
    alice.hang_up(&mut dialog);
}

#[test]
fn a_dialog_that_is_flooded_ends_and_no_other() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob", "carol", "dora"] {
        add_user(&server, user, &[]);
    }
    server.ok(&["config", "set", "call.messages_per_second", "2"]);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    let mut carol = Phone::udp(&server, net.host(12), "carol");
    let mut dora = Phone::udp(&server, net.host(13), "dora");
    bob.register();
    dora.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    bob.pick_up();
    let (mut flooded, _) = alice.await_answer(&invite);
    let offer = carol.sdp();
    let invite = carol.invite("dora", &[], &offer);
    dora.pick_up();
    let (mut calm, _) = carol.await_answer(&invite);
    for _ in 0..25 {
        alice.send_within(&mut flooded, "OPTIONS", &[], "");
    }
    alice.await_bye();
    bob.await_bye();
    let ended = server.only_cdr();
    assert_eq!(ended["cause"], "protocol_abuse", "{ended:#}");
    assert_eq!(server.rows(&["call", "list"]).len(), 1, "the calm call goes on");
    carol.hang_up(&mut calm);
    dora.await_bye();
}

#[test]
fn a_foreign_domain_is_refused_until_the_operator_takes_any() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let uri = "sip:bob@elsewhere.example";
    let to = format!("sip:bob@{DOMAIN}");
    let offer = alice.sdp();
    assert_eq!(alice.request("INVITE", uri, &to, &[], &offer).status(), 404);
    server.ok(&["config", "set", "blockotherdomains", "0"]);
    let headers = alice.plain_request("INVITE", uri, &[]);
    alice.send(&format!("INVITE {uri} SIP/2.0"), &headers, &offer);
    let challenge = alice.await_status(401, "INVITE");
    assert!(challenge.header("WWW-Authenticate").contains(DOMAIN), "{challenge:#?}");
    let refused = server.cli(&["config", "set", "fwdtootherdomains", "1"]);
    assert_eq!(refused.status, 1, "calls are never sent on to foreign domains: {refused:?}");
    assert_eq!(server.cli(&["config", "set", "fwdtootherdomains", "0"]).status, 0);
    assert_eq!(alice.request("INVITE", uri, &to, &[], &offer).status(), 404);
}

#[test]
fn a_phone_is_reached_where_it_was_heard_or_where_it_says_as_the_operator_wishes() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    let mut elsewhere = Phone::udp(&server, net.host(12), "bob");
    let contact = format!("Contact: {}", elsewhere.contact());
    assert_eq!(bob.register_with(&[contact, "Expires: 300".to_owned()]).status(), 200);
    for (value, here) in [("nat", true), ("always", true), ("never", false), ("nat", true)] {
        server.ok(&["config", "set", "registrar.rewrite_contact", value]);
        let offer = alice.sdp();
        let invite = alice.invite("bob", &[], &offer);
        let phone = if here { &mut bob } else { &mut elsewhere };
        let asked = phone.await_request("INVITE");
        phone.answer(&asked, 486, &[], "");
        assert_eq!(alice.await_refusal(&invite).status(), 486, "{value}");
    }
}

#[test]
fn two_held_silent_legs_end_when_the_hold_has_lasted_too_long() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    server.ok(&["config", "set", "media.timeout_on_hold", "off"]);
    server.ok(&["config", "set", "media.timeout", "5s"]);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    bob.pick_up();
    let (mut dialog, _) = alice.await_answer(&invite);
    let hold = alice.sdp_with("RTP/AVP", "a=inactive\r\n");
    let cseq = alice.send_within(&mut dialog, "INVITE", &[], &hold);
    let asked = bob.await_request("INVITE");
    bob.answer(&asked, 200, &[], &bob.sdp_with("RTP/AVP", "a=inactive\r\n"));
    bob.await_request("ACK");
    alice.await_status(200, "INVITE");
    alice.acknowledge(&dialog, cseq);
    bob.expect_none("the end of a held call", Duration::from_secs(11), |m| m.method() == "BYE");
    assert_eq!(server.rows(&["call", "list"]).len(), 1, "a hold may be as silent as it likes");
    server.ok(&["config", "set", "media.timeout_on_hold", "10s"]);
    alice.await_bye();
    bob.await_bye();
    assert_eq!(server.only_cdr()["cause"], "media_timeout");
}

#[test]
fn a_hangup_signal_reads_the_pins_and_the_log_level_anew_and_a_mistake_changes_nothing() {
    let net = Network::lease();
    let server = Server::at(&net).policy("registrar.expires_min", "\"60s\"").start();
    add_user(&server, "bob", &[]);
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    let contact = format!("Contact: {}", bob.contact());
    let brief = [contact, "Expires: 90".to_owned()];
    assert_eq!(bob.register_with(&brief).status(), 200);
    let text = fs::read_to_string(server.config()).expect("the configuration");
    let stricter = text.replace("\"60s\"", "\"120s\"").replace("log = \"debug\"", "log = \"info\"");
    let rewrite = |text: &str, sign: &str| {
        let before = server.logged().matches(sign).count();
        fs::write(server.config(), text).expect("written");
        server.ask_to_reload();
        until("the server has read its file", Duration::from_secs(10), || {
            server.logged().matches(sign).count() > before
        });
    };
    rewrite(&stricter, "were read anew");
    assert_eq!(bob.register_with(&brief).status(), 423);
    assert_eq!(server.json(&["config", "get", "registrar.expires_min"])["pinned"], true);
    let quiet = server.logged().lines().filter(|line| line.contains("DEBUG")).count();
    assert_eq!(bob.register_with(&brief).status(), 423);
    assert_eq!(server.logged().lines().filter(|line| line.contains("DEBUG")).count(), quiet, "debug is over");
    rewrite(&stricter.replace("\"120s\"", "\"never\""), "nothing was read anew");
    assert_eq!(bob.register_with(&brief).status(), 423, "what held goes on holding");
    rewrite(&text, "were read anew");
    assert_eq!(bob.register_with(&brief).status(), 200);
}

#[test]
fn a_hardened_platform_has_every_value_of_the_profile_and_serves_phones_that_know_sha_256() {
    let net = Network::lease();
    let server = Server::at(&net).algorithms("sha").start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    add_user(&server, "bob", &[]);
    server.ok(&["config", "profile", "hardened"]);
    let rows = server.rows(&["config", "list"]);
    let hardened: Vec<_> = rows.iter().filter(|row| !row["hardened"].is_null()).collect();
    assert!(hardened.len() > 15, "{hardened:#?}");
    for row in hardened {
        assert_eq!(row["value"], row["hardened"], "{row:#}");
    }
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    (alice.algorithm, bob.algorithm) = ("SHA-256", "SHA-256");
    bob.register();
    let offer = alice.sdp();
    let inside = alice.invite("bob", &[], &offer);
    bob.pick_up();
    let (mut talk, _) = alice.await_answer(&inside);
    alice.send_within(&mut talk, "BYE", &[], "");
    bob.await_bye();
    let outside = alice.invite(NUMBER, &[], &offer);
    let (mut talk, _) = alice.await_answer(&outside);
    alice.hang_up(&mut talk);
    carrier.await_done(1);
}
