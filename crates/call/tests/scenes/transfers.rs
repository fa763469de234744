//! Redirections and transfers: who may, and who pays.

use tollgate_billing::cdr::{CallKind, Cause};
use tollgate_call::Event;
use tollgate_sip::wire::Name;
use tollgate_types::{CallId, Rule};

use super::plain::talking;
use crate::house::*;

fn stage() -> (House, Ua, Ua) {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060", "203.0.113.2:5060"]));
    house.ledger = Ledger::Pays { min: 10, slice: 60, total: 600 };
    (house, Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"))
}

#[test]
fn a_phone_sends_the_call_on_and_its_owner_pays() {
    let (mut house, mut alice, mut bob) = stage();
    house.ways.push_back(Way::Trunks(vec![("carrier", vec!["203.0.113.5:5060"])]));
    let key = house.invite(&mut alice);
    let clients: Vec<_> = house.sent.iter().map(|(client, ..)| *client).collect();
    house.respond(clients[1], &mut bob, 180, "", None);
    house.respond(clients[0], &mut bob, 302, "Contact: <sip:4420123456@example.com>\r\n", None);
    assert_eq!(house.cancelled, [clients[1]], "the other device stops ringing");
    let ask = house.plans.last().unwrap();
    assert_eq!((ask.kind, ask.payer.name(), &*ask.dialled), (CallKind::Redirect, "bob", "sip:4420123456@example.com"));
    let mut carrier = Ua::new("carrier", "203.0.113.5:5060");
    let (client, _, _) = house.last_sent("INVITE");
    let body = carrier.sdp.clone();
    house.respond(client, &mut carrier, 200, "", body.as_deref());
    assert_eq!(*house.statuses(key).last().unwrap(), 200);
    house.pass(secs(30));
    let answer = house.answer_to(key).clone();
    alice.learn(&answer);
    let ack = alice.ack(None);
    house.tell(Event::Ack { message: ack, flow: alice.flow() });
    let bye = alice.request("BYE", "", None);
    house.request(&alice, bye);
    house.pass(secs(60));
    house.assert_over();
    assert_eq!(house.records.len(), 2, "one record a paid leg");
    assert!(house.records.iter().all(|cdr| cdr.talk_ms == 30_000));
    let redirect = house.records.iter().find(|cdr| cdr.kind == CallKind::Redirect).unwrap();
    assert_eq!((redirect.user.as_deref(), redirect.parent_id), (Some("bob"), Some(CALL)));
}

#[test]
fn redirections_that_may_not_be_end_in_480() {
    let (mut house, mut alice, mut bob) = stage();
    house.ways.push_back(Way::Refuse(Rule::Credit));
    let key = house.invite(&mut alice);
    let (client, _, _) = house.sent[0].clone();
    let other = house.sent[1].0;
    house.respond(client, &mut bob, 302, "Contact: <sip:4420123456@example.com>\r\n", None);
    assert_eq!(house.statuses(key), [480], "whose credit is short is no business of the caller's");
    house.respond(other, &mut bob, 487, "", None);
    house.assert_over();
    assert!(house.records.iter().any(|cdr| cdr.cause == Cause::Rule(Rule::Credit) && cdr.kind == CallKind::Redirect));

    // Never-ending circles end.
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    for _ in 0..20 {
        house.ways.push_back(Way::User("bob", vec!["203.0.113.1:5060"]));
    }
    let mut alice = Ua::new("alice", "198.51.100.1:5060");
    let key = house.invite(&mut alice);
    for _ in 0..20 {
        let (client, _, _) = house.last_sent("INVITE");
        house.respond(client, &mut bob, 302, "Contact: <sip:bob@example.com>\r\n", None);
    }
    assert_eq!(house.statuses(key), [482]);
    assert_eq!(house.count_sent("INVITE"), 6);
}

#[test]
fn a_blind_transfer_dials_joins_and_releases() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    house.ways.push_back(Way::Trunks(vec![("carrier", vec!["203.0.113.5:5060"])]));
    let refer = alice.request("REFER", "Refer-To: <sip:4420123456@example.com>\r\n", None);
    let key = house.request(&alice, refer);
    assert_eq!(house.statuses(key), [202]);
    let (_, _, notify) = house.last_sent("NOTIFY");
    assert_eq!(&notify.body()[..], b"SIP/2.0 100 Trying\r\n");
    assert!(notify.header(Name::SubscriptionState).unwrap().starts_with("active"));
    let ask = house.plans.last().unwrap();
    assert_eq!((ask.kind, ask.payer.name()), (CallKind::Transfer, "alice"));
    let mut carrier = Ua::new("carrier", "203.0.113.5:5060");
    let (client, to, invite) = house.last_sent("INVITE");
    assert_eq!(to.peer.to_string(), "203.0.113.5:5060");
    assert!(String::from_utf8_lossy(invite.body()).contains("a=sendrecv"));
    house.respond(client, &mut carrier, 180, "", None);
    assert_eq!(&house.last_sent("NOTIFY").2.body()[..], b"SIP/2.0 180 Ringing\r\n");
    let body = sdp("203.0.113.5", 45_000);
    house.respond(client, &mut carrier, 200, "", Some(&body));
    let (_, _, notify) = house.last_sent("NOTIFY");
    assert_eq!(&notify.body()[..], b"SIP/2.0 200 OK\r\n");
    assert!(notify.header(Name::SubscriptionState).unwrap().starts_with("terminated"));
    let (_, to, _) = house.last_sent("BYE");
    assert_eq!(to.peer, alice.flow().peer, "who transferred is released");
    let (client, to, _) = house.last_sent("INVITE");
    assert_eq!(to.peer, bob.flow().peer, "who stays hears of the new media");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!(house.media.last().unwrap(), "203.0.113.5:45000<->203.0.113.1:40000");
    house.pass(secs(20));
    let bye = bob.request("BYE", "", None);
    house.request(&bob, bye);
    house.pass(secs(60));
    house.assert_over();
    assert_eq!(house.records.len(), 2);
    let transfer = house.records.iter().find(|cdr| cdr.kind == CallKind::Transfer).unwrap();
    assert_eq!(
        (transfer.talk_ms, transfer.user.as_deref(), transfer.trunk_out.as_deref()),
        (20_000, Some("alice"), Some("carrier"))
    );
}

#[test]
fn a_transfer_that_fails_leaves_the_call_alone_or_ends_it_when_its_maker_has_left() {
    for left in [false, true] {
        let (mut house, mut alice, mut bob) = stage();
        talking(&mut house, &mut alice, &mut bob);
        house.ways.push_back(Way::User("carol", vec!["203.0.113.5:5060"]));
        let refer = alice.request("REFER", "Refer-To: <sip:carol@example.com>\r\n", None);
        house.request(&alice, refer);
        let mut carol = Ua::new("carol", "203.0.113.5:5060");
        let (client, _, _) = house.last_sent("INVITE");
        if left {
            let bye = alice.request("BYE", "", None);
            let key = house.request(&alice, bye);
            assert_eq!(house.statuses(key), [200]);
            assert_eq!(house.count_sent("BYE"), 0, "bob waits for carol");
        }
        house.respond(client, &mut carol, 486, "", None);
        assert_eq!(house.count_sent("BYE"), usize::from(left));
        if !left {
            assert_eq!(&house.last_sent("NOTIFY").2.body()[..], b"SIP/2.0 486 Busy Here\r\n");
        }
    }
}

#[test]
fn a_trunk_may_not_transfer() {
    let mut house = House::new(Way::Trunks(vec![("carrier", vec!["203.0.113.1:5060"])]));
    let (mut alice, mut carrier) = (Ua::new("alice", "198.51.100.1:5060"), Ua::new("carrier", "203.0.113.1:5060"));
    talking(&mut house, &mut alice, &mut carrier);
    let refer = carrier.request("REFER", "Refer-To: <sip:premium@example.com>\r\n", None);
    let key = house.request(&carrier, refer);
    assert_eq!(house.statuses(key), [403]);
    assert_eq!(house.plans.len(), 1);
}

#[test]
fn an_attended_transfer_joins_two_calls() {
    // Alice talks to Bob in one call, and to Carol in another.
    let (mut first, mut alice, mut bob) = stage();
    talking(&mut first, &mut alice, &mut bob);
    let id = CallId::from_i64(99);
    let mut second = House::numbered(id, Way::User("carol", vec!["203.0.113.5:5060"]), policy(), user("alice", 1));
    second.ledger = Ledger::Pays { min: 10, slice: 60, total: 600 };
    let mut again = Ua::new("alice", "198.51.100.1:5060");
    again.call_id = "call-again".into();
    let mut carol = Ua::new("carol", "203.0.113.5:5060");
    talking(&mut second, &mut again, &mut carol);
    let replaces = format!("{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", again.call_id, again.their_tag, again.own_tag);
    let refer = alice.request("REFER", &format!("Refer-To: <sip:carol@example.com?Replaces={replaces}>\r\n"), None);
    let key = first.request(&alice, refer);
    assert_eq!(first.statuses(key), [202]);
    let (query, dialog) = first.finds.pop().expect("the other call is looked for");
    second.tell(Event::Surrender { to: CALL, query, dialog });
    let (to, query, handover) = second.handed.pop().expect("given");
    assert_eq!(to, CALL);
    let handover = handover.expect("a leg");
    assert_eq!(handover.call_id(), carol.call_id);
    second.pass(secs(60));
    second.assert_over();
    assert!(second.records.is_empty(), "its money moved");
    let (_, peer, _) = second.last_sent("BYE");
    assert_eq!(peer.peer, again.flow().peer);
    assert_eq!(second.count_sent("BYE"), 1, "carol keeps talking");

    first.tell(Event::Found { query, handover: Some(handover) });
    assert!(first.listened.contains(&carol.call_id));
    assert_eq!(&first.last_sent("NOTIFY").2.body()[..], b"SIP/2.0 200 OK\r\n");
    let (client, to, invite) = first.last_sent("INVITE");
    assert_eq!((to.peer, invite.call_id()), (carol.flow().peer, carol.call_id.as_str()));
    let body = carol.sdp.clone();
    first.respond(client, &mut carol, 200, "", body.as_deref());
    let (client, to, _) = first.last_sent("INVITE");
    assert_eq!(to.peer, bob.flow().peer);
    let body = bob.sdp.clone();
    first.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!(first.media.last().unwrap(), "203.0.113.5:40000<->203.0.113.1:40000");
    let bye = carol.request("BYE", "", None);
    let key = first.request(&carol, bye);
    assert_eq!(first.statuses(key), [200]);
    first.pass(secs(60));
    assert_eq!(first.done, 1);
    let mut legs: Vec<_> = first.records.iter().map(|cdr| (cdr.call_id, cdr.paid_leg)).collect();
    legs.sort_unstable();
    assert_eq!(legs, [(id, 0), (CALL, 0)]);
}

#[test]
fn an_attended_transfer_to_nothing_tries_the_number() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    house.ways.push_back(Way::Refuse(Rule::UserUnknown));
    let refer =
        alice.request("REFER", "Refer-To: <sip:x@example.com?Replaces=nocall%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n", None);
    house.request(&alice, refer);
    let (query, _) = house.finds.pop().unwrap();
    house.tell(Event::Found { query, handover: None });
    assert!(house.last_sent("NOTIFY").2.header(Name::SubscriptionState).unwrap().starts_with("terminated"));
    assert_eq!(house.count_sent("BYE"), 0);
}

#[test]
fn a_leg_that_comes_too_late_is_hung_up_and_paid_for() {
    let (mut first, mut alice, mut bob) = stage();
    talking(&mut first, &mut alice, &mut bob);
    let id = CallId::from_i64(99);
    let mut second = House::numbered(id, Way::User("carol", vec!["203.0.113.5:5060"]), policy(), user("alice", 1));
    second.ledger = Ledger::Pays { min: 10, slice: 60, total: 600 };
    let mut again = Ua::new("alice", "198.51.100.1:5060");
    again.call_id = "call-again".into();
    let mut carol = Ua::new("carol", "203.0.113.5:5060");
    talking(&mut second, &mut again, &mut carol);
    let replaces = format!("{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", again.call_id, again.their_tag, again.own_tag);
    let refer = alice.request("REFER", &format!("Refer-To: <sip:carol@example.com?Replaces={replaces}>\r\n"), None);
    first.request(&alice, refer);
    let (query, dialog) = first.finds.pop().unwrap();
    second.tell(Event::Surrender { to: CALL, query, dialog });
    let (_, query, handover) = second.handed.pop().unwrap();
    first.pass(secs(5));
    assert_eq!(&first.last_sent("NOTIFY").2.body()[..], b"SIP/2.0 481 Call/Transaction Does Not Exist\r\n");
    first.tell(Event::Found { query, handover });
    assert_eq!(first.last_sent("BYE").1.peer, carol.flow().peer);
    assert_eq!(first.count_sent("BYE"), 1, "alice and bob talk on");
    assert_eq!(first.records.iter().map(|cdr| (cdr.call_id, cdr.paid_leg)).collect::<Vec<_>>(), [(id, 0)]);
}
