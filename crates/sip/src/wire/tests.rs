//! Messages in, values out; values in, messages out.

use bytes::Bytes;
use tollgate_types::{ConnId, Flow, Transport};

use super::*;

pub(crate) const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bKx\r\n\
    Max-Forwards: 70\r\n\
    To: Bob <sip:bob@biloxi.example.com>\r\n\
    From: \"A. \\\"Ali\\\" <ce>\" <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
    i: a84b4c76e66710@pc33.atlanta.example.com\r\n\
    CSeq: 314159 INVITE\r\n\
    m: <sip:alice@pc33.atlanta.example.com;transport=tcp>;q=0.7;expires=60;+sip.instance=\"<urn:uuid:1>\", sip:b@c;x\r\n\
    k: timer, 100rel\r\n\
    Supported: path\r\n\
    X-Odd: one, two\r\n\
    Content-Type: application/sdp;charset=utf-8\r\n\
    Content-Length: 4\r\n\r\nv=0\ntrailing garbage";

pub(crate) fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "198.51.100.1:5060".parse().expect("address"),
        peer: "192.0.2.7:40000".parse().expect("address"),
        conn: ConnId(0),
    }
}

pub(crate) fn parsed(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).expect("parses")
}

#[test]
fn an_invite_reads_as_it_says() {
    let message = parsed(INVITE);
    assert_eq!(message.method(), Some(&Method::Invite));
    assert_eq!(message.request_uri(), "sip:bob@biloxi.example.com");
    let via = message.via();
    assert_eq!((via.transport, via.host, via.port), ("UDP", "pc33.atlanta.example.com", None));
    assert_eq!((via.branch(), via.rport()), (Some("z9hG4bK776asdhds"), Some(None)));
    let below = message.vias().nth(1).expect("second Via");
    assert_eq!((below.host, below.port, below.host_ip()), ("[2001:db8::9]", Some(5061), "2001:db8::9".parse().ok()));
    assert_eq!(message.from().display().as_deref(), Some("A. \"Ali\" <ce>"));
    assert_eq!(message.from().tag(), Some("1928301774"));
    assert_eq!(message.to().tag(), None);
    assert_eq!(message.call_id(), "a84b4c76e66710@pc33.atlanta.example.com");
    assert_eq!(message.cseq().to_string(), "314159 INVITE");
    assert_eq!(message.max_forwards(), Some(70));
    let crate::header::Contacts::List(contacts) = message.contacts().expect("readable") else { panic!("a list") };
    assert_eq!(contacts[0].uri_raw, "sip:alice@pc33.atlanta.example.com;transport=tcp");
    assert_eq!((contacts[0].q(), contacts[0].expires()), (Some(700), Some(60)));
    assert_eq!(contacts[0].instance().as_deref(), Some("urn:uuid:1"));
    assert_eq!((contacts[1].uri_raw, contacts[1].params.has("x")), ("sip:b@c", true));
    assert_eq!(message.headers(Name::Supported).collect::<Vec<_>>(), ["timer", "100rel", "path"]);
    assert!(message.lists(Name::Supported, "100REL"));
    assert_eq!(message.header(Name::Other("x-odd")), Some("one, two"));
    assert_eq!(message.content_type(), Some("application/sdp"));
    assert_eq!(message.body(), "v=0\n");
    assert!(message.as_bytes().ends_with(b"v=0\n"));
}

#[test]
fn a_response_copies_and_fills_in_the_top_via() {
    let message = parsed(INVITE);
    let bytes = ResponseBuilder::to(&message, &flow(), 180, None)
        .tag("a b\r\nX: y")
        .header(Name::Contact, "<sip:x@y>\r\nInjected: yes")
        .header(Name::Other("Bad Name\r\nInjected"), "yes")
        .build();
    let text = std::str::from_utf8(&bytes).expect("text");
    assert_eq!(
        text,
        "SIP/2.0 180 Ringing\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds;received=192.0.2.7;rport=40000\r\n\
         Via: SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bKx\r\n\
         From: \"A. \\\"Ali\\\" <ce>\" <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         To: Bob <sip:bob@biloxi.example.com>;tag=abX:y\r\n\
         Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
         CSeq: 314159 INVITE\r\n\
         Contact: <sip:x@y>Injected: yes\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let again = Message::parse(bytes).expect("ours parses");
    assert_eq!(again.status(), Some(180));
    assert_eq!(again.via().received(), "192.0.2.7".parse().ok());
    assert_eq!(again.via().rport(), Some(Some(40000)));
}

#[test]
fn a_refusal_carries_a_reason_or_stays_silent() {
    let head = "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n";
    //      start line                     more headers                                    status  reason
    for (start, more, verdict) in [
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 1 OPTIONS\r\n\r\n", None),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 4294967295 OPTIONS\r\n\r\n", None),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 4294967296 OPTIONS\r\n\r\n", Some((400, "Malformed CSeq Header"))),
        ("OPTIONS sip:a@b SIP/2.0", "\r\n", Some((400, "Missing CSeq Header"))),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 1 INVITE\r\n\r\n", Some((400, "CSeq Method Does Not Match"))),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 1 OPTIONS\r\n", Some((400, "Missing Empty Line After Headers"))),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 1 OPTIONS\r\nTo: <sip:e@f>\r\n\r\n", Some((400, "Multiple To Headers"))),
        (
            "OPTIONS sip:a@b SIP/2.0",
            "CSeq: 1 OPTIONS\r\nl: 5\r\n\r\nfour",
            Some((400, "Body Shorter Than Content-Length")),
        ),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 1 OPTIONS\r\nl: -5\r\n\r\nfour", Some((400, "Invalid Content-Length"))),
        (
            "OPTIONS sip:a@b SIP/2.0",
            "CSeq: 1 OPTIONS\r\nl: 1\r\nContent-Length : 0\r\n\r\nf",
            Some((400, "Multiple Content-Length Headers")),
        ),
        (
            "OPTIONS sip:a@b SIP/2.0",
            "CSeq: 1 OPTIONS\r\nX: a\rY: b\r\n\r\n",
            Some((400, "Control Character in Header")),
        ),
        (
            "OPTIONS sip:a@b SIP/2.0",
            "CSeq: 1 OPTIONS\r\nX: a\nY: b\r\n\r\n",
            Some((400, "Control Character in Header")),
        ),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 1 OPTIONS\r\nX: a\0\r\n\r\n", Some((400, "Control Character in Header"))),
        ("OPTIONS sip:a@b SIP/2.0", "CSeq: 1 OPTIONS\r\nno colon\r\n\r\n", Some((400, "Header Without Colon"))),
        (
            "OPTIONS sip:a@b SIP/2.0",
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 256\r\n\r\n",
            Some((400, "Invalid Max-Forwards")),
        ),
        ("OPTIONS sip:a@b SIP/3.0", "CSeq: 1 OPTIONS\r\n\r\n", Some((505, "Version Not Supported"))),
        ("OPTIONS sip:a@b SIP/2.0 ", "CSeq: 1 OPTIONS\r\n\r\n", Some((400, "Space After SIP Version"))),
        ("OPTIONS  sip:a@b SIP/2.0", "CSeq: 1 OPTIONS\r\n\r\n", Some((400, "Malformed Request Line"))),
        ("OPTIONS sip:a@b;x y SIP/2.0", "CSeq: 1 OPTIONS\r\n\r\n", Some((400, "White Space in Request-URI"))),
        ("OPTIONS <sip:a@b> SIP/2.0", "CSeq: 1 OPTIONS\r\n\r\n", Some((400, "Malformed Request-URI"))),
        ("OPTIONS sip:a@b?Route=x SIP/2.0", "CSeq: 1 OPTIONS\r\n\r\n", Some((400, "Headers in Request-URI"))),
        ("ACK sip:a@b SIP/2.0", "\r\n", Some((0, "Missing CSeq Header"))),
        ("SIP/2.0 200 OK", "\r\n", Some((0, "Missing CSeq Header"))),
        ("GET / HTTP/1.1", "\r\n", Some((0, "no request line"))),
    ] {
        let text = format!("{start}\r\n{head}{more}");
        let result = Message::parse(Bytes::from(text.clone()));
        let got = result.err().map(|bad| (bad.answer.as_ref().map_or(0, |answer| answer.status), bad.reason));
        assert_eq!(got, verdict, "{text}");
    }
}

#[test]
fn the_answer_to_a_bad_request_is_a_response() {
    let text = "OPTIONS sip:a@b SIP/7.0\r\nVia: SIP/7.0/UDP 192.0.2.9:5070;branch=z9hG4bKa\r\nTo: <sip:c@d>\r\n\r\n";
    let malformed = Message::parse(Bytes::from(text)).expect_err("another version");
    let answer = malformed.answer.expect("somebody to tell").build(&flow(), "t");
    assert_eq!(
        std::str::from_utf8(&answer),
        Ok("SIP/2.0 505 Version Not Supported\r\n\
            Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa;received=192.0.2.7\r\n\
            To: <sip:c@d>;tag=t\r\nContent-Length: 0\r\n\r\n")
    );
}

#[test]
fn folds_and_foreign_bytes_read_as_text_and_go_back_as_sent() {
    let mut bytes = b"OPTIONS sip:a@b SIP/2.0\r\nVia : SIP / 2.0\r\n / UDP\th\r\n ;branch= z9hG4bKa\r\n".to_vec();
    bytes.extend_from_slice(
        b"From: \"J\xfcrgen\"\r\n\t<sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1\r\n OPTIONS\r\n\r\n",
    );
    let message = Message::parse(bytes.into()).expect("parses");
    assert_eq!(message.from().display().as_deref(), Some("J?rgen"));
    assert_eq!(message.via().branch(), Some("z9hG4bKa"));
    assert_eq!(message.cseq().number, 1);
    let answer = ResponseBuilder::to(&message, &flow(), 200, None).build();
    assert!(answer.windows(7).any(|window| window == b"J\xfcrgen\""));
    assert!(Message::parse(answer).is_ok());
}

#[test]
fn a_rewrite_changes_only_what_it_is_told() {
    let message = parsed(INVITE);
    let bytes = Rewrite::of(&message)
        .request_uri("sip:carol@c")
        .remove(Name::Other("X-Odd"))
        .set(Name::MaxForwards, "69")
        .body("", Bytes::new())
        .build();
    let again = Message::parse(bytes).expect("parses");
    assert_eq!(again.request_uri(), "sip:carol@c");
    assert_eq!(
        (again.max_forwards(), again.has(Name::Other("X-Odd")), again.has(Name::ContentType)),
        (Some(69), false, false)
    );
    assert_eq!(again.vias().count(), 2);
    let below =
        Message::parse(prepend_header(again.as_bytes(), Name::Via, "SIP/2.0/UDP us;branch=z9hG4bKq")).expect("parses");
    assert_eq!((below.via().host, below.vias().count()), ("us", 3));
}
