//! Messages that try the parser and the patience, over UDP and TCP; after each the server still serves.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, let_pass};
use crate::world::add_user;

/// The server answers a well-meant request, so it lives and its parser is in step.
#[track_caller]
fn assert_serves(server: &Server, phone: &mut Phone) {
    let uri = format!("sip:{DOMAIN}");
    let answer = phone.request("OPTIONS", &uri, &uri, &[], "");
    assert_eq!(answer.status(), 200, "{answer:#?}");
    let _ = server;
}

/// Bytes that look random and are the same in every run.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    })
    .take(length)
    .collect()
}

#[test]
fn junk_over_udp_gets_silence_and_hurts_nobody() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    let stranger = UdpSocket::bind((net.host(66), 0)).expect("a port");
    stranger.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    for round in 1..200_u32 {
        stranger.send_to(&noise(round, 1 + (round as usize * 37) % 1400), server.sip()).expect("sent");
    }
    for text in [
        "\0\0\0\0",
        "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "SIP/2.0 200 OK\r\n\r\n",
        "INVITE",
        &"A".repeat(60_000),
    ] {
        stranger.send_to(text.as_bytes(), server.sip()).expect("sent");
    }
    let mut answer = [0; 65_536];
    while let Ok(length) = stranger.recv(&mut answer) {
        let text = String::from_utf8_lossy(&answer[..length]);
        assert!(text.trim().is_empty() || text.starts_with("SIP/2.0 4"), "junk was answered: {text}");
    }
    let mut phone = Phone::udp(&server, net.host(10), "alice");
    assert_serves(&server, &mut phone);
    assert!(server.lives());
    assert!(!server.logged().contains("panicked"), "a panic is a bug");
}

#[test]
fn a_stream_is_cut_where_its_messages_end_however_it_arrives() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let mut stream = TcpStream::connect(server.sip()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let request = |n: u32| {
        format!(
            "OPTIONS sip:{DOMAIN} SIP/2.0\r\nv: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKx{n}\r\nf: <sip:a@{DOMAIN}>;tag=1\r\n\
             t: <sip:{DOMAIN}>\r\ni: stream-{n}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nl: 4\r\n\r\nbody"
        )
    };
    let all = format!("\r\n\r\n{}\r\n\r\n{}{}", request(1), request(2), request(3));
    // One byte, then seven, then all that is left: the frames do not care.
    for piece in [&all[..1], &all[1..8], &all[8..]] {
        stream.write_all(piece.as_bytes()).expect("sent");
        stream.flush().expect("sent");
        let_pass(Duration::from_millis(50));
    }
    let (mut heard, mut chunk) = (String::new(), [0; 4096]);
    while heard.matches("SIP/2.0 200").count() < 3 {
        let length = stream.read(&mut chunk).expect("three answers come");
        assert!(length > 0, "the connection was closed after: {heard}");
        heard.push_str(&String::from_utf8_lossy(&chunk[..length]));
    }
    for n in 1..=3 {
        assert!(heard.contains(&format!("stream-{n}")), "{heard}");
    }
}

#[test]
fn a_stream_that_is_no_sip_or_never_ends_is_closed() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    for start in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        format!("OPTIONS sip:{DOMAIN} SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n"),
        format!("OPTIONS sip:{DOMAIN} SIP/2.0\r\nContent-Length: -5\r\n\r\n"),
        format!("OPTIONS sip:{DOMAIN} SIP/2.0\r\nX: {}", "a".repeat(300_000)),
    ] {
        let mut stream = TcpStream::connect(server.sip()).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        // The server may close while we still write: that is the point.
        let _ = stream.write_all(start.as_bytes());
        let mut rest = Vec::new();
        let closed = match stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        let name: String = start.chars().take(60).collect();
        assert!(closed, "the connection stays open after {name:?}");
    }
    assert!(server.lives());
}

#[test]
fn what_a_stranger_writes_cannot_forge_a_log_line() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let mut phone = Phone::udp(&server, net.host(10), "alice");
    let uri = format!("sip:{DOMAIN}");
    let forged = "User-Agent: x\u{1b}[2J\u{7}\u{0}2026-01-01T00:00:00Z  INFO forged line".to_owned();
    let _ = phone.request("OPTIONS", &uri, &uri, &[forged], "");
    assert_serves(&server, &mut phone);
    let log = server.logged();
    assert!(!log.contains('\u{1b}') || !log.contains("[2J"), "an escape sequence reached the log");
    assert!(!log.contains('\u{7}') && !log.contains('\u{0}'), "a control character reached the log");
}
