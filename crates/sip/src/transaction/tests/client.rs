//! What becomes of what we ask.

use tollgate_types::{ConnId, Flow, Transport};

use super::{Stage, US, answer, flow, ours};
use crate::transaction::Timers;
use crate::wire::{Message, Method, Name};

#[test]
fn an_invite_that_nobody_hears_is_sent_seven_times() {
    let mut stage = Stage::new(Timers::default());
    stage.say(ours(Method::Invite, 1));
    stage.wait(31_999);
    assert_eq!(stage.news(), ["> INVITE"; 7]);
    stage.wait(10);
    assert_eq!(stage.news(), ["timed out 7"]);
    assert!(stage.layer.is_drained());
}

#[test]
fn another_request_is_sent_eleven_times() {
    let mut stage = Stage::new(Timers::default());
    stage.say(ours(Method::Bye, 1));
    stage.wait(31_999);
    assert_eq!(stage.news(), ["> BYE"; 11]);
    stage.wait(10);
    assert_eq!(stage.news(), ["timed out 7"]);
    assert!(stage.layer.is_drained());
}

#[test]
fn a_refused_invite_is_acknowledged_by_the_layer_with_the_responses_to() {
    let mut stage = Stage::new(Timers::default());
    stage.say(ours(Method::Invite, 1));
    let invite = stage.sent();
    stage.news();
    let busy = Message::parse(answer(&invite, &flow(Transport::Udp), 486, "x")).unwrap();
    stage.hear(&busy);
    let ack = stage.sent();
    assert_eq!(stage.news(), ["> ACK", "< 486 for 7"]);
    assert_eq!(ack.via().branch(), invite.via().branch());
    assert_eq!(ack.vias().count(), 1);
    assert_eq!(ack.to().tag(), Some("x"));
    assert_eq!((ack.request_uri(), ack.cseq().number), (invite.request_uri(), 1));
    assert_eq!(ack.routes().count(), 1);
    stage.hear(&busy);
    assert_eq!(stage.news(), ["> ACK"]);
    stage.wait(33_000);
    assert!(stage.layer.is_drained());
    assert_eq!(stage.news(), Vec::<String>::new());
}

#[test]
fn every_2xx_reaches_the_owner_repeated_or_forked() {
    let mut stage = Stage::new(Timers::default());
    stage.say(ours(Method::Invite, 1));
    let invite = stage.sent();
    stage.news();
    let ok = |tag| Message::parse(answer(&invite, &flow(Transport::Udp), 200, tag)).unwrap();
    stage.hear(&ok("x"));
    stage.hear(&ok("x"));
    stage.wait(31_000);
    stage.hear(&ok("y"));
    assert_eq!(stage.news(), ["< 200 for 7"; 3]);
    stage.wait(2000);
    assert!(stage.layer.is_drained());
    stage.hear(&ok("z"));
    stage.hear(&Message::parse(answer(&invite, &flow(Transport::Udp), 486, "z")).unwrap());
    assert_eq!(stage.news(), ["stray 200"]);
}

#[test]
fn a_cancel_waits_for_a_provisional_response_and_carries_its_reason() {
    let mut stage = Stage::new(Timers::default());
    let key = stage.say(ours(Method::Invite, 1));
    let invite = stage.sent();
    stage.news();
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"";
    stage.layer.cancel(key, Some(reason), stage.now, &mut stage.out);
    assert_eq!(stage.news(), Vec::<String>::new());
    stage.hear(&Message::parse(answer(&invite, &flow(Transport::Udp), 180, "x")).unwrap());
    let cancel = stage.sent();
    assert_eq!(stage.news(), ["< 180 for 7", "> CANCEL"]);
    assert_eq!(cancel.header(Name::Reason), Some(reason));
    assert_eq!(cancel.header(Name::Via), invite.header(Name::Via));
    assert_eq!(cancel.to().tag(), None);
    assert_eq!(cancel.routes().count(), 1);
    stage.layer.cancel(key, None, stage.now, &mut stage.out);
    assert_eq!(stage.news(), Vec::<String>::new());
    stage.hear(&Message::parse(answer(&cancel, &flow(Transport::Udp), 200, "x")).unwrap());
    stage.hear(&Message::parse(answer(&invite, &flow(Transport::Udp), 487, "x")).unwrap());
    assert_eq!(stage.news(), ["> ACK", "< 487 for 7"]);
    stage.wait(33_000);
    assert!(stage.layer.is_drained());
}

#[test]
fn a_cancelled_invite_that_is_answered_by_nobody_ends() {
    let mut stage = Stage::new(Timers::default());
    let key = stage.say(ours(Method::Invite, 1));
    let invite = stage.sent();
    stage.hear(&Message::parse(answer(&invite, &flow(Transport::Udp), 100, "x")).unwrap());
    stage.news();
    stage.layer.cancel(key, None, stage.now, &mut stage.out);
    stage.wait(32_100);
    let news = stage.news();
    assert_eq!(news.iter().filter(|word| *word == "> CANCEL").count(), 11);
    assert_eq!(news.last().map(String::as_str), Some("timed out 7"));
    assert!(stage.layer.is_drained());
}

#[test]
fn an_invite_that_rings_for_ever_is_cancelled_by_timer_c() {
    let mut stage = Stage::new(Timers::default());
    stage.say(ours(Method::Invite, 1));
    let invite = stage.sent();
    let ringing = Message::parse(answer(&invite, &flow(Transport::Udp), 180, "x")).unwrap();
    stage.hear(&ringing);
    stage.wait(199_000);
    stage.hear(&ringing);
    stage.news();
    stage.wait(199_000);
    assert_eq!(stage.news(), Vec::<String>::new());
    stage.wait(2000);
    assert_eq!(stage.news()[0], "> CANCEL");
    stage.wait(33_000);
    assert!(stage.layer.is_drained());
}

#[test]
fn a_broken_connection_is_told_to_its_own_transactions_only() {
    let mut stage = Stage::new(Timers::default());
    let tcp = flow(Transport::Tcp);
    let other = Flow { conn: ConnId(2), ..tcp };
    for (owner, flow) in [(1, tcp), (2, other), (3, tcp), (4, Flow { conn: ConnId(0), ..tcp })] {
        stage.layer.request(owner, &ours(Method::Options, 1), flow, US, false, stage.now, &mut stage.out).unwrap();
    }
    stage.news();
    stage.layer.handle_unreachable(&tcp, stage.now, &mut stage.out);
    let mut news = stage.news();
    news.sort();
    assert_eq!(news, ["unreachable 1", "unreachable 3", "unreachable 4"]);
    stage.wait(32_100);
    assert_eq!(stage.news(), ["timed out 2"]);
    assert!(stage.layer.is_drained());
}
