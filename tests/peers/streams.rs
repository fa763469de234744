//! Connections: what is reached by one goes with it, what comes back stays, and how many there may be and for how long.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, until};
use crate::world::add_user;

/// The sources of the registrations there are.
fn sources(server: &Server) -> Vec<String> {
    let rows = server.rows(&["registration", "list"]);
    rows.iter().map(|row| row["source"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Whether the server has closed the connection, waiting at most `patience`.
fn is_closed(stream: &mut TcpStream, patience: Duration) -> bool {
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    matches!(stream.read(&mut [0; 4096]), Ok(0))
}

#[test]
fn a_registration_goes_with_its_connection() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob", "carol"] {
        add_user(&server, user, &[]);
    }
    let mut bob = Phone::tcp(&server, "bob");
    bob.register();
    let mut carol = Phone::tcp(&server, "carol");
    carol.register();
    assert_eq!(sources(&server).len(), 2);
    drop(bob);
    until("bob's binding is gone", Duration::from_secs(5), || sources(&server).len() == 1);
    assert_eq!(sources(&server), [carol.address().to_string()], "another connection's binding stays");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    assert_eq!(alice.await_refusal(&invite).status(), 480, "nobody is dialled on a dead connection");
}

#[test]
fn a_phone_that_has_come_back_keeps_its_registration_when_the_old_connection_is_found_dead() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "bob", &[]);
    let contact = ["Contact: <sip:bob@192.168.1.2:5060;transport=tcp>".to_owned(), "Expires: 600".to_owned()];
    let mut before = Phone::tcp(&server, "bob");
    assert_eq!(before.register_with(&contact).status(), 200);
    let mut after = Phone::tcp(&server, "bob");
    assert_eq!(after.register_with(&contact).status(), 200);
    assert_eq!(sources(&server), [after.address().to_string()], "one device, reached by its newer connection");
    drop(before);
    // The news of the old connection has arrived when that of a third one, closed later, has.
    let third = Phone::tcp(&server, "bob");
    drop(third);
    crate::server::let_pass(Duration::from_millis(500));
    assert_eq!(sources(&server), [after.address().to_string()]);
    drop(after);
    until("the binding goes with the newer connection", Duration::from_secs(5), || sources(&server).is_empty());
}

#[test]
fn a_call_whose_connection_is_lost_is_hung_up_where_the_phone_said_it_can_be_reached() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::tcp(&server, "bob");
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    bob.contact_at = Some(door.local_addr().expect("bound"));
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let (dialog, _) = bob.pick_up();
    let (mut own, _) = alice.await_answer(&invite);
    drop(bob);
    until("the binding is gone", Duration::from_secs(5), || sources(&server).is_empty());
    alice.hang_up(&mut own);
    door.set_nonblocking(true).expect("set");
    let mut stream = None;
    until("the server connects to bob's Contact", Duration::from_secs(5), || {
        stream = door.accept().ok();
        stream.is_some()
    });
    let (mut stream, _) = stream.expect("connected");
    stream.set_nonblocking(false).expect("set");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut chunk = [0; 4096];
    let length = stream.read(&mut chunk).expect("a BYE");
    let bye = String::from_utf8_lossy(&chunk[..length]).into_owned();
    assert!(bye.starts_with("BYE ") && bye.contains(&dialog.call_id), "{bye}");
    server.await_quiet();
    assert_eq!(server.only_cdr()["status"], "answered");
}

#[test]
fn a_call_whose_connection_is_lost_for_good_ends_cleanly() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::tcp(&server, "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    bob.pick_up();
    let (mut own, _) = alice.await_answer(&invite);
    drop(bob);
    until("the binding is gone", Duration::from_secs(5), || sources(&server).is_empty());
    let hold = alice.sdp_with("RTP/AVP", "a=sendonly\r\n");
    let refused = alice.within(&mut own, "INVITE", &[], &hold);
    assert!(refused.status() >= 400, "nobody is there to agree: {refused:#?}");
    if server.rows(&["call", "list"]).is_empty() {
        alice.await_bye();
    } else {
        alice.hang_up(&mut own);
    }
    server.await_quiet();
    assert_eq!(server.only_cdr()["status"], "answered");
}

#[test]
fn limits_on_connections_and_messages_hold_from_the_moment_they_are_set() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "bob", &[]);
    let mut bob = Phone::tcp(&server, "bob");
    bob.register();

    let set = |name: &str, value: &str| server.ok(&["config", "set", name, value]);
    let mut idle = TcpStream::connect(server.sip()).expect("the server listens");
    set("sip.streams_per_source", "2");
    let mut third = TcpStream::connect(server.sip()).expect("the server listens");
    assert!(is_closed(&mut third, Duration::from_secs(5)), "the third of one address");
    set("sip.streams_per_source", "100");
    let mut third = TcpStream::connect(server.sip()).expect("the server listens");
    assert!(!is_closed(&mut third, Duration::from_millis(300)));

    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let uri = format!("sip:{DOMAIN}");
    let long = ["X-Long: ".to_owned() + &"x".repeat(2_000)];
    assert_eq!(alice.request("OPTIONS", &uri, &uri, &long, "").status(), 200);
    set("sip.message_max", "1500");
    let headers = alice.plain_request("OPTIONS", &uri, &long);
    alice.send(&format!("OPTIONS {uri} SIP/2.0"), &headers, "");
    alice.expect_none("an answer to a long datagram", Duration::from_millis(500), |m| m.status() >= 200);
    let many: Vec<String> = (0..60).map(|n| format!("X-H{n}: 1")).collect();
    assert_eq!(alice.request("OPTIONS", &uri, &uri, &many, "").status(), 200);
    set("sip.headers_max", "40");
    assert_eq!(alice.request("OPTIONS", &uri, &uri, &many, "").status(), 400);

    set("sip.stream_message_max", "4096");
    let head = bob.plain_request("OPTIONS", &uri, &["Content-Type: text/plain".to_owned()]);
    let head = format!("OPTIONS {uri} SIP/2.0\r\n{}\r\nContent-Length: 5000\r\n\r\n", head.join("\r\n"));
    third.write_all(head.as_bytes()).expect("sent");
    let mut answer = [0; 4096];
    third.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let length = third.read(&mut answer).expect("an answer");
    assert!(answer[..length].starts_with(b"SIP/2.0 513"), "{}", String::from_utf8_lossy(&answer[..length]));

    set("sip.stream_idle", "10s");
    assert!(is_closed(&mut idle, Duration::from_secs(25)), "nothing was said on it");
    bob.register();
}
