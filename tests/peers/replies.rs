//! RFC 3261 §8.2 over the wire: what a request that is not served is answered, and the header that says how to do better.

use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server};
use crate::world::add_user;

/// Method, Request-URI, headers, body, status, and what the answer must carry.
type Row = (&'static str, &'static str, &'static [&'static str], &'static str, u16, (&'static str, &'static str));

const BOB: &str = "sip:bob@tollgate.test";
const US: &str = "sip:tollgate.test";
const NOTHING: (&str, &str) = ("", "");

/// From a phone whose user is known, outside any dialog.
const OUTSIDE: &[Row] = &[
    // §8.2.1: the method.
    ("OPTIONS", US, &[], "", 200, ("Allow", "INVITE")),
    ("OPTIONS", US, &[], "", 200, ("Accept", "application/sdp")),
    ("OPTIONS", US, &[], "", 200, ("Supported", "100rel")),
    ("FETCH", BOB, &[], "", 501, ("Allow", "INVITE")),
    ("SUBSCRIBE", BOB, &["Event: presence"], "", 489, ("Allow-Events", "refer")),
    ("SUBSCRIBE", BOB, &["Event: message-summary"], "", 489, ("Allow-Events", "refer")),
    ("PUBLISH", BOB, &["Event: presence"], "", 489, ("Allow-Events", "refer")),
    ("REFER", BOB, &["Refer-To: <sip:carol@tollgate.test>"], "", 403, NOTHING),
    ("NOTIFY", BOB, &["Event: refer"], "", 481, NOTHING),
    ("BYE", BOB, &[], "", 481, NOTHING),
    ("INFO", BOB, &[], "", 481, NOTHING),
    ("UPDATE", BOB, &[], "", 481, NOTHING),
    ("PRACK", BOB, &["RAck: 1 1 INVITE"], "", 481, NOTHING),
    ("CANCEL", BOB, &[], "", 481, NOTHING),
    // §8.2.2.1: To and Request-URI.
    ("OPTIONS", "nosuch:thing", &[], "", 416, NOTHING),
    ("INVITE", "nosuch:thing", &[], "", 416, NOTHING),
    ("INVITE", "sip:bob@elsewhere.example", &[], "", 404, NOTHING),
    ("INVITE", "sip:nobody@tollgate.test", &[], "", 404, NOTHING),
    // §8.2.2.3: what it requires.
    ("OPTIONS", US, &["Require: nosuch"], "", 420, ("Unsupported", "nosuch")),
    ("INVITE", BOB, &["Require: 100rel, nosuch, other"], "", 420, ("Unsupported", "nosuch, other")),
    ("MESSAGE", BOB, &["Require: nosuch"], "", 420, ("Unsupported", "nosuch")),
    ("REGISTER", US, &["Require: nosuch"], "", 420, ("Unsupported", "nosuch")),
    // §8.2.3: what it carries.
    ("INVITE", BOB, &["Content-Type: text/plain"], "hello", 415, ("Accept", "application/sdp")),
    (
        "INVITE",
        BOB,
        &["Content-Type: application/sdp", "Content-Encoding: gzip"],
        "v=0",
        415,
        ("Accept-Encoding", "identity"),
    ),
    ("INVITE", BOB, &["Content-Type: application/sdp"], SRTP_ALONE, 488, NOTHING),
    (
        "MESSAGE",
        BOB,
        &["Content-Type: text/plain", "Content-Encoding: gzip"],
        "x",
        415,
        ("Accept-Encoding", "identity"),
    ),
    // §16.3 item 3, which a B2BUA keeps to as well.
    ("INVITE", BOB, &["Max-Forwards: 0"], "", 483, NOTHING),
    // §10.3 items 6 and 7.
    ("REGISTER", US, &["Contact: *", "Expires: 60"], "", 400, NOTHING),
    ("REGISTER", US, &["Expires: 5"], "", 423, ("Min-Expires", "60")),
];

const SRTP_ALONE: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 16000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";

/// From a party of a call, inside its dialog.
const INSIDE: &[Row] = &[
    ("FETCH", "", &[], "", 501, ("Allow", "INVITE")),
    ("SUBSCRIBE", "", &["Event: presence"], "", 489, ("Allow-Events", "refer")),
    ("PUBLISH", "", &["Event: presence"], "", 489, ("Allow-Events", "refer")),
    ("NOTIFY", "", &["Event: refer"], "", 481, NOTHING),
    ("OPTIONS", "", &["Require: nosuch"], "", 420, ("Unsupported", "nosuch")),
    ("UPDATE", "", &["Content-Type: text/plain"], "hello", 415, ("Accept", "application/sdp")),
    ("INVITE", "", &["Content-Type: application/sdp"], SRTP_ALONE, 488, NOTHING),
    ("PRACK", "", &["RAck: 1 1 INVITE"], "", 481, NOTHING),
    ("OPTIONS", "", &[], "", 200, ("Allow", "INVITE")),
];

#[test]
fn what_is_not_served_is_answered_as_the_rfc_says() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    // Who has not proved that it receives what is sent there gets no more than it sent: no optional headers.
    alice.register();
    bob.register();
    let mut wrong = Vec::new();
    for &(method, uri, headers, body, status, (name, value)) in OUTSIDE {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        let to = if method == "REGISTER" { format!("sip:alice@{DOMAIN}") } else { BOB.to_owned() };
        let answer = alice.request(method, uri, &to, &headers, body);
        if answer.status() != status || !answer.all(name).any(|line| line.contains(value)) && !name.is_empty() {
            wrong.push(format!(
                "{method} {uri} {headers:?}: {} {:?}, not {status} {name}: {value}",
                answer.start,
                answer.all(name).collect::<Vec<_>>()
            ));
        }
    }
    bob.expect_none("a request that was to be refused", Duration::from_millis(300), |m| m.status() == 0);
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    bob.pick_up();
    let (mut dialog, _) = alice.await_answer(&invite);
    for &(method, _, headers, body, status, (name, value)) in INSIDE {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        let answer = alice.within(&mut dialog, method, &headers, body);
        if answer.status() != status || !answer.all(name).any(|line| line.contains(value)) && !name.is_empty() {
            wrong.push(format!(
                "inside: {method} {headers:?}: {} {:?}, not {status} {name}: {value}",
                answer.start,
                answer.all(name).collect::<Vec<_>>()
            ));
        }
    }
    alice.hang_up(&mut dialog);
    bob.await_bye();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
