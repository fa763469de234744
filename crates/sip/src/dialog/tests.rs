use bytes::Bytes;
use tollgate_types::{ConnId, Transport};

use super::*;

fn message(text: &str) -> Message {
    Message::parse(Bytes::from(text.replace('\n', "\r\n"))).expect("a test's message parses")
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        peer: "198.51.100.7:5062".parse().unwrap(),
        conn: ConnId(0),
    }
}

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK1
Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>
From: \"A. <Lice>\" <sip:alice@example.com;x=y>;tag=a1;other=1
To: <sip:bob@example.com>
Call-ID: c1
CSeq: 7 INVITE
Contact: <sip:alice@198.51.100.7:5062>
Content-Length: 0

";

#[test]
fn the_called_end_answers_along_the_recorded_route() {
    let mut dialog = Dialog::accept(&message(INVITE), "b1", "<sip:us@192.0.2.1>", flow());
    assert_eq!((&*dialog.remote_tag, &*dialog.target), ("a1", "sip:alice@198.51.100.7:5062"));
    let bye = dialog.request(Method::Bye).header(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2").build();
    let bye = Message::parse(bye).unwrap();
    assert_eq!(bye.request_uri(), "sip:alice@198.51.100.7:5062");
    assert_eq!(bye.header(Name::From), Some("<sip:bob@example.com>;tag=b1"));
    assert_eq!(bye.header(Name::To), Some("\"A. <Lice>\" <sip:alice@example.com;x=y>;tag=a1"));
    assert_eq!(bye.headers(Name::Route).collect::<Vec<_>>(), ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]);
    assert_eq!(bye.cseq().number, 1);
}

#[test]
fn the_calling_end_reverses_the_route_and_keeps_its_sequence() {
    let sprout = Sprout {
        call_id: "c2".into(),
        local_tag: "l".into(),
        local: "<sip:alice@example.com>".into(),
        remote: "<sip:bob@example.com>".into(),
        contact: "<sip:us@192.0.2.1>".into(),
        target: "sip:bob@198.51.100.9".into(),
        routes: Box::new([]),
        flow: flow(),
        seq: 40,
    };
    let answer = message(
        "SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1
Record-Route: <sip:near;lr>
Record-Route: <sip:far;lr>
From: <sip:alice@example.com>;tag=l
To: <sip:bob@example.com>;tag=r
Call-ID: c2
CSeq: 40 INVITE
Contact: sip:bob@203.0.113.5
Content-Length: 0

",
    );
    let mut dialog = Dialog::begin(&sprout, &answer, flow());
    assert_eq!(&*dialog.target, "sip:bob@203.0.113.5");
    assert_eq!(dialog.routes.iter().map(|route| &**route).collect::<Vec<_>>(), ["<sip:far;lr>", "<sip:near;lr>"]);
    let via = |builder: RequestBuilder| {
        Message::parse(builder.header(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2").build()).unwrap()
    };
    assert_eq!(via(dialog.ack(40)).cseq().number, 40);
    assert_eq!(via(dialog.request(Method::Bye)).cseq().number, 41);
    assert_eq!(
        Dialog::recall(&dialog.remember()).map(|mut again| via(again.request(Method::Bye)).cseq().number),
        Ok(42)
    );
}

#[test]
fn requests_are_taken_in_order() {
    let mut dialog = Dialog::accept(&message(INVITE), "b1", "<sip:us@192.0.2.1>", flow());
    let bye = |seq: u32| {
        message(&format!(
            "BYE sip:us@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK3
From: <sip:alice@example.com>;tag=a1
To: <sip:bob@example.com>;tag=b1
Call-ID: c1
CSeq: {seq} BYE
Content-Length: 0

"
        ))
    };
    assert!(dialog.fits(&bye(8)));
    for (seq, order) in [(8, Order::Next), (8, Order::Stale), (7, Order::Stale), (20, Order::Next)] {
        assert_eq!(dialog.take(&bye(seq)), order, "{seq}");
    }
}
