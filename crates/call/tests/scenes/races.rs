//! What crosses on the wire.

use tollgate_billing::cdr::Cause;
use tollgate_call::Event;
use tollgate_sip::wire::Message;

use super::plain::talking;
use crate::house::*;

fn stage() -> (House, Ua, Ua) {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    house.ledger = Ledger::Pays { min: 10, slice: 60, total: 600 };
    (house, Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"))
}

fn cancel(ua: &mut Ua) -> Message {
    ua.request("CANCEL", "", None)
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, &mut bob, 180, "", None);
    let message = cancel(&mut alice);
    house.tell(Event::Cancelled { key, message });
    assert_eq!(house.statuses(key), [180, 487]);
    assert_eq!(house.cancelled, [client]);
    house.respond(client, &mut bob, 487, "", None);
    house.assert_over();
    assert_eq!((house.record().cause, house.record().talk_ms), (Cause::Cancelled, 0));
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up_and_costs_nothing() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, &mut bob, 180, "", None);
    let message = cancel(&mut alice);
    house.tell(Event::Cancelled { key, message });
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!(house.acks.len(), 1);
    let (bye, _, _) = house.last_sent("BYE");
    // Our ACK was lost: the 200 comes again and is acknowledged again, not hung up again.
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!((house.acks.len(), house.count_sent("BYE")), (2, 1));
    house.respond(bye, &mut bob, 200, "", None);
    house.assert_over();
    assert_eq!((house.record().cause, house.record().talk_ms, house.record().answered_at), (Cause::Cancelled, 0, None));
}

#[test]
fn a_cancel_that_crosses_the_answer_changes_nothing() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    let message = cancel(&mut alice);
    house.tell(Event::Cancelled { key, message });
    assert_eq!(house.statuses(key), [200]);
    assert_eq!(house.records.len(), 0);
    // He acknowledges and hangs up, as RFC 3261 §9.1 says.
    let answer = house.answer_to(key).clone();
    alice.learn(&answer);
    let ack = alice.ack(None);
    house.tell(Event::Ack { message: ack, flow: alice.flow() });
    let bye = alice.request("BYE", "", None);
    house.request(&alice, bye);
    assert_eq!(house.records.len(), 1);
}

#[test]
fn a_cancel_before_anything_is_decided() {
    let (mut house, mut alice, _) = stage();
    house.prompt = false;
    let key = house.invite(&mut alice);
    let message = cancel(&mut alice);
    house.tell(Event::Cancelled { key, message });
    assert_eq!(house.statuses(key), [487]);
    house.prompt = true;
    house.deliver();
    assert!(house.sent.is_empty());
    house.assert_over();
}

#[test]
fn a_hold_granted_after_the_cancel_is_given_back() {
    let (mut house, mut alice, _) = stage();
    house.prompt = false;
    let key = house.invite(&mut alice);
    let planned = house.inbox.pop_front().unwrap();
    house.tell(planned);
    let message = cancel(&mut alice);
    house.tell(Event::Cancelled { key, message });
    house.prompt = true;
    house.deliver();
    house.assert_over();
    assert!(house.asks.iter().any(|ask| matches!(ask.what, tollgate_billing::ledger::What::Settle(_))));
}

#[test]
fn both_hang_up_at_once() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let bye = alice.request("BYE", "", None);
    let first = house.request(&alice, bye);
    let bye = bob.request("BYE", "", None);
    let second = house.request(&bob, bye);
    assert_eq!((house.statuses(first), house.statuses(second)), (vec![200], vec![200]));
    let (client, _, _) = house.last_sent("BYE");
    house.respond(client, &mut bob, 481, "", None);
    house.assert_over();
}

#[test]
fn a_fork_that_answers_twice_is_one_call() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    let mut twin = bob.clone();
    twin.own_tag = "tag-twin".into();
    twin.address = "203.0.113.7:5060".into();
    house.respond(client, &mut twin, 200, "", body.as_deref());
    assert_eq!(house.acks.len(), 2);
    let (_, to, bye) = house.last_sent("BYE");
    assert_eq!((to.peer, bye.to().tag()), (twin.flow().peer, Some("tag-twin")));
    assert_eq!(house.statuses(key), [200]);
    // The first one again: acknowledged again.
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!((house.acks.len(), house.count_sent("BYE")), (3, 1));
    assert_eq!(house.acks[2].1.to().tag(), Some("tag-bob"));
}

#[test]
fn an_answer_without_ack_is_hung_up() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    house.pass(secs(32));
    house.tell(Event::AckMissing { key });
    assert_eq!(house.count_sent("BYE"), 2);
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::Unreachable));
}

#[test]
fn a_bye_before_our_answer_is_acknowledged_waits_for_the_ack() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    let bye = bob.request("BYE", "", None);
    house.request(&bob, bye);
    assert_eq!(house.count_sent("BYE"), 0, "RFC 3261 §15: not before its ACK");
    let answer = house.answer_to(key).clone();
    alice.learn(&answer);
    let ack = alice.ack(None);
    house.tell(Event::Ack { message: ack, flow: alice.flow() });
    let (client, to, _) = house.last_sent("BYE");
    assert_eq!(to.peer, alice.flow().peer);
    house.respond(client, &mut alice, 200, "", None);
    house.assert_over();
}

#[test]
fn an_operator_ends_ringing_and_talking_calls() {
    let (mut house, mut alice, mut bob) = stage();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, &mut bob, 180, "", None);
    house.tell(Event::HangUp { cause: Cause::Disabled });
    assert_eq!(house.statuses(key), [180, 480]);
    house.respond(client, &mut bob, 487, "", None);
    house.assert_over();

    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    house.tell(Event::HangUp { cause: Cause::AdminHangup });
    assert_eq!(house.count_sent("BYE"), 2);
    house.pass(secs(60));
    house.assert_over();
    assert_eq!(house.record().cause, Cause::AdminHangup);
}

#[test]
fn a_reinvite_that_the_other_side_hangs_up_on_is_answered() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let request = alice.request("INVITE", "", Some(&sdp("198.51.100.1", 41_000)));
    let key = house.request(&alice, request);
    let (reinvite, _, _) = house.last_sent("INVITE");
    let bye = bob.request("BYE", "", None);
    house.request(&bob, bye);
    assert_eq!(house.statuses(key), [487]);
    let (client, _, _) = house.last_sent("BYE");
    house.respond(client, &mut alice, 200, "", None);
    house.respond(reinvite, &mut bob, 481, "", None);
    house.assert_over();
}

#[test]
fn what_a_hold_row_keeps_ends_both_dialogs() {
    let (mut house, mut alice, mut bob) = stage();
    talking(&mut house, &mut alice, &mut bob);
    let dialogs = house
        .asks
        .iter()
        .find_map(|ask| match &ask.what {
            tollgate_billing::ledger::What::Answered(answered) => Some(answered.dialogs.clone()),
            _ => None,
        })
        .expect("the answer is marked");
    let byes = tollgate_call::recover::byes(&dialogs);
    let to: Vec<String> = byes.iter().map(|(flow, _)| flow.peer.to_string()).collect();
    assert_eq!(to, ["198.51.100.1:5060", "203.0.113.1:5060"]);
    assert!(byes.iter().all(|(_, bytes)| bytes.starts_with(b"BYE sip:")));
    assert_eq!(tollgate_call::recover::call_ids(&dialogs)[0].as_ref(), alice.call_id);
    assert!(tollgate_call::recover::byes(b"\xff nonsense").is_empty());
}
