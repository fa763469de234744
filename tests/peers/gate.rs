//! Who is shut out: floods, junk, guessed passwords, scanners, written rules; and that it ends, survives a restart, and is
//! changed while the platform runs.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::network::Network;
use crate::server::{DOMAIN, Server, until};
use crate::stranger::Stranger;
use crate::world::{add_user, password};

fn bans(server: &Server) -> Vec<Value> {
    server.rows(&["ban", "list"])
}

#[track_caller]
fn await_ban(server: &Server, scope: &str, subject: &str, reason: &str) -> Value {
    let mut found = Value::Null;
    until(&format!("{scope} {subject} is banned for {reason}"), Duration::from_secs(10), || {
        let fits = |ban: &Value| ban["scope"] == scope && ban["subject"] == subject && ban["reason"] == reason;
        found = bans(server).into_iter().find(fits).unwrap_or_default();
        !found.is_null()
    });
    found
}

/// Seconds between a ban's beginning and its end.
fn lasts(ban: &Value) -> i64 {
    let at = |field: &str| {
        let text = ban[field].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp()
    };
    at("expires_at") - at("created_at")
}

#[test]
fn the_hundred_and_first_message_of_a_flood_is_not_answered_and_delbanned_lets_in_again() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    server.ok(&["config", "set", "MAXSUBSMSCOUNT", "100"]);
    let (flooder, other) = (Stranger::at(&server, net.host(30)), Stranger::at(&server, net.host(31)));
    assert!((0..99).all(|_| flooder.is_heard()));
    flooder.is_heard();
    let address = net.host(30).to_string();
    let ban = await_ban(&server, "ip", &address, "flood");
    assert_eq!(lasts(&ban), 300, "datagrams may be spoofed, so it is short: {ban:#}");
    assert!(ban["evidence"].as_str().unwrap().contains("messages in 3 min"), "{ban:#}");
    assert!(!flooder.is_heard());
    assert!(other.is_heard());
    assert_eq!(server.ok(&["console", &format!("delbanned,{address}")]).trim(), "1 ban lifted");
    assert!(flooder.is_heard());
    assert!(bans(&server).is_empty());
}

#[test]
fn junk_and_credential_less_invites_end_in_a_ban() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    server.ok(&["config", "set", "MAXWRONGMSGALLOWED", "20"]);
    server.ok(&["config", "set", "MAXWRONGAUTHFROMIP", "25"]);
    server.ok(&["config", "set", "blockscanning_treshold", "0"]);
    let (junk, bare) = (Stranger::at(&server, net.host(30)), Stranger::at(&server, net.host(31)));
    for n in 0..20 {
        junk.send(format!("nonsense number {n}\r\n\r\n").as_bytes());
    }
    await_ban(&server, "ip", &net.host(30).to_string(), "junk");
    assert!(!junk.is_heard());
    for n in 0..25 {
        bare.ask(&bare.request("INVITE", &format!("sip:1202555{n:04}@{DOMAIN}"), "nobody", ""));
    }
    await_ban(&server, "ip", &net.host(31).to_string(), "authentication");
    assert!(!bare.is_heard());
}

#[test]
fn wrong_passwords_ban_the_port_first_then_the_address_and_survive_a_restart() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    server.ok(&["config", "set", "MAXFAILEDAUTHENABLEDIPPORT", "5"]);
    server.ok(&["config", "set", "MAXFAILEDAUTHENABLEDIP", "20"]);
    let (a, b) = (Stranger::at(&server, net.host(30)), Stranger::at(&server, net.host(30)));
    for n in 0..5 {
        assert_eq!(a.register("alice", &format!("guess-{n}")), 401);
    }
    let ban = await_ban(&server, "ip:port", &a.local().to_string(), "authentication");
    assert_eq!(lasts(&ban), 6 * 3600, "{ban:#}");
    assert!(!a.is_heard());
    assert!(b.is_heard(), "another port of the address is another phone");
    for _ in 0..5 {
        let port = Stranger::at(&server, net.host(30));
        for n in 0..3 {
            port.register("nobody", &format!("guess-{n}"));
        }
    }
    let address = net.host(30).to_string();
    await_ban(&server, "ip", &address, "authentication");
    assert!(!b.is_heard());
    assert!(Stranger::at(&server, net.host(31)).is_heard());
    assert_eq!(
        Stranger::at(&server, net.host(31)).register("alice", &password("alice")),
        200,
        "she is not banned for it"
    );
    until("bans are written", Duration::from_secs(10), || {
        crate::server::let_pass(Duration::from_millis(1500));
        true
    });
    server.kill();
    server.start_again();
    assert!(!b.is_heard(), "a restart forgets no ban");
    assert_eq!(bans(&server).len(), 2);
    server.ok(&["ban", "remove", "all"]);
    assert!(b.is_heard());
}

#[test]
fn ten_wrong_passwords_in_a_row_ban_and_a_right_one_between_does_not() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    server.ok(&["config", "set", "maxsubsipauthrequest", "10"]);
    let (guesser, clumsy) = (Stranger::at(&server, net.host(30)), Stranger::at(&server, net.host(31)));
    for n in 0..5 {
        clumsy.register("alice", &format!("typo-{n}"));
    }
    assert_eq!(clumsy.register("alice", &password("alice")), 200);
    for n in 0..10 {
        guesser.register("alice", &format!("guess-{n}"));
        if n < 5 {
            clumsy.register("alice", &format!("typo-{n}"));
        }
    }
    let ban = await_ban(&server, "ip", &net.host(30).to_string(), "authentication");
    assert!(ban["evidence"].as_str().unwrap().contains("in a row"), "{ban:#}");
    assert!(!guesser.is_heard() && clumsy.is_heard());
}

#[test]
fn a_scanner_is_dropped_by_its_name_and_banned_by_what_it_tries() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let named = |host: Ipv4Addr, agent: &str| {
        let stranger = Stranger::at(&server, host);
        let request = stranger.request(
            "OPTIONS",
            &format!("sip:{DOMAIN}"),
            "alice",
            &format!("User-Agent: {agent}\r\nAllow: INVITE, ACK, BYE\r\n"),
        );
        stranger.ask(&request).is_some()
    };
    assert!(!named(net.host(30), "friendly-scanner") && named(net.host(30), "Acme/1 desk phone"));
    server.ok(&["config", "set", "blockua", "abc,evil caller"]);
    assert!(!named(net.host(30), "abc") && named(net.host(30), "xabcx desk phone of somebody"));
    assert!(
        !named(net.host(30), "The EVIL Caller 2") && named(net.host(30), "friendly-scanner"),
        "the list is what was set"
    );
    server.ok(&["config", "set", "allowua", "Acme"]);
    assert!(named(net.host(30), "acme/1 desk phone") && !named(net.host(30), "Foo desk phone"));
    server.ok(&["config", "unset", "allowua"]);
    server.ok(&["config", "set", "blockscanning_treshold", "10"]);
    let prober = Stranger::at(&server, net.host(31));
    for n in 0..10 {
        prober.ask(&prober.request("REGISTER", &format!("sip:{DOMAIN}"), &format!("{}", 100 + n), ""));
    }
    await_ban(&server, "ip", &net.host(31).to_string(), "scan");
    assert!(!prober.is_heard());
}

#[test]
fn an_ip_trunk_with_the_wrong_user_agent_is_refused_and_a_digest_user_is_not() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    add_user(&server, "whole", &["--kind", "traffic-sender"]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    let trunk = Stranger::at(&server, net.host(30));
    let status = |agent: &str| {
        let request =
            trunk.request("INVITE", &format!("sip:441632960001@{DOMAIN}"), "1", &format!("User-Agent: {agent}\r\n"));
        trunk.ask(&request).map_or(0, |answer| answer.status())
    };
    let reference = status("Mizu");
    assert_ne!(reference, 0);
    server.ok(&["config", "set", "alloweua", "Mizu,webphone"]);
    assert_eq!((status("a webphone 2"), status("Foo")), (reference, 403));
    server.ok(&["config", "unset", "alloweua"]);
    server.ok(&["config", "set", "blockeua", "Foo"]);
    assert_eq!((status("FOO"), status("Foobar")), (403, reference), "a short entry is the whole name");
    assert_eq!(Stranger::at(&server, net.host(31)).register("alice", &password("alice")), 200);
}

#[test]
fn written_rules_decide_in_order_and_count_and_the_whitelist_shuts_everybody_else_out() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let (one, two) = (Stranger::at(&server, net.host(30)), Stranger::at(&server, net.host(31)));
    let network = format!("{}/24", net.host(0));
    let deny = server.json(&["firewall", "deny", &network])["id"].to_string();
    assert!(!one.is_heard() && !two.is_heard());
    server.ok(&["firewall", "allow", &net.host(30).to_string(), "--before", &deny]);
    assert!(one.is_heard() && !two.is_heard());
    let rules = server.rows(&["firewall", "list"]);
    assert_eq!((&rules[0]["hits"], &rules[1]["hits"]), (&1.into(), &3.into()), "{rules:#?}");
    // What is allowed by rule is never banned.
    server.ok(&["ban", "add", &net.host(30).to_string(), "--for", "1h", "--reason", "a test"]);
    assert!(one.is_heard());
    server.ok(&["firewall", "remove", &deny]);
    assert!(two.is_heard());
    server.ok(&["config", "set", "sip_whitelist", &net.host(31).to_string()]);
    assert!(!one.is_heard() && two.is_heard());
    server.ok(&["config", "set", "enablefirewall", "0"]);
    assert!(one.is_heard(), "at level 0 the gate is open");
}

#[test]
fn at_level_five_strangers_may_register_and_nothing_else() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    server.ok(&["config", "set", "enablefirewall", "5"]);
    let stranger = Stranger::at(&server, net.host(30));
    assert!(!stranger.is_heard());
    assert_eq!(stranger.register("alice", &password("alice")), 200);
    assert!(stranger.is_heard(), "now it is known");
}

#[test]
fn a_stranger_is_sent_no_more_than_he_sent_and_challenges_are_capped() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    server.ok(&["config", "set", "guard.challenges_per_second", "5"]);
    let stranger = Stranger::at(&server, net.host(30));
    for request in [
        stranger.request("OPTIONS", &format!("sip:{DOMAIN}"), "x", ""),
        stranger.request("SUBSCRIBE", &format!("sip:{DOMAIN}"), "x", ""),
        stranger.request("FROBNICATE", &format!("sip:{DOMAIN}"), "x", ""),
        stranger.request("OPTIONS", &format!("sip:{DOMAIN}"), "x", "Require: frobnication\r\n"),
        stranger.request("OPTIONS", "sip:elsewhere.test", "x", ""),
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: q\r\nCSeq: 1 OPTIONS\r\n\r\n".to_owned(),
    ] {
        stranger.send(request.as_bytes());
        let answers = stranger.drain();
        assert!(answers.iter().all(|length| *length <= request.len()), "{answers:?} to {} bytes: {request}", request.len());
    }
    let request = stranger.request("REGISTER", &format!("sip:{DOMAIN}"), "x", "");
    stranger.send(request.as_bytes());
    let answers = stranger.drain();
    assert!(answers.len() == 1 && answers[0] <= request.len() + 300, "{answers:?} to {} bytes", request.len());
    // Two seconds at most are touched.
    let storm = Stranger::at(&server, net.host(31));
    for _ in 0..60 {
        storm.send(storm.request("REGISTER", &format!("sip:{DOMAIN}"), "x", "").as_bytes());
    }
    let challenged = storm.drain().len();
    assert!((5..=10).contains(&challenged), "{challenged} challenges for sixty requests");
}

#[test]
fn several_algorithms_are_offered_as_far_as_a_challenge_may_grow() {
    for (algorithms, least) in [("both", "MD5"), ("sha", "SHA-256")] {
        let net = Network::lease();
        let server = Server::at(&net).algorithms(algorithms).start();
        let stranger = Stranger::at(&server, net.host(30));
        let request = stranger.request("REGISTER", &format!("sip:{DOMAIN}"), "x", "");
        stranger.send(request.as_bytes());
        let answers = stranger.drain();
        assert!(answers.len() == 1 && answers[0] <= request.len() + 300, "{answers:?} to {} bytes", request.len());
        let roomy = format!("User-Agent: {}\r\n", "x".repeat(300));
        for (more, offers) in [("", 1), (&*roomy, 2)] {
            let answer =
                stranger.ask(&stranger.request("REGISTER", &format!("sip:{DOMAIN}"), "x", more)).expect("a challenge");
            let offered: Vec<&str> = answer.all("WWW-Authenticate").collect();
            assert!(offered.len() >= offers && offered.iter().any(|line| line.contains(least)), "{offered:?}");
        }
    }
}

#[test]
fn a_flood_over_a_connection_bans_in_full_and_closes_it() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    server.ok(&["config", "set", "MAXSUBSMSCOUNT", "50"]);
    let mut stream = TcpStream::connect(server.sip()).expect("it listens");
    let local = stream.local_addr().expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    for n in 0..80 {
        let request = format!(
            "OPTIONS sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKt{n}\r\nFrom: <sip:x@{DOMAIN}>;tag=t{n}\r\n\
             To: <sip:{DOMAIN}>\r\nCall-ID: tcp-{n}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        if stream.write_all(request.as_bytes()).is_err() {
            break;
        }
        crate::server::let_pass(Duration::from_millis(5));
    }
    let ban = await_ban(&server, "ip", &local.ip().to_string(), "flood");
    assert_eq!(lasts(&ban), 6 * 3600, "a connection proves its source: {ban:#}");
    // Whatever was answered before is read; then the end.
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    let mut again = TcpStream::connect(server.sip()).expect("the kernel takes it");
    again.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let ended = again.read(&mut [0; 16]);
    assert!(matches!(ended, Ok(0)) || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
}
