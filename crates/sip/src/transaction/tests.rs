//! Stories of one layer: what goes in, what comes out.

use std::time::Duration;

use bytes::Bytes;
use tollgate_types::{ConnId, Flow, Mono, Seed, Transport};

use super::*;
use crate::wire::{Method, Name, RequestBuilder, ResponseBuilder};

const VIA: &str = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKstory;rport";
const US: SentBy<'static> = SentBy("192.0.2.9:5060");

/// A request from a stranger.
pub(super) fn request(method: &str, via: &str, cseq: &str) -> Message {
    let text = format!(
        "{method} sip:bob@b.example SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@a.example>;tag=1\r\n\
         To: <sip:bob@b.example>\r\nCall-ID: story@a.example\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

/// Between 192.0.2.1:5060, them, and 192.0.2.9:5060, us.
pub(super) fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: "192.0.2.9:5060".parse().unwrap(),
        peer: "192.0.2.1:5060".parse().unwrap(),
        conn: ConnId(u64::from(transport.is_reliable())),
    }
}

/// A request of ours, as an owner makes it.
pub(super) fn ours(method: Method, cseq: u32) -> Bytes {
    RequestBuilder::new(&method, "sip:alice@a.example")
        .header(Name::MaxForwards, "70")
        .header(Name::Route, "<sip:edge.a.example;lr>")
        .header(Name::From, "<sip:bob@b.example>;tag=b")
        .header(Name::To, "<sip:alice@a.example>")
        .header(Name::CallId, "ours@b.example")
        .header(Name::CSeq, format!("{cseq} {}", method.as_str()))
        .build()
}

/// What somebody answers.
pub(super) fn answer(request: &Message, flow: &Flow, status: u16, tag: &str) -> Bytes {
    ResponseBuilder::to(request, flow, status, None).tag(tag).build()
}

/// One layer, its clock, and what came out since last asked.
struct Stage {
    layer: Layer,
    now: Mono,
    out: Vec<Action>,
}

impl Stage {
    fn new(timers: Timers) -> Stage {
        Stage { layer: Layer::new(timers, Seed([1, 2, 3, 4])), now: Mono::START, out: Vec::new() }
    }

    fn hear(&mut self, message: &Message) {
        self.hear_by(message, flow(Transport::Udp));
    }

    fn hear_by(&mut self, message: &Message, flow: Flow) {
        self.layer.handle_message(message.clone(), flow, self.now, &mut self.out);
    }

    fn say(&mut self, bytes: Bytes) -> ClientKey {
        let flow = flow(Transport::Udp);
        self.layer.request(7, &bytes, flow, US, false, self.now, &mut self.out).unwrap()
    }

    fn wait(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.layer.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.layer.handle_timeout(self.now, &mut self.out);
        }
        self.now = end;
    }

    /// What came out, one word each: `> 100` sent, `< INVITE` to the owner.
    fn news(&mut self) -> Vec<String> {
        self.out.drain(..).map(|action| word(&action)).collect()
    }

    fn key(&self) -> ServerKey {
        self.out
            .iter()
            .find_map(|action| if let Action::Request { key, .. } = action { Some(*key) } else { None })
            .expect("a request came")
    }

    fn sent(&self) -> Message {
        let sent = self.out.iter().rev().find_map(|action| match action {
            Action::Send { bytes, .. } => Some(bytes.clone()),
            _ => None,
        });
        Message::parse(sent.expect("something was sent")).unwrap()
    }
}

fn word(action: &Action) -> String {
    match action {
        Action::Send { bytes, .. } => {
            let message = Message::parse(bytes.clone()).unwrap();
            message.status().map_or_else(|| format!("> {}", message.cseq().method), |status| format!("> {status}"))
        }
        Action::Request { message, .. } => format!("< {}", message.cseq().method),
        Action::Cancelled { owner, .. } => format!("cancelled {owner:?}"),
        Action::Ack { server, .. } => format!("ack {}", server.is_some()),
        Action::AckMissing { .. } => "ack missing".into(),
        Action::Response { owner, message, .. } => format!("< {} for {owner}", message.status().unwrap()),
        Action::StrayResponse { message, .. } => format!("stray {}", message.status().unwrap()),
        Action::TimedOut { owner, .. } => format!("timed out {owner}"),
        Action::Unreachable { owner, .. } => format!("unreachable {owner}"),
        Action::ServerGone { .. } => "gone".into(),
        Action::Overloaded { .. } => "overloaded".into(),
    }
}

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
