//! Voices: two baresips, and a baresip and a carrier, hear each other's tone and not their own.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::baresip::Baresip;
use crate::message::Sip;
use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Server, let_pass};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user, assert_books_balance};

/// What each side plays: neither is a multiple of the other.
const ALICE: f64 = 440.0;
const BOB: f64 = 1000.0;

fn two_baresips_talk(server: &Server, mut alice: Baresip, mut bob: Baresip) {
    alice.dial("bob");
    alice.await_event("CALL_ESTABLISHED");
    bob.await_event("CALL_ESTABLISHED");
    alice.await_tone(BOB);
    bob.await_tone(ALICE);
    assert_eq!(alice.percent(ALICE), 0, "nobody hears himself");
    assert_eq!(bob.percent(BOB), 0, "nobody hears himself");
    bob.hang_up();
    alice.await_event("CALL_CLOSED");
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!((&cdr["status"], &cdr["user"]), (&"answered".into(), &"alice".into()), "{cdr:#}");
    assert_books_balance(server, "alice");
}

fn world_of_two(server: &Server) {
    for user in ["alice", "bob"] {
        add_user(server, user, &[]);
    }
}

#[test]
fn two_baresips_hear_each_other() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world_of_two(&server);
    let alice = Baresip::of(&server, "alice", ALICE).start();
    let bob = Baresip::of(&server, "bob", BOB).start();
    two_baresips_talk(&server, alice, bob);
}

#[test]
fn two_baresips_on_tcp_hear_each_other_over_three_shards() {
    let net = Network::lease();
    let server = Server::at(&net).shards(3).start();
    world_of_two(&server);
    let alice = Baresip::of(&server, "alice", ALICE).tcp().start();
    let bob = Baresip::of(&server, "bob", BOB).tcp().start();
    two_baresips_talk(&server, alice, bob);
}

#[test]
fn phones_whose_media_comes_from_elsewhere_than_they_say_hear_each_other_where_sources_are_not_checked() {
    let net = Network::lease();
    let server = Server::at(&net).policy("checkrtpaddr", "0").start();
    world_of_two(&server);
    let alice = Baresip::of(&server, "alice", ALICE).behind_nat(net.host(10)).start();
    let bob = Baresip::of(&server, "bob", BOB).behind_nat(net.host(11)).start();
    two_baresips_talk(&server, alice, bob);
}

#[test]
fn a_baresip_hears_the_carrier_and_the_carrier_hears_it() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    // The carrier sends back what it hears: the tone that comes back went both ways.
    let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").echo().start();
    let mut alice = Baresip::of(&server, "alice", ALICE).start();
    alice.dial(NUMBER);
    alice.await_event("CALL_ESTABLISHED");
    alice.await_tone(ALICE);
    alice.hang_up();
    carrier.await_done(1);
    server.await_quiet();
    let cdr = server.only_cdr();
    assert_eq!(cdr["trunk_out"], "carrier", "{cdr:#}");
    let id = cdr["id"].as_str().map_or_else(|| cdr["id"].to_string(), str::to_owned);
    let shown = server.json(&["cdr", "show", &id]);
    let packets = |leg: &serde_json::Value| leg["packets"].as_u64().unwrap_or_default();
    let legs = shown["media"].as_array().unwrap_or_else(|| panic!("media by leg: {shown:#}"));
    assert_eq!(legs.len(), 2, "{shown:#}");
    assert!(legs.iter().all(|leg| packets(leg) > 50), "{shown:#}");
    assert_books_balance(&server, "alice");
}

#[test]
fn a_held_call_is_silent_and_a_resumed_one_is_heard_again() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world_of_two(&server);
    let mut alice = Baresip::of(&server, "alice", ALICE).start();
    let mut bob = Baresip::of(&server, "bob", BOB).start();
    alice.dial("bob");
    alice.await_event("CALL_ESTABLISHED");
    bob.await_event("CALL_ESTABLISHED");
    bob.await_tone(ALICE);
    alice.command("hold", "");
    let_pass(Duration::from_secs(2));
    let before = bob.heard(ALICE);
    let_pass(Duration::from_secs(2));
    let held = bob.heard(ALICE) - before;
    assert!(held <= 3, "{held} slices were heard while on hold");
    alice.command("resume", "");
    let_pass(Duration::from_secs(3));
    // The phone begins a new recording with the resumed stream: the latest holds what was heard since.
    let resumed = bob.heard(ALICE);
    assert!(resumed >= 12, "{resumed} slices were heard after the hold");
    bob.hang_up();
    server.await_quiet();
}

/// The relay's port in an offer or answer.
fn port(message: &Sip) -> u16 {
    message.sdp("m=audio ").split(' ').next().and_then(|p| p.parse().ok()).expect("a port")
}

/// An RTP packet whose payload is all `mark`.
fn packet(sequence: u8, mark: u8) -> Vec<u8> {
    let mut bytes = vec![0x80, 8, 0, sequence, 0, 0, 0, sequence, 1, 2, 3, 4];
    bytes.extend([mark; 160]);
    bytes
}

/// The marks of all packets that arrive from `relay` until none comes for a while.
fn marks(socket: &UdpSocket, relay: SocketAddr) -> Vec<u8> {
    socket.set_read_timeout(Some(Duration::from_millis(700))).expect("a timeout");
    let mut marks = Vec::new();
    let mut buffer = [0; 2000];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        assert_eq!(from, relay);
        marks.push(buffer[length - 1]);
    }
    marks
}

#[test]
fn media_of_a_third_party_is_not_passed_on() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world_of_two(&server);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let (mut at_bob, seen) = bob.pick_up();
    let (_, answer) = alice.await_answer(&invite);
    let relay = |port: u16| SocketAddr::from((net.host(1), port));
    let (to_her, to_him) = (relay(port(&answer)), relay(port(&seen)));
    let socket = |host: u8| UdpSocket::bind((net.host(host), 16000)).expect("a media port");
    let (hers, his, stranger) = (socket(10), socket(11), socket(99));
    // Both speak once, so that the relay knows who is who.
    his.send_to(&packet(1, 7), to_him).expect("sent");
    for sequence in 1..10 {
        // As a voice comes: the relay is told of the answer while the first packet may be under way.
        let_pass(Duration::from_millis(20));
        hers.send_to(&packet(sequence, 1), to_her).expect("sent");
        stranger.send_to(&packet(sequence + 10, 2), to_her).expect("sent");
        stranger.send_to(&packet(sequence + 20, 2), to_him).expect("sent");
    }
    let heard = marks(&his, to_him);
    assert!(heard.len() >= 5, "her voice arrives: {heard:?}");
    assert!(heard.iter().all(|mark| *mark == 1), "only hers: {heard:?}");
    bob.hang_up(&mut at_bob);
    alice.await_bye();
}

#[test]
fn a_phone_on_ipv6_and_one_on_ipv4_hear_each_other() {
    let net = Network::lease();
    let sip = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("bound").port();
    let server = Server::at(&net).ipv6(sip).start();
    world_of_two(&server);
    let mut alice = Phone::udp_ipv6(sip, "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    alice.register();
    bob.register();
    let hers = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a media port");
    let his = UdpSocket::bind((net.host(11), 16000)).expect("a media port");
    let media = hers.local_addr().expect("bound").port().to_string();
    let offer = alice.sdp().replace("m=audio 16000", &format!("m=audio {media}"));
    let invite = alice.invite("bob", &[], &offer);
    let (mut at_bob, seen) = bob.pick_up();
    let (_, answer) = alice.await_answer(&invite);
    assert!(seen.sdp("c=").starts_with("IN IP4"), "{seen:#?}");
    assert!(answer.sdp("c=").starts_with("IN IP6"), "{answer:#?}");
    let to_her = SocketAddr::from((Ipv6Addr::LOCALHOST, port(&answer)));
    let to_him = SocketAddr::from((net.host(1), port(&seen)));
    for sequence in 1..10 {
        // As a voice comes: the relay is told of the answer while the first packet may be under way.
        let_pass(Duration::from_millis(20));
        hers.send_to(&packet(sequence, 1), to_her).expect("sent");
        his.send_to(&packet(sequence, 2), to_him).expect("sent");
    }
    assert!(marks(&his, to_him).contains(&1), "he hears her");
    assert!(marks(&hers, to_her).contains(&2), "she hears him");
    bob.hang_up(&mut at_bob);
    alice.await_bye();
    server.await_quiet();
}

/// Whether the caller and the callee hear each other before the answer at a level of the guide's, the callee having said 183
/// with a path. Afterwards they do.
fn before_the_answer(level: &str) -> (bool, bool) {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world_of_two(&server);
    server.ok(&["config", "set", "blockearlymedia", level]);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let asked = bob.await_request("INVITE");
    let answer = bob.sdp();
    bob.answer(&asked, 183, &[], &answer);
    let progress = alice.await_status(183, "INVITE");
    let relay = |port: u16| SocketAddr::from((net.host(1), port));
    let (to_her, to_him) = (relay(port(&progress)), relay(port(&asked)));
    let socket = |host: u8| UdpSocket::bind((net.host(host), 16000)).expect("a media port");
    let (hers, his) = (socket(10), socket(11));
    let speak = |first: u8, mark: u8| {
        for sequence in first..first + 10 {
            let_pass(Duration::from_millis(20));
            hers.send_to(&packet(sequence, mark), to_her).expect("sent");
            his.send_to(&packet(sequence, mark), to_him).expect("sent");
        }
        (marks(&hers, to_her), marks(&his, to_him))
    };
    let (she, he) = speak(1, 1);
    bob.answer(&asked, 200, &[], &answer);
    bob.await_request("ACK");
    alice.await_answer(&invite);
    let (her_talk, his_talk) = speak(11, 2);
    for talk in [&her_talk, &his_talk] {
        assert!(talk.len() >= 5 && talk.iter().all(|mark| *mark == 2), "{level}: {talk:?}");
    }
    bob.hang_up(&mut bob.dialog_of(&asked));
    alice.await_bye();
    server.await_quiet();
    (she.len() >= 5, !he.is_empty())
}

#[test]
fn before_the_answer_the_callee_hears_nothing_unless_the_operator_allows_it() {
    assert_eq!(before_the_answer("1"), (true, false));
    assert_eq!(before_the_answer("0"), (true, true));
}
