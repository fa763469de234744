//! What becomes of what we are asked.

use bytes::Bytes;
use tollgate_types::{Flow, Transport};

use super::{Stage, US, VIA, answer, flow, ours, request};
use crate::transaction::{Action, Full, Timers};
use crate::wire::{Message, Method};

#[test]
fn a_2xx_is_repeated_until_its_ack_comes() {
    let mut stage = Stage::new(Timers::default());
    let invite = request("INVITE", VIA, "1");
    stage.hear(&invite);
    let key = stage.key();
    stage.layer.claim(key, 42);
    stage.wait(200);
    stage.hear(&invite);
    assert_eq!(stage.news(), ["< INVITE", "> 100", "> 100"]);
    let ok = answer(&invite, &flow(Transport::Udp), 200, "us");
    assert!(stage.layer.respond(key, ok.clone(), 200, stage.now, &mut stage.out));
    stage.wait(8000);
    stage.hear(&invite);
    assert_eq!(stage.news(), ["> 200"; 5]);
    let ack = request("ACK", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother", "1");
    stage.hear(&ack);
    stage.hear(&ack);
    let owner =
        |action: &Action| matches!(action, Action::Ack { server: Some((found, Some(42))), .. } if *found == key);
    assert!(stage.out.iter().all(owner));
    assert_eq!(stage.news(), ["ack true"; 2]);
    stage.wait(23_000);
    assert_eq!(stage.news(), Vec::<String>::new());
    stage.wait(2000);
    assert_eq!(stage.news(), ["gone"]);
    assert!(stage.layer.is_drained());
    stage.hear(&ack);
    assert_eq!(stage.news(), ["ack false"]);
}

#[test]
fn a_2xx_without_ack_is_reported() {
    let mut stage = Stage::new(Timers::default());
    let invite = request("INVITE", VIA, "1");
    stage.hear(&invite);
    let key = stage.key();
    stage.layer.respond(key, answer(&invite, &flow(Transport::Udp), 200, "us"), 200, stage.now, &mut stage.out);
    stage.news();
    stage.wait(33_000);
    let news = stage.news();
    assert_eq!(news[news.len() - 2..], ["ack missing", "gone"]);
    assert!(stage.layer.is_drained());
}

#[test]
fn a_failure_is_repeated_until_its_ack_and_the_ack_is_swallowed() {
    let mut stage = Stage::new(Timers::default());
    let invite = request("INVITE", VIA, "1");
    stage.hear(&invite);
    let key = stage.key();
    stage.layer.respond(key, answer(&invite, &flow(Transport::Udp), 486, "us"), 486, stage.now, &mut stage.out);
    stage.wait(1600);
    assert_eq!(stage.news(), ["< INVITE", "> 486", "> 486", "> 486"]);
    assert!(!stage.layer.respond(
        key,
        answer(&invite, &flow(Transport::Udp), 200, "us"),
        200,
        stage.now,
        &mut stage.out
    ));
    let ack = request("ACK", VIA, "1");
    stage.hear(&ack);
    stage.hear(&ack);
    stage.hear(&invite);
    stage.wait(5100);
    assert_eq!(stage.news(), ["gone"]);
    assert!(stage.layer.is_drained());
}

#[test]
fn a_cancel_is_answered_once_for_all_and_told_once() {
    let mut stage = Stage::new(Timers::default());
    let invite = request("INVITE", VIA, "1");
    stage.hear(&invite);
    let key = stage.key();
    stage.layer.claim(key, 42);
    stage.layer.respond(key, answer(&invite, &flow(Transport::Udp), 180, "us"), 180, stage.now, &mut stage.out);
    stage.news();
    let cancel = request("CANCEL", VIA, "1");
    stage.hear(&cancel);
    let answered = stage.sent();
    assert_eq!(answered.to().tag(), Some("us"));
    stage.hear(&cancel);
    assert_eq!(stage.news(), ["> 200", "cancelled Some(42)", "> 200"]);
    stage.layer.respond(key, answer(&invite, &flow(Transport::Udp), 487, "us"), 487, stage.now, &mut stage.out);
    stage.hear(&request("ACK", VIA, "1"));
    stage.hear(&cancel);
    assert_eq!(stage.news(), ["> 487", "> 200"]);
    stage.wait(33_000);
    assert!(stage.layer.is_drained());
}

#[test]
fn a_cancel_that_comes_too_late_changes_nothing() {
    let mut stage = Stage::new(Timers::default());
    let invite = request("INVITE", VIA, "1");
    stage.hear(&invite);
    let key = stage.key();
    stage.layer.respond(key, answer(&invite, &flow(Transport::Udp), 200, "us"), 200, stage.now, &mut stage.out);
    stage.news();
    stage.hear(&request("CANCEL", VIA, "1"));
    assert_eq!(stage.news(), ["> 200"]);
}

#[test]
fn a_cancel_for_nothing_or_from_elsewhere_gets_481() {
    let mut stage = Stage::new(Timers::default());
    stage.hear(&request("CANCEL", VIA, "1"));
    assert_eq!(stage.news(), ["> 481"]);
    assert!(stage.layer.is_drained());
    stage.hear(&request("INVITE", VIA, "1"));
    let elsewhere = Flow { peer: "203.0.113.5:5060".parse().unwrap(), ..flow(Transport::Udp) };
    stage.hear_by(&request("CANCEL", VIA, "1"), elsewhere);
    assert_eq!(stage.news(), ["< INVITE", "> 481"]);
}

#[test]
fn a_request_by_two_ways_is_merged_while_the_first_is_worked_on() {
    let mut stage = Stage::new(Timers::default());
    let first = request("INVITE", VIA, "1");
    let second = request("INVITE", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKfork;rport", "1");
    stage.hear(&first);
    let key = stage.key();
    stage.hear(&second);
    let refused = stage.sent();
    assert_eq!(stage.news(), ["< INVITE", "> 482"]);
    // The ACK of that is known by its tag.
    let text = format!(
        "ACK sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKfork\r\nFrom: <sip:alice@a.example>;tag=1\r\n\
         To: <sip:bob@b.example>;tag={}\r\nCall-ID: story@a.example\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
        refused.to().tag().unwrap()
    );
    stage.hear(&Message::parse(Bytes::from(text)).unwrap());
    assert_eq!(stage.news(), Vec::<String>::new());
    stage.layer.respond(key, answer(&first, &flow(Transport::Udp), 503, "us"), 503, stage.now, &mut stage.out);
    stage.hear(&request("INVITE", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKagain;rport", "1"));
    assert_eq!(stage.news(), ["> 503", "< INVITE"]);
}

#[test]
fn a_stateless_answer_leaves_nothing_behind() {
    let mut stage = Stage::new(Timers::default());
    let invite = request("INVITE", VIA, "1");
    assert!(!stage.layer.knows(&invite));
    stage.hear(&invite);
    assert!(stage.layer.knows(&invite));
    let key = stage.key();
    let tag = stage.layer.stateless_tag(&invite);
    stage.layer.respond_stateless(key, answer(&invite, &flow(Transport::Udp), 407, &tag), &mut stage.out);
    assert_eq!(stage.news(), ["< INVITE", "> 407"]);
    assert!(stage.layer.is_drained());
    let text = format!(
        "ACK sip:bob@b.example SIP/2.0\r\nVia: {VIA}\r\nFrom: <sip:alice@a.example>;tag=1\r\n\
         To: <sip:bob@b.example>;tag={tag}\r\nCall-ID: story@a.example\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    );
    stage.hear(&Message::parse(Bytes::from(text)).unwrap());
    assert_eq!(stage.news(), Vec::<String>::new());
    assert_eq!(stage.layer.stats().totals.stateless_acks, 1);
    stage.hear(&request("ACK", VIA, "1"));
    assert_eq!(stage.news(), ["ack false"]);
}

#[test]
fn the_tables_are_capped_and_dialogs_have_room_left() {
    let mut stage = Stage::new(Timers { clients_max: 8, servers_max: 8, ..Timers::default() });
    for number in 0..8 {
        stage.hear(&request("OPTIONS", &format!("SIP/2.0/UDP h;branch=z9hG4bK{number}"), &number.to_string()));
        stage.say(ours(Method::Options, number));
    }
    stage.news();
    stage.hear(&request("OPTIONS", "SIP/2.0/UDP h;branch=z9hG4bKnine", "9"));
    assert_eq!(stage.news(), ["overloaded"]);
    let udp = flow(Transport::Udp);
    let full = stage.layer.request(7, &ours(Method::Options, 9), udp, US, false, stage.now, &mut stage.out);
    assert_eq!(full, Err(Full { alive: 8, limit: 8 }));
    assert!(stage.layer.request(7, &ours(Method::Bye, 9), udp, US, true, stage.now, &mut stage.out).is_ok());
    assert!(stage.layer.request(7, &ours(Method::Bye, 10), udp, US, true, stage.now, &mut stage.out).is_err());
    stage.wait(32_100);
    assert!(stage.layer.is_drained());
    assert_eq!(stage.layer.stats().totals.overloaded, 3);
}

#[test]
fn a_request_that_its_owner_never_answers_is_forgotten() {
    let mut stage = Stage::new(Timers::default());
    stage.hear(&request("OPTIONS", VIA, "1"));
    stage.hear(&request("OPTIONS", VIA, "1"));
    assert_eq!(stage.news(), ["< OPTIONS"]);
    stage.wait(32_100);
    assert_eq!(stage.news(), ["gone"]);
    stage.hear(&request("INVITE", VIA, "1"));
    stage.wait(30 * 60 * 1000 + 100);
    assert_eq!(stage.news(), ["< INVITE", "> 100", "gone"]);
    assert!(stage.layer.is_drained());
}

#[test]
fn answers_are_repeated_to_the_door_the_request_last_came_by() {
    let mut stage = Stage::new(Timers::default());
    let options = request("OPTIONS", VIA, "1");
    stage.hear(&options);
    let key = stage.key();
    let rebound = Flow { peer: "192.0.2.1:6000".parse().unwrap(), ..flow(Transport::Udp) };
    stage.layer.respond(key, answer(&options, &flow(Transport::Udp), 200, "us"), 200, stage.now, &mut stage.out);
    stage.news();
    stage.hear_by(&options, rebound);
    assert!(matches!(&stage.out[..], [Action::Send { flow, .. }] if *flow == rebound));
}
