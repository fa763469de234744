//! Who is served while others attack: an office with a guesser inside, owners of spoofed addresses, everybody after a power
//! cut, a busy PBX, known peers while strangers storm.

use std::fmt::Write;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::network::{Network, SIP};
use crate::phone::Phone;
use crate::server::{DOMAIN, Database, Server, Setup, until};
use crate::stranger::Stranger;
use crate::world::{add_user, password};

/// Users `u0` … with the password of their name.
fn add_users(server: &Server, count: usize) {
    let mut text = String::from("name,password\n");
    for n in 0..count {
        let name = format!("u{n}");
        writeln!(text, "{name},{}", password(&name)).expect("memory");
    }
    let file = server.folder.path().join("users.csv");
    std::fs::write(&file, text).expect("written");
    server.ok(&["user", "import", file.to_str().expect("UTF-8")]);
}

#[test]
fn an_office_with_a_guesser_inside_loses_no_honest_phone() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_users(&server, 50);
    server.ok(&["config", "set", "MAXFAILEDAUTHENABLEDIPPORT", "5"]);
    server.ok(&["config", "set", "MAXFAILEDAUTHENABLEDIP", "20"]);
    server.ok(&["config", "set", "MAXSUBSMSCOUNT", "200"]);
    let office = net.host(30);
    let phones: Vec<Stranger> = (0..50).map(|_| Stranger::at(&server, office)).collect();
    for (n, phone) in phones.iter().enumerate() {
        assert_eq!(phone.register(&format!("u{n}"), &password(&format!("u{n}"))), 200);
    }
    let guesser = Stranger::at(&server, office);
    for n in 0..30 {
        guesser.register("u7", &format!("guess-{n}"));
    }
    until("the guesser's port is banned", Duration::from_secs(10), || {
        server.rows(&["ban", "list"]).iter().any(|ban| ban["subject"] == guesser.local().to_string().as_str())
    });
    assert!(!guesser.is_heard());
    for (n, phone) in phones.iter().enumerate() {
        assert_eq!(phone.register(&format!("u{n}"), &password(&format!("u{n}"))), 200, "phone {n}");
    }
    let bans = server.rows(&["ban", "list"]);
    assert!(bans.iter().all(|ban| ban["scope"] == "ip:port"), "{bans:#?}");
}

#[test]
fn a_spoofed_flood_bans_neither_a_served_user_nor_a_trunk() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    add_user(&server, "whole", &["--kind", "traffic-sender"]);
    let trunk = net.host(20).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &trunk, "--auth", "ip", "--account", "whole"]);
    server.ok(&["config", "set", "MAXSUBSMSCOUNT", "50"]);
    server.ok(&["config", "set", "MAXWRONGMSGALLOWED", "50"]);
    server.ok(&["config", "set", "fastauthsubswrongusermsg", "20"]);
    let mut alice = Phone::udp(&server, net.host(30), "alice");
    alice.register();
    // On the loopback another port of the address is as good as a spoofed address.
    for host in [net.host(30), net.host(20)] {
        let spoofer = Stranger::at(&server, host);
        for n in 0..900 {
            let request = spoofer.request("REGISTER", &format!("sip:{DOMAIN}"), "alice", "");
            spoofer.send(if n % 3 == 0 { b"nonsense\r\n\r\n" } else { request.as_bytes() });
        }
    }
    let log = || server.logged();
    until("both are alerted", Duration::from_secs(10), || {
        log().contains("served users are at the address") && log().contains("a trunk's address is not banned")
    });
    assert!(server.rows(&["ban", "list"]).is_empty());
    alice.register();
    assert!(Stranger::at(&server, net.host(20)).is_heard());
}

#[test]
fn five_thousand_phones_behind_fifty_addresses_come_back_at_once_and_none_is_banned() {
    const HOUSES: usize = 50;
    let phones = if crate::long() { 5000 } else { 1500 };
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_users(&server, phones);
    let uri = format!("sip:{DOMAIN}");
    let sockets: Vec<UdpSocket> = (0..phones)
        .map(|n| {
            let socket = UdpSocket::bind((net.host(50 + (n % HOUSES) as u8), 0)).expect("a port");
            socket.set_nonblocking(true).expect("no waiting");
            socket
        })
        .collect();
    let request = |n: usize, turn: u32, more: &str| {
        let local = sockets[n].local_addr().expect("bound");
        format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKr{n}x{turn};rport\r\n\
             From: <sip:u{n}@{DOMAIN}>;tag=r{n}\r\nTo: <sip:u{n}@{DOMAIN}>\r\nCall-ID: back-{n}\r\n\
             CSeq: {turn} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:u{n}@{local}>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    let to: std::net::SocketAddr = (net.host(1), SIP).into();
    let (mut done, mut waits, mut sent_at, mut turn) =
        (vec![false; phones], vec![String::new(); phones], vec![None::<Instant>; phones], vec![1u32; phones]);
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut chunk = [0; 4096];
    while done.iter().any(|done| !done) {
        assert!(Instant::now() < deadline, "{} of {phones} are registered", done.iter().filter(|done| **done).count());
        for n in 0..phones {
            while let Ok(length) = sockets[n].recv(&mut chunk) {
                let answer = crate::message::Sip::parse(&String::from_utf8_lossy(&chunk[..length]));
                if answer.status() == 200 {
                    done[n] = true;
                } else if let Some(challenge) = answer.all("WWW-Authenticate").next() {
                    let user = format!("u{n}");
                    waits[n] = crate::stranger::authorization(challenge, "REGISTER", &uri, &user, &password(&user));
                    sent_at[n] = None;
                }
            }
            // As phones do: again when nothing is heard for a while.
            if !done[n] && sent_at[n].is_none_or(|at| at.elapsed() > Duration::from_secs(2)) {
                turn[n] += 1;
                let text = request(n, turn[n], &waits[n]);
                let _ = sockets[n].send_to(text.as_bytes(), to);
                sent_at[n] = Some(Instant::now());
            }
        }
    }
    let bans = server.rows(&["ban", "list"]);
    assert!(bans.is_empty(), "{bans:#?}");
    assert_eq!(server.rows(&["registration", "list"]).len(), phones);
}

#[test]
fn a_busy_pbx_that_proves_each_call_is_not_banned() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "pbx", &[]);
    // A hundredth of the defaults, and a hundredth of the time.
    for (name, value) in [
        ("MAXSUBSMSCOUNT", "390"),
        ("MAXWRONGAUTHFROMIP", "25"),
        ("fastauthsubswrongusermsg", "10"),
        ("blockscanning_treshold", "10"),
    ] {
        server.ok(&["config", "set", name, value]);
    }
    let pbx = Stranger::at(&server, net.host(30));
    let (start, uri) = (Instant::now(), format!("sip:{DOMAIN}"));
    assert_eq!(pbx.register("pbx", &password("pbx")), 200);
    for n in 0..500 {
        // Each call comes from another caller's number and goes to another one.
        let (from, target) = (format!("4420{n:06}"), format!("sip:nobody{n}@{DOMAIN}"));
        let first = pbx.ask(&pbx.request("INVITE", &target, &from, "")).expect("a challenge");
        let challenge = first.all("WWW-Authenticate").next().expect("a challenge").to_owned();
        let proof = crate::stranger::authorization(&challenge, "INVITE", &target, "pbx", &password("pbx"));
        let answer = pbx.ask(&pbx.request("INVITE", &target, &from, &proof)).expect("an answer");
        assert_ne!(answer.status(), 401, "{n}: {answer:#?}");
    }
    assert!(start.elapsed() < Duration::from_secs(60) && !uri.is_empty());
    let bans = server.rows(&["ban", "list"]);
    assert!(bans.is_empty(), "{bans:#?}");
}

#[test]
fn while_strangers_storm_only_known_peers_are_served_also_after_a_restart() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    assert_eq!(Stranger::at(&server, net.host(20)).register("alice", &password("alice")), 200);
    until("her address is written down", Duration::from_secs(10), || {
        crate::server::let_pass(Duration::from_millis(2000));
        true
    });
    server.kill();
    server.start_again();
    server.ok(&["config", "set", "fastauthsubswrongusermsg", "10"]);
    let storm = || {
        for host in 30..42 {
            let stranger = Stranger::at(&server, net.host(host));
            for _ in 0..9 {
                stranger.send(stranger.request("REGISTER", &format!("sip:{DOMAIN}"), "alice", "").as_bytes());
            }
        }
    };
    storm();
    until("attack mode", Duration::from_secs(10), || {
        server.logged().contains("only known peers and trunks are served")
    });
    assert!(server.rows(&["ban", "list"]).is_empty(), "nobody alone did too much");
    assert_eq!(Stranger::at(&server, net.host(20)).register("alice", &password("alice")), 200, "she was here before");
    assert_eq!(Stranger::at(&server, net.host(50)).register("bob", &password("bob")), 0, "strangers wait");
    server.ok(&["config", "set", "fastauthsubswrongusermsg", "300"]);
    until("the attack is over", Duration::from_secs(10), || server.logged().contains("the attack is over"));
    assert_eq!(Stranger::at(&server, net.host(50)).register("bob", &password("bob")), 200);
    let lonely = Stranger::at(&server, net.host(51));
    server.ok(&["config", "set", "fastauthsubswrongusermsg", "150"]);
    assert!(lonely.is_heard());
}

#[test]
fn what_one_node_bans_lifts_or_writes_holds_on_the_other_too() {
    let net = Network::lease();
    let first = Server::at(&net).database(Database::Postgres).start();
    let second = Setup::beside(&first, &net).start();
    let address = net.host(30).to_string();
    let (at_first, at_second) = (Stranger::at(&first, net.host(30)), Stranger::at(&second, net.host(30)));
    assert!(at_first.is_heard() && at_second.is_heard());
    let patience = Duration::from_secs(15);
    first.ok(&["config", "set", "MAXWRONGMSGALLOWED", "20"]);
    (0..30).for_each(|_| at_first.send(b"nonsense\r\n\r\n"));
    until("the ban holds on the second node", patience, || !at_second.is_heard());
    assert!(!at_first.is_heard());
    // Bans of the last seconds may still be on their way to the database, so a lift waits for them.
    crate::server::let_pass(Duration::from_secs(11));
    second.ok(&["ban", "remove", &address]);
    until("the first node lets in again", patience, || at_first.is_heard());
    second.ok(&["firewall", "deny", &address]);
    until("the rule holds on the first node", patience, || !at_first.is_heard());
}

#[test]
fn two_hundred_messages_a_second_end_their_call_and_no_other() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let mut ends = Vec::new();
    for (n, caller, callee) in [(0, "alice", "bob"), (2, "carol", "dave")] {
        add_user(&server, caller, &[]);
        add_user(&server, callee, &[]);
        let mut from = Phone::udp(&server, net.host(10 + n), caller);
        let mut to = Phone::udp(&server, net.host(11 + n), callee);
        from.register();
        to.register();
        let offer = from.sdp();
        let invite = from.invite(callee, &[], &offer);
        let (at_callee, _) = to.pick_up();
        let (at_caller, _) = from.await_answer(&invite);
        ends.push((from, at_caller, to, at_callee));
    }
    let (mut alice, mut at_alice, mut bob, _) = ends.remove(0);
    for turn in 0..800 {
        alice.send_within(&mut at_alice, "OPTIONS", &[], "");
        if turn % 20 == 19 {
            crate::server::let_pass(Duration::from_millis(100));
        }
    }
    bob.await_bye();
    alice.await_bye();
    until("one call is left", Duration::from_secs(10), || server.rows(&["call", "list"]).len() == 1);
    assert_eq!(server.only_cdr()["cause"], "protocol_abuse");
    let (mut carol, mut at_carol, ..) = ends.remove(0);
    assert_eq!(carol.within(&mut at_carol, "OPTIONS", &[], "").status(), 200);
    assert!(server.rows(&["ban", "list"]).is_empty());
}
