//! Messages that try the parser and the patience, over UDP and TCP; after all of them the server still serves.
//!
//! `tests/torture` has those of RFC 4475 and RFC 5118 with what a stranger who sends them is answered.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::network::{Network, udp_at};
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, let_pass};
use crate::stranger::Stranger;
use crate::world::{add_user, password};

/// One row of `tests/torture/expected.csv`: a message and the answers that are right.
struct Torment {
    name: String,
    over: String,
    bytes: Vec<u8>,
    answers: Vec<u16>,
}

fn torments(transport: &str) -> Vec<Torment> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let table = fs::read_to_string(folder.join("expected.csv")).expect("the table is there");
    let mut rows = Vec::new();
    for line in table.lines().skip(1).filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.splitn(5, ',').collect();
        let [name, over, _, answer, _] = fields[..] else { panic!("expected.csv: {line}") };
        if over == transport || over == "both" {
            let bytes = fs::read(folder.join(format!("{name}.sip"))).unwrap_or_else(|e| panic!("{name}: {e}"));
            let answers = answer.split('|').filter(|a| *a != "none").map(|a| a.parse().expect("a status")).collect();
            rows.push(Torment { name: name.to_owned(), over: transport.to_owned(), bytes, answers });
        }
    }
    assert!(rows.len() > 50, "{} messages only", rows.len());
    rows
}

impl Torment {
    /// What is wrong with the answers that came, if anything.
    fn judge(&self, came: &[u16]) -> Option<String> {
        let finals: Vec<u16> = came.iter().copied().filter(|status| *status >= 200).collect();
        let right = if self.answers.is_empty() {
            came.is_empty()
        } else {
            !finals.is_empty() && finals.iter().all(|status| self.answers.contains(status))
        };
        (!right).then(|| format!("{} over {}: answered {came:?}, right is {:?}", self.name, self.over, self.answers))
    }

    /// The port in the top Via, where the answer goes if the server follows RFC 3261 §18.2.2 to the letter.
    fn via_port(&self) -> u16 {
        let text = String::from_utf8_lossy(&self.bytes).to_lowercase();
        let via = text.lines().find(|line| line.starts_with("via") || line.starts_with("v:")).unwrap_or_default();
        let sent_by = via.split(';').next().unwrap_or_default();
        sent_by.rsplit(':').next().and_then(|port| port.trim().parse().ok()).unwrap_or(5060)
    }
}

/// The statuses of all responses in a text.
fn statuses(text: &str) -> Vec<u16> {
    text.split("SIP/2.0 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

#[test]
fn every_torture_message_over_udp_gets_its_answer() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let mut wrong = Vec::new();
    for (n, torment) in (20..).zip(torments("udp")) {
        // Each comes from an address of its own, so that none is judged by what another did; and from one that has shown that
        // it receives what is sent there, because others get no answer larger than what they sent.
        assert_ne!(Stranger::at(&server, net.host(n)).register("alice", &password("alice")), 0);
        let socket = udp_at((net.host(n), torment.via_port()));
        socket.send_to(&torment.bytes, server.sip()).expect("sent");
        let mut came = Vec::new();
        let mut chunk = [0; 65_536];
        // Silence is known by waiting a while; an answer is at once, and nothing follows it.
        while came.iter().all(|status| *status < 200) {
            let patience = if torment.answers.is_empty() { 300 } else { 3000 };
            socket.set_read_timeout(Some(Duration::from_millis(patience))).expect("a timeout");
            let Ok(length) = socket.recv(&mut chunk) else { break };
            came.extend(statuses(&String::from_utf8_lossy(&chunk[..length])));
        }
        wrong.extend(torment.judge(&came));
    }
    assert!(server.lives());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut phone = Phone::udp(&server, net.host(10), "alice");
    assert_serves(&server, &mut phone);
    assert!(!server.logged().contains("panicked"), "a panic is a bug");
}

#[test]
fn every_torture_message_over_tcp_gets_its_answer() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    let mut wrong = Vec::new();
    for torment in torments("tcp") {
        let mut stream = TcpStream::connect(server.sip()).expect("it listens");
        stream.write_all(&torment.bytes).expect("sent");
        let mut heard = String::new();
        let mut chunk = [0; 65_536];
        while statuses(&heard).iter().all(|status| *status < 200) {
            let patience = if torment.answers.is_empty() { 300 } else { 3000 };
            stream.set_read_timeout(Some(Duration::from_millis(patience))).expect("a timeout");
            let Ok(length @ 1..) = stream.read(&mut chunk) else { break };
            heard.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        wrong.extend(torment.judge(&statuses(&heard)));
    }
    assert!(server.lives());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut phone = Phone::udp(&server, net.host(10), "alice");
    assert_serves(&server, &mut phone);
    assert!(!server.logged().contains("panicked"), "a panic is a bug");
}

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
