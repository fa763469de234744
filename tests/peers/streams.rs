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

fn a_registration_goes_with_its_connection(shards: u16) {
    let net = Network::lease();
    let server = Server::at(&net).shards(shards).start();
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

fn a_phone_that_has_come_back_keeps_its_registration_when_the_old_connection_is_found_dead(shards: u16) {
    let net = Network::lease();
    let server = Server::at(&net).shards(shards).start();
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

fn a_call_whose_connection_is_lost_is_hung_up_where_the_phone_said_it_can_be_reached(shards: u16) {
    let net = Network::lease();
    let server = Server::at(&net).shards(shards).start();
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
    let (_stream, bye) = message_at(&door);
    assert!(bye.starts_with("BYE ") && bye.contains(&dialog.call_id), "{bye}");
    server.await_quiet();
    assert_eq!(server.only_cdr()["status"], "answered");
}

fn a_call_whose_connection_is_lost_for_good_ends_cleanly(shards: u16) {
    let net = Network::lease();
    let server = Server::at(&net).shards(shards).start();
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

fn the_answer_to_a_caller_whose_connection_is_lost_goes_by_a_new_one_to_the_port_in_its_via(shards: u16) {
    let net = Network::lease();
    let server = Server::at(&net).shards(shards).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let mut alice = Phone::tcp(&server, "alice");
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    alice.contact_at = Some(door.local_addr().expect("bound"));
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let asked = bob.await_request("INVITE");
    bob.answer(&asked, 180, &[], "");
    alice.await_status(180, "INVITE");
    drop(alice);
    // The server has read the end of the connection by then.
    crate::server::let_pass(Duration::from_millis(500));
    bob.answer(&asked, 200, &[], &bob.sdp());
    let (mut stream, ok) = message_at(&door);
    assert!(ok.starts_with("SIP/2.0 200 ") && ok.contains(&invite.call_id), "{ok}");
    // The call goes on by that connection.
    let to = ok.lines().find_map(|line| line.strip_prefix("To: ")).expect("it has one");
    let target = ok.lines().find_map(|line| line.strip_prefix("Contact: <")).expect("it has one").trim_end_matches('>');
    let ack = format!(
        "ACK {target} SIP/2.0\r\nVia: SIP/2.0/TCP {};branch=z9hG4bKack\r\nFrom: <sip:alice@{DOMAIN}>;tag={}\r\nTo: {to}\r\n\
         Call-ID: {}\r\nCSeq: {} ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        door.local_addr().expect("bound"),
        invite.tag,
        invite.call_id,
        invite.cseq
    );
    stream.write_all(ack.as_bytes()).expect("sent");
    bob.await_request("ACK");
    assert_eq!(server.rows(&["call", "list"]).len(), 1);
    let mut at_bob = bob.dialog_of(&asked);
    bob.hang_up(&mut at_bob);
    let mut chunk = [0; 4096];
    let length = stream.read(&mut chunk).expect("a BYE");
    assert!(chunk[..length].starts_with(b"BYE "), "{}", String::from_utf8_lossy(&chunk[..length]));
    server.ok(&["call", "list"]);
}

/// The first message of whoever connects.
#[track_caller]
fn message_at(door: &TcpListener) -> (TcpStream, String) {
    door.set_nonblocking(true).expect("set");
    let mut stream = None;
    until("the server connects", Duration::from_secs(5), || {
        stream = door.accept().ok();
        stream.is_some()
    });
    let (mut stream, _) = stream.expect("connected");
    stream.set_nonblocking(false).expect("set");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut chunk = [0; 4096];
    let length = stream.read(&mut chunk).expect("a message");
    (stream, String::from_utf8_lossy(&chunk[..length]).into_owned())
}

/// Each of these also where the user, the call and the connection live on different shards.
mod over {
    macro_rules! shards {
        ($($case:ident)*) => {$(
            mod $case {
                #[test]
                fn one_shard() {
                    super::super::$case(1);
                }

                #[test]
                fn three_shards() {
                    super::super::$case(3);
                }
            }
        )*};
    }

    shards! {
        a_registration_goes_with_its_connection
        a_phone_that_has_come_back_keeps_its_registration_when_the_old_connection_is_found_dead
        a_call_whose_connection_is_lost_is_hung_up_where_the_phone_said_it_can_be_reached
        a_call_whose_connection_is_lost_for_good_ends_cleanly
        the_answer_to_a_caller_whose_connection_is_lost_goes_by_a_new_one_to_the_port_in_its_via
    }
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
