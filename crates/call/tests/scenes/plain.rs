//! The plain path, and the answers that end a call before it begins.

use tollgate_billing::cdr::{CallKind, Cause, HangupSide, Status};
use tollgate_billing::ledger::What;
use tollgate_sip::wire::{Message, Name};
use tollgate_types::Rule;

use crate::house::*;

/// Alice calls Bob, who answers; both have acknowledged.
pub fn talking(house: &mut House, alice: &mut Ua, bob: &mut Ua) {
    let key = house.invite(alice);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, bob, 180, "", None);
    let body = bob.sdp.clone();
    house.respond(client, bob, 200, "", body.as_deref());
    let answer = house.answer_to(key).clone();
    assert_eq!(answer.status(), Some(200));
    alice.learn(&answer);
    let ack = alice.ack(None);
    house.tell(tollgate_call::Event::Ack { message: ack, flow: alice.flow() });
}

pub fn no_secret(message: &Message) {
    let text = String::from_utf8_lossy(message.as_bytes()).into_owned();
    for secret in ["Secret", "carrier.internal", "198.51.100.", "203.0.113."] {
        let at = text.lines().filter(|line| !line.starts_with("Via") && line.contains(secret)).collect::<Vec<_>>();
        // The Request-URI, Route and To of what we send name the receiver itself.
        let foreign: Vec<_> =
            at.into_iter().filter(|line| !line.starts_with("To:") && !line.contains(" SIP/2.0")).collect();
        assert!(foreign.is_empty(), "{secret} leaks: {foreign:?}");
    }
}

#[test]
fn a_call_from_invite_to_record() {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    house.ledger = Ledger::Pays { min: 10, slice: 60, total: 600 };
    let (mut alice, mut bob) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"));
    let key = house.invite(&mut alice);
    assert!(matches!(house.asks[0].what, What::Hold(_)), "money first");
    let (client, to, invite) = house.last_sent("INVITE");
    assert_eq!(to.peer.to_string(), "203.0.113.1:5060");
    assert_eq!(invite.request_uri(), "sip:bob@203.0.113.1:5060");
    assert_eq!(invite.max_forwards(), Some(69));
    assert_ne!(invite.call_id(), alice.call_id);
    assert!(invite.call_id().starts_with("tg0003-"), "the Call-ID names its shard: {}", invite.call_id());
    no_secret(&invite);
    let offer = String::from_utf8_lossy(invite.body()).into_owned();
    assert!(offer.contains("c=IN IP4 192.0.2.1") && offer.contains("m=audio 20004"), "{offer}");
    house.respond(client, &mut bob, 100, "", None);
    assert_eq!(house.statuses(key), []);
    house.respond(client, &mut bob, 180, "", None);
    assert_eq!(house.statuses(key), [180]);
    house.pass(secs(3));
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!(house.acks.len(), 1);
    assert_eq!(house.acks[0].1.request_uri(), "sip:bob@203.0.113.1:5060");
    let answer = house.answer_to(key).clone();
    assert_eq!(answer.status(), Some(200));
    no_secret(&answer);
    assert!(String::from_utf8_lossy(answer.body()).contains("m=audio 20000"));
    assert!(house.media.contains(&"198.51.100.1:40000<->203.0.113.1:40000".to_owned()), "{:?}", house.media);
    assert!(house.media.contains(&"gate true true".to_owned()));
    alice.learn(&answer);
    let ack = alice.ack(None);
    house.tell(tollgate_call::Event::Ack { message: ack, flow: alice.flow() });
    house.pass(secs(90));
    assert!(house.asks.iter().filter(|ask| matches!(ask.what, What::Extend(_))).count() >= 2);
    let bye = alice.request("BYE", "", None);
    let bye_key = house.request(&alice, bye);
    assert_eq!(house.statuses(bye_key), [200]);
    let (client, _, sent) = house.last_sent("BYE");
    assert_eq!(sent.header(Name::Reason), Some("Q.850;cause=16"));
    house.respond(client, &mut bob, 200, "", None);
    house.assert_over();
    let cdr = house.record();
    assert_eq!((cdr.status, cdr.cause, cdr.talk_ms), (Status::Answered, Cause::Normal, 90_000));
    assert_eq!((cdr.hangup_side, cdr.kind, cdr.talk_seconds), (Some(HangupSide::Caller), CallKind::Internal, 90));
    assert_eq!(cdr.q850, Some(16));
    assert!(!cdr.ladder.is_empty());
}

#[test]
fn the_callee_hangs_up() {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    let (mut alice, mut bob) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"));
    talking(&mut house, &mut alice, &mut bob);
    house.pass(secs(5));
    let bye = bob.request("BYE", "Reason: Q.850;cause=31;text=\"at carrier.internal\"\r\n", None);
    let key = house.request(&bob, bye);
    assert_eq!(house.statuses(key), [200]);
    let (client, to, bye) = house.last_sent("BYE");
    assert_eq!(to.peer, alice.flow().peer);
    assert_eq!(bye.header(Name::Reason), Some("Q.850;cause=31"), "the cause goes on, the words do not");
    house.respond(client, &mut alice, 200, "", None);
    house.assert_over();
    assert_eq!(house.record().hangup_side, Some(HangupSide::Callee));
}

#[test]
fn refusals_say_why_and_leave_a_record() {
    for (rule, status) in [(Rule::Credit, 402), (Rule::Lines, 486), (Rule::NoRoute, 404), (Rule::DailyLimit, 403)] {
        let mut house = House::new(Way::Refuse(rule));
        let mut alice = Ua::new("alice", "198.51.100.1:5060");
        let key = house.invite(&mut alice);
        assert_eq!(house.statuses(key), [status], "{rule:?}");
        assert!(house.answer_to(key).header(Name::Reason).unwrap().starts_with("Q.850;cause="));
        house.assert_over();
        let cdr = house.record();
        assert_eq!((cdr.status, cdr.cause), (Status::Refused, Cause::Rule(rule)));
        assert_eq!(cdr.sip_status, Some(status));
        assert!(house.sent.is_empty(), "nobody was dialled");
    }
}

#[test]
fn bad_invites_get_the_proper_answer() {
    for (extra, body, status) in [
        ("Require: gruu\r\n", None, 420),
        ("Content-Type: text/plain\r\n", Some("hello"), 415),
        ("", Some("nonsense"), 400),
        (
            "",
            Some(
                "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n",
            ),
            488,
        ),
        ("Supported: timer\r\nSession-Expires: 30\r\n", None, 422),
    ] {
        let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
        let mut alice = Ua::new("alice", "198.51.100.1:5060");
        let invite = alice.request("INVITE", extra, body);
        let key = house.begin(&mut alice, invite);
        assert_eq!(house.statuses(key), [status], "{extra} {body:?}");
        assert!(house.plans.is_empty());
        house.assert_over();
    }
}

#[test]
fn nobody_online_is_480_and_holds_nothing() {
    let mut house = House::new(Way::User("bob", vec![]));
    house.ledger = Ledger::Pays { min: 10, slice: 60, total: 600 };
    let mut alice = Ua::new("alice", "198.51.100.1:5060");
    let key = house.invite(&mut alice);
    assert_eq!(house.statuses(key), [480]);
    house.assert_over();
    assert_eq!(house.record().talk_ms, 0);
}

#[test]
fn nobody_answers() {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    let (mut alice, mut bob) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"));
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, &mut bob, 180, "", None);
    house.pass(secs(91));
    assert_eq!(house.cancelled, [client]);
    assert_eq!(house.statuses(key), [180, 480]);
    assert_eq!(house.done, 0, "the cancelled INVITE may still be answered");
    house.respond(client, &mut bob, 487, "", None);
    house.assert_over();
    assert_eq!((house.record().cause, house.record().q850), (Cause::NoAnswer, Some(19)));
}

#[test]
fn all_devices_ring_and_the_first_wins() {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060", "203.0.113.2:5060", "203.0.113.3:5060"]));
    let mut alice = Ua::new("alice", "198.51.100.1:5060");
    let mut bobs: Vec<Ua> = (1..4).map(|n| Ua::new(&format!("bob{n}"), &format!("203.0.113.{n}:5060"))).collect();
    let key = house.invite(&mut alice);
    let clients: Vec<_> = house.sent.iter().map(|(client, ..)| *client).collect();
    assert_eq!(clients.len(), 3);
    for (client, bob) in clients.iter().zip(&mut bobs) {
        house.respond(*client, bob, 180, "", None);
    }
    assert_eq!(house.statuses(key), [180], "many devices, one ringing");
    house.respond(clients[0], &mut bobs[0], 486, "", None);
    let body = bobs[1].sdp.clone();
    house.respond(clients[1], &mut bobs[1], 200, "", body.as_deref());
    assert_eq!(house.statuses(key), [180, 200]);
    assert_eq!(house.cancelled, [clients[2]]);
    // The third one answered in that very moment: thanked and hung up.
    let body = bobs[2].sdp.clone();
    house.respond(clients[2], &mut bobs[2], 200, "", body.as_deref());
    assert_eq!(house.acks.len(), 2);
    let (_, to, _) = house.last_sent("BYE");
    assert_eq!(to.peer, bobs[2].flow().peer);
    let record_count = house.records.len();
    assert_eq!(record_count, 0);
}

#[test]
fn carriers_are_tried_one_by_one_and_busy_is_final() {
    for (first, statuses, tried) in
        [(503, vec![200], 2), (500, vec![200], 2), (486, vec![486], 1), (404, vec![404], 1), (302, vec![200], 2)]
    {
        let mut house =
            House::new(Way::Trunks(vec![("one", vec!["203.0.113.1:5060"]), ("two", vec!["203.0.113.2:5060"])]));
        let mut alice = Ua::new("alice", "198.51.100.1:5060");
        let (mut one, mut two) = (Ua::new("one", "203.0.113.1:5060"), Ua::new("two", "203.0.113.2:5060"));
        let key = house.invite(&mut alice);
        let (client, _, _) = house.last_sent("INVITE");
        house.respond(client, &mut one, first, "Contact: <sip:premium@example.com>\r\n", None);
        if tried == 2 {
            let (client, to, invite) = house.last_sent("INVITE");
            assert_eq!(to.peer.to_string(), "203.0.113.2:5060");
            assert_eq!(invite.header(Name::PAssertedIdentity), Some("<sip:36301234567@example.com>"));
            let body = two.sdp.clone();
            house.respond(client, &mut two, 200, "", body.as_deref());
        }
        assert_eq!(house.count_sent("INVITE"), tried, "{first}");
        assert_eq!(house.statuses(key), statuses, "{first}");
    }
}

#[test]
fn a_silent_carrier_is_left_and_its_other_address_tried_first() {
    let mut house = House::new(Way::Trunks(vec![
        ("one", vec!["203.0.113.1:5060", "203.0.113.9:5060"]),
        ("two", vec!["203.0.113.2:5060"]),
    ]));
    let mut alice = Ua::new("alice", "198.51.100.1:5060");
    let key = house.invite(&mut alice);
    house.pass(secs(7));
    assert_eq!(house.last_sent("INVITE").1.peer.to_string(), "203.0.113.9:5060");
    house.pass(secs(7));
    assert_eq!(house.last_sent("INVITE").1.peer.to_string(), "203.0.113.2:5060");
    house.pass(secs(7));
    assert_eq!(house.statuses(key), [503]);
    assert_eq!(house.cancelled.len(), 3);
}

#[test]
fn our_digest_answers_the_trunks_realm_alone() {
    for (realm, answered) in [("carrier.example", true), ("evil.example", false)] {
        let mut house = House::new(Way::Trunks(vec![("one", vec!["203.0.113.1:5060"])]));
        let realms = Box::new(["carrier.example".into()]);
        house.login =
            Some(std::sync::Arc::new(tollgate_call::Login { username: "us".into(), secret: "pw".into(), realms }));
        let (mut alice, mut one) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("one", "203.0.113.1:5060"));
        let key = house.invite(&mut alice);
        let (client, _, first) = house.last_sent("INVITE");
        let challenge = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"n1\", qop=\"auth\"\r\n");
        house.respond(client, &mut one, 401, &challenge, None);
        let (_, _, second) = house.last_sent("INVITE");
        assert_eq!(second.header(Name::Authorization).is_some(), answered, "{realm}");
        if answered {
            assert_eq!(second.cseq().number, first.cseq().number + 1);
            assert_eq!(second.call_id(), first.call_id());
            assert_eq!(house.statuses(key), []);
        } else {
            assert_eq!(house.statuses(key), [403]);
            assert!(house.notes.iter().any(|note| matches!(note, tollgate_call::Note::RealmRefused { .. })));
        }
    }
}

#[test]
fn requests_inside_the_call_get_their_answers() {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    let (mut alice, mut bob) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"));
    talking(&mut house, &mut alice, &mut bob);
    for (method, extra, status) in [
        ("OPTIONS", "", 200),
        ("SUBSCRIBE", "Event: dialog\r\n", 489),
        ("NOTIFY", "Event: refer\r\n", 481),
        ("FETCH", "", 501),
        ("REFER", "", 400),
        ("INFO", "Info-Package: x\r\n", 469),
        ("UPDATE", "", 200),
        ("PRACK", "RAck: 1 1 INVITE\r\n", 481),
    ] {
        let request = alice.request(method, extra, None);
        let key = house.request(&alice, request);
        assert_eq!(house.statuses(key), [status], "{method}");
    }
    // Out of order.
    alice.seq -= 3;
    let late = alice.request("OPTIONS", "", None);
    let key = house.request(&alice, late);
    assert_eq!(house.statuses(key), [500]);
    alice.seq += 10;
    // From elsewhere, with the right tags.
    let mut stranger = alice.clone();
    stranger.address = "203.0.113.66:5060".into();
    let bye = stranger.request("BYE", "", None);
    let key = house.request(&stranger, bye);
    assert_eq!(house.statuses(key), [403]);
    assert_eq!(house.records.len(), 0, "the call lives");
    // Keys pressed go across.
    let info = alice.request("INFO", "Content-Type: application/dtmf-relay\r\n", Some("Signal=5\r\nDuration=160\r\n"));
    let key = house.request(&alice, info);
    let (client, to, sent) = house.last_sent("INFO");
    assert_eq!(to.peer, bob.flow().peer);
    assert_eq!(&sent.body()[..], b"Signal=5\r\nDuration=160\r\n");
    assert_eq!(sent.content_type(), Some("application/dtmf-relay"));
    house.respond(client, &mut bob, 200, "", None);
    assert_eq!(house.statuses(key), [200]);
}

#[test]
fn a_trunk_that_asks_again_inside_the_call_gets_our_proof() {
    let mut house = House::new(Way::Trunks(vec![("one", vec!["203.0.113.1:5060"])]));
    let realms = Box::new(["carrier.example".into()]);
    house.login =
        Some(std::sync::Arc::new(tollgate_call::Login { username: "us".into(), secret: "pw".into(), realms }));
    let (mut alice, mut one) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("one", "203.0.113.1:5060"));
    talking(&mut house, &mut alice, &mut one);
    let request = alice.request("INVITE", "", Some(&sdp("198.51.100.1", 41_000)));
    let key = house.request(&alice, request);
    let (client, _, first) = house.last_sent("INVITE");
    let challenge =
        "Proxy-Authenticate: Digest realm=\"carrier.example\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth\"\r\n";
    house.respond(client, &mut one, 407, challenge, None);
    let (client, _, second) = house.last_sent("INVITE");
    assert!(second.header(Name::ProxyAuthorization).is_some());
    assert_eq!((second.cseq().number, second.body()), (first.cseq().number + 1, first.body()));
    assert_eq!(second.headers(Name::Via).count(), 1);
    let body = one.sdp.clone();
    house.respond(client, &mut one, 200, "", body.as_deref());
    assert_eq!(house.statuses(key), [200]);
    let ack = alice.ack(None);
    house.tell(tollgate_call::Event::Ack { message: ack, flow: alice.flow() });
    // BYE too; and a phone that challenges us gets nothing.
    let bye = alice.request("BYE", "", None);
    house.request(&alice, bye);
    let (client, _, _) = house.last_sent("BYE");
    house.respond(client, &mut one, 407, challenge, None);
    let (client, _, bye) = house.last_sent("BYE");
    assert!(bye.header(Name::ProxyAuthorization).is_some());
    house.respond(client, &mut one, 407, challenge, None);
    house.assert_over();
    assert_eq!(house.count_sent("BYE"), 2, "once is enough");
}
