//! Paid time is the call's life: nothing is dialled before the hold, nothing lasts beyond what is paid.

use tollgate_billing::cdr::{Cause, Status};
use tollgate_billing::ledger::What;
use tollgate_call::Event;
use tollgate_types::Rule;

use super::plain::talking;
use crate::house::*;

fn pair() -> (Ua, Ua) {
    (Ua::new("alice", "198.51.100.1:5060"), Ua::new("bob", "203.0.113.1:5060"))
}

fn paid(total: u64) -> House {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    house.ledger = Ledger::Pays { min: 10, slice: 30, total };
    house
}

#[test]
fn the_call_ends_at_the_end_of_its_paid_time_and_bills_exactly_that() {
    let mut house = paid(100);
    let (mut alice, mut bob) = pair();
    talking(&mut house, &mut alice, &mut bob);
    house.pass(secs(99));
    assert_eq!(house.count_sent("BYE"), 0);
    house.pass(secs(2));
    assert_eq!(house.count_sent("BYE"), 2, "both are told");
    let byes: Vec<_> =
        house.sent.iter().filter(|(_, _, m)| m.cseq().method.as_str() == "BYE").map(|(client, ..)| *client).collect();
    house.respond(byes[0], &mut alice, 200, "", None);
    house.respond(byes[1], &mut bob, 200, "", None);
    house.assert_over();
    let cdr = house.record();
    assert_eq!((cdr.talk_ms, cdr.cause, cdr.status), (100_000, Cause::Rule(Rule::Credit), Status::Answered));
    assert_eq!(cdr.refusal.as_ref().map(|refusal| refusal.rule), Some(Rule::Credit));
    assert!(house.media.contains(&format!("until {}", 1_000 + 100_000)), "{:?}", house.media);
}

#[test]
fn money_that_arrives_in_time_goes_on() {
    let mut house = paid(40);
    let (mut alice, mut bob) = pair();
    talking(&mut house, &mut alice, &mut bob);
    house.pass(secs(38));
    house.ledger = Ledger::Pays { min: 10, slice: 30, total: 70 };
    house.tell(Event::Funds);
    house.pass(secs(30));
    assert_eq!(house.count_sent("BYE"), 0);
    house.pass(secs(3));
    assert_eq!(house.count_sent("BYE"), 2);
}

#[test]
fn a_ledger_that_falls_silent_ends_the_call_by_itself() {
    let mut house = paid(600);
    let (mut alice, mut bob) = pair();
    talking(&mut house, &mut alice, &mut bob);
    house.pass(secs(20));
    let granted = house.granted.values().next().copied().unwrap();
    house.ledger = Ledger::Mute;
    house.pass(secs(600));
    assert_eq!(house.done, 1);
    let cdr = house.record();
    assert_eq!((cdr.talk_ms, cdr.cause), (granted, Cause::Rule(Rule::LedgerUnavailable)));
}

#[test]
fn a_ledger_that_comes_back_is_asked_again() {
    let mut house = paid(600);
    let (mut alice, mut bob) = pair();
    talking(&mut house, &mut alice, &mut bob);
    house.ledger = Ledger::Away;
    house.pass(secs(7));
    house.ledger = Ledger::Pays { min: 10, slice: 30, total: 600 };
    house.pass(secs(60));
    assert_eq!((house.done, house.count_sent("BYE")), (0, 0));
}

#[test]
fn without_a_ledger_paid_calls_are_refused_and_free_ones_go_on() {
    let mut house = paid(600);
    house.ledger = Ledger::Away;
    let (mut alice, _) = pair();
    let key = house.invite(&mut alice);
    assert_eq!(house.statuses(key), [503]);
    house.assert_over();
    assert_eq!(house.record().cause, Cause::Rule(Rule::LedgerUnavailable));

    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    house.prompt = false;
    let (mut alice, mut bob) = pair();
    let key = house.invite(&mut alice);
    house.deliver_with(Ledger::Away);
    let (client, _, _) = house.last_sent("INVITE");
    let body = bob.sdp.clone();
    house.respond(client, &mut bob, 200, "", body.as_deref());
    assert_eq!(house.statuses(key), [200]);
}

#[test]
fn a_hold_nobody_answers_is_refused_and_settled() {
    let mut house = paid(600);
    house.ledger = Ledger::Mute;
    let (mut alice, _) = pair();
    let key = house.invite(&mut alice);
    house.pass(secs(5));
    assert_eq!(house.statuses(key), [503]);
    house.assert_over();
    assert!(house.asks.iter().any(|ask| matches!(ask.what, What::Settle(_))), "what may have been held is released");
    assert!(matches!(house.asks.last().unwrap().what, What::Record(_)), "and nothing was");
    assert!(house.sent.is_empty());
}

#[test]
fn an_unanswered_call_talks_for_nothing() {
    let mut house = paid(600);
    let (mut alice, mut bob) = pair();
    let key = house.invite(&mut alice);
    let (client, _, _) = house.last_sent("INVITE");
    house.respond(client, &mut bob, 486, "", None);
    assert_eq!(house.statuses(key), [486]);
    house.assert_over();
    assert_eq!((house.record().talk_ms, house.record().cause, house.record().q850), (0, Cause::Busy, Some(17)));
}

#[test]
fn the_longest_call_ends() {
    let mut house = House::new(Way::User("bob", vec!["203.0.113.1:5060"]));
    let (mut alice, mut bob) = pair();
    alice.headers.push_str("Supported: timer\r\n");
    talking(&mut house, &mut alice, &mut bob);
    for _ in 0..30 {
        // Both sides prove that they live.
        house.pass(secs(800));
        if house.done > 0 || house.count_sent("BYE") > 0 {
            break;
        }
        let update = alice.request("UPDATE", "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", None);
        house.request(&alice, update);
        let open: Vec<_> = house
            .sent
            .iter()
            .filter(|(_, _, m)| m.cseq().method.as_str() == "UPDATE")
            .map(|(client, ..)| *client)
            .collect();
        if let Some(client) = open.last() {
            house.respond(*client, &mut bob, 200, "", None);
        }
    }
    assert_eq!(house.records.first().map(|cdr| cdr.cause), Some(Cause::MaxDuration));
}
