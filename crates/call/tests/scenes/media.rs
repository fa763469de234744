//! Early media, reliable provisional responses, re-INVITE and UPDATE, delayed offer, silence, session timers.

use tollgate_billing::cdr::Cause;
use tollgate_call::{Event, Policy};
use tollgate_media::Leg as Side;
use tollgate_routing::EarlyMedia;
use tollgate_sip::wire::Name;

use super::plain::{no_secret, talking};
use crate::house::*;

fn stage() -> (House, Ua, Ua) {
    let house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    (house, Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"))
}

/// What the caller is told of a 183 with media, and whether the relay opens anything for it.
#[test]
fn without_a_path_before_the_answer_the_caller_hears_of_ringing_or_of_nothing() {
    for (early, told, path, gates) in [
        (EarlyMedia::Allow, 183, true, "gate true true"),
        (EarlyMedia::ToCallerOnly, 183, true, "gate false true"),
        (EarlyMedia::TonesOnly, 180, false, ""),
        (EarlyMedia::Block, 183, false, ""),
    ] {
        let policy = Policy { early_media: early, ..policy() };
        let mut house = House::with(Way::User("bob", vec!["203.0.113.1:5060"]), policy, user("alice", 1));
        let (mut alice, mut bob) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"));
        let key = house.invite(&mut alice);
        let (client, _, _) = house.last_sent("INVITE");
        let body = bob.sdp.clone();
        house.respond(client, &mut bob, 183, "", body.as_deref());
        let shown = house.answer_to(key).clone();
        assert_eq!((shown.status(), !shown.body().is_empty()), (Some(told), path), "{early}");
        let opened = house.media.iter().filter(|order| order.starts_with("gate")).cloned().collect::<Vec<_>>();
        assert_eq!(opened.join(","), gates, "{early}");
        house.respond(client, &mut bob, 200, "", body.as_deref());
        let answer = house.answer_to(key);
        assert!(answer.status() == Some(200) && !answer.body().is_empty(), "{early}: the answer is whole");
        assert_eq!(house.media.iter().rev().find(|order| order.starts_with("gate")).unwrap(), "gate true true");
    }
}

#[test]
fn early_media_is_heard_by_the_caller_alone() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 183, "", body.as_deref());
    let shown = house.answer_to(key).clone();
    assert_eq!(shown.status(), Some(183));
    assert!(String::from_utf8_lossy(shown.body()).contains("m=audio 20000"));
    no_secret(&shown);
    assert!(house.media.contains(&"gate false true".to_owned()));
    house.respond(client, &mut bob, 200, "", body.as_deref());
    let answer = house.answer_to(key);
    assert_eq!(answer.body(), shown.body(), "the same answer, the same version");
    assert!(house.media.contains(&"gate true true".to_owned()));
}

#[test]
fn reliable_provisional_responses_on_both_sides() {
    let (mut house, mut alice, mut bob) = stage();
    alice.headers.push_str("Supported: 100rel\r\n");
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 183, "Require: 100rel\r\nRSeq: 7\r\n", body.as_deref());
    let (prack, _, sent) = house.last_sent("PRACK");
    assert!(sent.header(Name::RAck).unwrap().starts_with("7 "));
    house.respond(client, &mut bob, 183, "Require: 100rel\r\nRSeq: 7\r\n", body.as_deref());
    assert_eq!(house.count_sent("PRACK"), 1, "a repetition is acknowledged once");
    house.respond(prack, &mut bob, 200, "", None);
    let shown = house.answer_to(key).clone();
    assert_eq!((shown.status(), shown.header(Name::Require)), (Some(183), Some("100rel")));
    house.pass(std::time::Duration::from_millis(600));
    assert_eq!(house.statuses(key), [183, 183], "again, until its PRACK comes");
    // The callee answers before the caller's PRACK: the 200 waits for it.
    house.respond(client, &mut bob, 200, "", None);
    assert_eq!(house.statuses(key), [183, 183]);
    alice.learn(&shown);
    let rack = format!("RAck: {} 1 INVITE\r\n", shown.header(Name::RSeq).unwrap());
    let request = alice.request("PRACK", &rack, None);
    let prack = house.request(&alice, request);
    assert_eq!(house.statuses(prack), [200]);
    assert_eq!(house.statuses(key), [183, 183, 200]);
    assert!(house.answer_to(key).body().is_empty(), "told reliably, not told again");
}

#[test]
fn hold_and_resume_from_either_side() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    for turn in 0..2 {
        let (asker, other) = if turn == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        let held = asker.sdp.clone().unwrap().replace("sendrecv", "sendonly").replace(" 1 IN", " 2 IN");
        let request = asker.request("INVITE", "", Some(&held));
        let key = house.request(asker, request);
        let (client, to, sent) = house.last_sent("INVITE");
        assert_eq!(to.peer, other.flow().peer);
        assert!(String::from_utf8_lossy(sent.body()).contains("a=sendonly"));
        no_secret(&sent);
        let answer = other.sdp.clone().unwrap().replace("sendrecv", "recvonly").replace(" 1 IN", " 2 IN");
        let acks = house.acks.len();
        house.respond(client, other, 200, "", Some(&answer));
        assert_eq!(house.acks.len(), acks + 1);
        assert_eq!(house.statuses(key), [200]);
        assert!(String::from_utf8_lossy(house.answer_to(key).body()).contains("a=recvonly"));
        let ack = asker.ack(None);
        house.tell(Event::Ack { message: ack, flow: asker.flow() });
        // Resume.
        let resumed = asker.sdp.clone().unwrap().replace(" 1 IN", " 3 IN");
        let request = asker.request("INVITE", "", Some(&resumed));
        let key = house.request(asker, request);
        let (client, _, _) = house.last_sent("INVITE");
        let answer = other.sdp.clone().unwrap().replace(" 1 IN", " 3 IN");
        house.respond(client, other, 200, "", Some(&answer));
        assert_eq!(house.statuses(key), [200]);
        let ack = asker.ack(None);
        house.tell(Event::Ack { message: ack, flow: asker.flow() });
    }
    assert_eq!(house.records.len(), 0);
}

#[test]
fn a_refused_reinvite_leaves_the_session_as_it_was() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let before = house.media.len();
    let other = sdp("198.51.100.1", 41_000);
    let request = alice.request("INVITE", "", Some(&other));
    let key = house.request(&alice, request);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, &mut bob, 488, "", None);
    assert_eq!(house.statuses(key), [488]);
    assert_eq!(house.media.len(), before, "the relay hears nothing of it");
    // And another try works.
    let request = alice.request("INVITE", "", Some(&other));
    let key = house.request(&alice, request);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!(house.statuses(key), [200]);
    assert_eq!(house.media.last().unwrap(), "198.51.100.1:41000<->203.0.113.1:40000");
}

#[test]
fn both_ask_at_once_and_both_hear_491() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let request = alice.request("INVITE", "", Some(&sdp("198.51.100.1", 41_000)));
    let first = house.request(&alice, request);
    let request = bob.request("INVITE", "", Some(&sdp("203.0.113.1", 41_000)));
    let second = house.request(&bob, request);
    assert_eq!(house.statuses(second), [491]);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, &mut bob, 491, "", None);
    assert_eq!(house.statuses(first), [491]);
    // A second one of the same side while the first is open: 500 with Retry-After.
    let request = alice.request("INVITE", "", Some(&sdp("198.51.100.1", 42_000)));
    house.request(&alice, request);
    let request = alice.request("INVITE", "", Some(&sdp("198.51.100.1", 43_000)));
    let third = house.request(&alice, request);
    assert_eq!(house.statuses(third), [500]);
    assert!(house.answer_to(third).header(Name::RetryAfter).is_some());
}

#[test]
fn the_same_words_again_are_a_refresh_and_ask_nobody() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let body = alice.sdp.clone();
    let request = alice.request("INVITE", "", body.as_deref());
    let key = house.request(&alice, request);
    assert_eq!(house.statuses(key), [200]);
    assert_eq!(house.count_sent("INVITE"), 1);
    assert!(!house.answer_to(key).body().is_empty());
}

#[test]
fn update_goes_across_as_update_or_as_reinvite() {
    for knows_update in [true, false] {
        let (mut house, mut alice, mut bob) = stage();
        if !knows_update {
            bob.headers = "Allow: INVITE, ACK, BYE, CANCEL\r\n".into();
        }
        talking(&mut house, &mut alice, &mut bob);
        let request = alice.request("UPDATE", "", Some(&sdp("198.51.100.1", 41_000)));
        let key = house.request(&alice, request);
        let (client, _, _) = house.last_sent(if knows_update { "UPDATE" } else { "INVITE" });
        let body = bob.sdp.clone();
        house.respond(client, &mut bob, 200, "", body.as_deref());
        assert_eq!(house.statuses(key), [200]);
        assert_eq!(house.media.last().unwrap(), "198.51.100.1:41000<->203.0.113.1:40000");
    }
}

#[test]
fn a_call_without_an_offer_gets_one_and_answers_in_its_ack() {
    let (mut house, mut alice, mut bob) = stage();
    let body = alice.sdp.take().unwrap();
    let key = house.invite(&mut alice);
    let (client, _, invite) = house.last_sent("INVITE");
    assert!(invite.body().is_empty());
    assert!(!invite.lists(Name::Supported, "100rel"));
    let offer = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", offer.as_deref());
    let answer = house.answer_to(key).clone();
    assert!(String::from_utf8_lossy(answer.body()).contains("m=audio 20000"));
    assert_eq!(house.acks.len(), 0, "our ACK waits for the answer");
    alice.learn(&answer);
    let ack = alice.ack(Some(&body));
    house.tell(Event::Ack { message: ack, flow: alice.flow() });
    assert_eq!(house.acks.len(), 1);
    assert!(String::from_utf8_lossy(house.acks[0].1.body()).contains("m=audio 20004"));
    assert_eq!(house.media.last().unwrap(), "198.51.100.1:40000<->203.0.113.1:40000");
    // One that never answers ends the call.
    let request = alice.request("INVITE", "", None);
    let key = house.request(&alice, request);
    let (client, _, _) = house.last_sent("INVITE");
    let again = bob.sdp.clone().unwrap().replace(" 1 IN", " 2 IN").replace("40000", "41000");
    house.respond(client, &mut bob, 200, "", Some(&again));
    assert_eq!(house.statuses(key), [200]);
    let ack = alice.ack(None);
    house.tell(Event::Ack { message: ack, flow: alice.flow() });
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::MediaUnsupported));
    assert_eq!(house.count_sent("BYE"), 2);
}

#[test]
fn one_silent_leg_is_asked_and_two_end_the_call() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    house.tell(silent(Side::A));
    let (client, to, _) = house.last_sent("OPTIONS");
    assert_eq!(to.peer, alice.flow().peer);
    house.respond(client, &mut alice, 200, "", None);
    assert_eq!(house.records.len(), 0);
    house.pass(secs(60));
    house.tell(silent(Side::A));
    house.tell(silent(Side::B));
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::MediaTimeout));
}

#[test]
fn a_silent_leg_that_does_not_know_the_call_any_more_ends_it() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    house.tell(silent(Side::B));
    let (client, _, _) = house.last_sent("OPTIONS");
    house.respond(client, &mut bob, 481, "", None);
    assert_eq!(house.count_sent("BYE"), 1, "only the other one is there to be told");
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::MediaTimeout));
}

#[test]
fn silence_on_hold_says_nothing_until_the_hold_is_too_long() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let held = alice.sdp.clone().unwrap().replace("sendrecv", "inactive");
    let request = alice.request("INVITE", "", Some(&held));
    house.request(&alice, request);
    let (client, _, _) = house.last_sent("INVITE");
    let answer = bob.sdp.clone().unwrap().replace("sendrecv", "inactive");
    house.respond(client, &mut bob, 200, "", Some(&answer));
    house.tell(silent(Side::A));
    house.tell(silent(Side::B));
    assert_eq!((house.count_sent("OPTIONS"), house.records.len()), (0, 0));
    for side in [Side::A, Side::B] {
        house.tell(Event::MediaSilent { side, on_hold: true, patience: secs(3600) });
    }
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::MediaTimeout));
}

/// The relay has heard nothing from that side of a talk for a minute.
fn silent(side: Side) -> Event {
    Event::MediaSilent { side, on_hold: false, patience: secs(60) }
}

#[test]
fn a_session_that_is_not_refreshed_expires() {
    let (mut house, mut alice, mut bob) = stage();
    alice.headers.push_str("Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n");
    talking(&mut house, &mut alice, &mut bob);
    house.pass(secs(200));
    assert_eq!(house.records.len(), 0);
    house.pass(secs(80));
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::SessionExpired));
}

#[test]
fn we_refresh_who_does_not_and_tell_death_from_glare() {
    let (mut house, mut alice, mut bob) = stage();
    alice.headers.push_str("Supported: timer\r\nSession-Expires: 7200;refresher=uac\r\n");
    bob.headers.push_str("Supported: timer\r\n");
    talking(&mut house, &mut alice, &mut bob);
    house.pass(secs(901));
    let (client, to, update) = house.last_sent("UPDATE");
    assert_eq!(to.peer, bob.flow().peer);
    assert_eq!(update.header(Name::SessionExpires), Some("1800;refresher=uac"));
    house.respond(client, &mut bob, 491, "", None);
    house.pass(secs(5));
    let (client, _, _) = house.last_sent("UPDATE");
    house.respond(client, &mut bob, 405, "", None);
    let (client, _, invite) = house.last_sent("INVITE");
    assert!(!invite.body().is_empty(), "by re-INVITE with our last words");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!(house.acks.len(), 2);
    house.pass(secs(901));
    let (client, _, _) = house.last_sent("INVITE");
    house.tell(Event::TimedOut { client });
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::SessionExpired));
}

#[test]
fn further_media_lines_get_ports_first() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let more = format!("{}m=video 42000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n", alice.sdp.clone().unwrap());
    let request = alice.request("INVITE", "", Some(&more));
    let key = house.request(&alice, request);
    assert!(house.media.contains(&"allocate 2".to_owned()), "{:?}", house.media);
    let (client, _, sent) = house.last_sent("INVITE");
    assert!(String::from_utf8_lossy(sent.body()).contains("m=video 20012"));
    let answer = format!("{}m=video 42000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n", bob.sdp.clone().unwrap());
    house.respond(client, &mut bob, 200, "", Some(&answer));
    assert_eq!(house.statuses(key), [200]);
}

#[test]
fn an_update_before_the_answer_reaches_the_branch_that_was_shown() {
    let (mut house, mut alice, mut bob) = stage();
    alice.headers.push_str("Supported: 100rel\r\n");
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 183, "Require: 100rel\r\nRSeq: 7\r\n", body.as_deref());
    let shown = house.answer_to(key).clone();
    alice.learn(&shown);
    let rack = format!("RAck: {} 1 INVITE\r\n", shown.header(Name::RSeq).unwrap());
    let prack = alice.request("PRACK", &rack, None);
    house.request(&alice, prack);
    let update = alice.request("UPDATE", "", Some(&sdp("198.51.100.1", 41_000)));
    let asked = house.request(&alice, update);
    let (update, to, sent) = house.last_sent("UPDATE");
    assert_eq!((to.peer, sent.to().tag()), (bob.flow().peer, Some("tag-bob")));
    let changed = bob.sdp.clone().unwrap().replace(" 1 IN", " 2 IN").replace("40000", "42000");
    house.respond(update, &mut bob, 200, "", Some(&changed));
    assert_eq!(house.statuses(asked), [200]);
    assert_eq!(house.media.last().unwrap(), "198.51.100.1:41000<->203.0.113.1:42000");
    house.respond(client, &mut bob, 200, "", None);
    assert_eq!(*house.statuses(key).last().unwrap(), 200);
    assert_eq!(
        house.media.iter().rev().find(|order| order.contains("<->")).unwrap(),
        "198.51.100.1:41000<->203.0.113.1:42000"
    );
}
