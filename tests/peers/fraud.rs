//! Callers whose calls go badly, and stolen accounts: refused with the reason, while everybody else goes on calling.

use std::time::Duration;

use crate::dialog::Invite;
use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Server, until};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, shown};

/// A traffic sender's trunk `in` at `.30`, and roads to the carrier.
fn wholesaler(net: &Network) -> Server {
    let server = Server::at(net).shards(2).start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&[
        "user",
        "add",
        "whole",
        "--kind",
        "traffic-sender",
        "--prepaid",
        "--credit",
        "90.00",
        "--deck",
        "sell",
    ]);
    let source = net.host(30).to_string();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", &source, "--auth", "ip", "--account", "whole"]);
    server
}

#[test]
fn a_caller_whose_calls_all_fail_is_refused_and_a_good_one_on_the_same_trunk_is_not() {
    let net = Network::lease();
    let mut server = wholesaler(&net);
    server.ok(&["config", "set", "fraud.autoban_calls", "30"]);
    let caller = |server: &Server, number: &str, scenario| {
        Sipp::new(server, net.host(30), scenario).word("user", number).callee(NUMBER).pause(Duration::from_millis(300))
    };
    let declining = Sipp::listening(&server, net.host(CARRIER), "decline").word("status", 486).start();
    caller(&server, "19995550100", "trunk_refused").word("status", 486).load(30, 20, 1).run();
    until("the caller is refused", Duration::from_secs(5), || server.rows(&["fraud", "list"]).len() == 1);
    let banned = &server.rows(&["fraud", "list"])[0];
    assert_eq!(banned["reason"], "0 % of 30 calls answered; usual is 5 %", "{banned:#}");
    caller(&server, "19995550100", "trunk_refused").word("status", 603).run();
    server.await_quiet();
    let cdr = server.rows(&["cdr", "list", "--limit", "1"]).remove(0);
    assert_eq!(
        (&cdr["refusal"]["rule"], &cdr["refusal"]["setting"]),
        (&"caller_banned".into(), &"fraud.autoban_asr".into()),
        "{cdr:#}"
    );
    drop(declining);
    let answering = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    caller(&server, "19995550101", "trunk_call").run();
    answering.await_done(1);
    // A restart makes nobody's slate clean; an operator does.
    server.terminate();
    server.start_again();
    caller(&server, "19995550100", "trunk_refused").word("status", 603).run();
    server.ok(&["fraud", "release", "in"]);
    caller(&server, "19995550100", "trunk_call").run();
    answering.await_done(2);
    let twice = server.cli(&["fraud", "release", "in"]);
    assert_eq!(twice.status, 1, "{twice:?}");
    assert!(server.rows(&["fraud", "list"]).is_empty());
}

/// Dials and waits for a status of `least` or more; `None` when it is 403.
fn dial(phone: &mut Phone, number: &str, least: u16) -> Option<Invite> {
    let offer = phone.sdp();
    let invite = phone.invite(number, &[], &offer);
    let answer = phone.await_message("an answer", |m| {
        m.method() == "INVITE" && m.status() >= least && m.header("Call-ID") == invite.call_id
    });
    match answer.status() {
        403 => {
            phone.acknowledge_refusal(&invite, &answer);
            None
        }
        200 => {
            phone.accept(&invite, &answer);
            Some(invite)
        }
        _ => Some(invite),
    }
}

#[test]
fn a_stolen_account_is_blocked_before_its_money_is_gone() {
    let net = Network::lease();
    let mut server = Server::at(&net).shards(2).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "1000.00");
    add_prepaid(&server, "bob", "10.00");
    let _carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
    let mut thief = Phone::udp(&server, net.host(66), "alice");
    thief.password = world::password("alice");
    // Parallel calls into one range of Jamaica at 6.00 a minute: stopped at the fifth, day or night.
    let through = (0..10).take_while(|turn| dial(&mut thief, &format!("1876555010{turn}"), 200).is_some()).count();
    assert_eq!(through, 4);
    until("the account is blocked", Duration::from_secs(5), || shown(&server, "alice", "blocked") != "null");
    let blocked = server.json(&["user", "show", "alice"])["blocked"].clone();
    assert_eq!(blocked["rule"], "fraud", "{blocked:#}");
    let reason = blocked["observed"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("5 numbers dearer than ever (40)") && reason.contains("5 of 5 numbers in a row (30)"),
        "{reason}"
    );
    assert!(dial(&mut thief, "441632960001", 200).is_none(), "no number elsewhere either");
    let explained = server.json(&["explain", "--from", "alice", "--to", "441632960001"]);
    assert_eq!(explained["refusal"]["observed"], reason.as_str(), "{explained:#}");
    let other = server.json(&["explain", "--from", "bob", "--to", "441632960001"]);
    assert_eq!(other["verdict"], "admit", "{other:#}");
    let trace = other["trace"].as_array().unwrap().iter().find(|row| row["rule"] == "fraud").unwrap().clone();
    assert_eq!((&trace["observed"], &trace["limit"]), (&"0 points".into(), &"100".into()));
    server.kill();
    server.start_again();
    assert_eq!(server.json(&["user", "show", "alice"])["blocked"]["rule"], "fraud");
    server.ok(&["fraud", "release", "alice"]);
    assert_eq!(shown(&server, "alice", "blocked"), "null");
    let explained = server.json(&["explain", "--from", "alice", "--to", "18765550109"]);
    assert_eq!(explained["verdict"], "admit", "{explained:#}");
    // A minute of four calls at most went by before the block: far from the thousand.
    let spent = 1_000_000_000 - world::millionths(&shown(&server, "alice", "balance"));
    assert!(spent < 30_000_000, "{spent}");
}

#[test]
fn one_ring_to_number_after_number_is_stopped() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "1000.00");
    let _carrier = Sipp::listening(&server, net.host(CARRIER), "ring_until_cancel").start();
    let mut thief = Phone::udp(&server, net.host(66), "alice");
    thief.password = world::password("alice");
    let through = (0..20).take_while(|turn| {
        let ringing = dial(&mut thief, &format!("4479111230{turn:02}"), 180);
        if let Some(invite) = &ringing {
            thief.cancel(invite);
            thief.await_refusal(invite);
        }
        ringing.is_some()
    });
    let through = through.count();
    assert!((4..=10).contains(&through), "{through}");
    until("the account is blocked", Duration::from_secs(5), || shown(&server, "alice", "blocked") != "null");
    let analysed = server.rows(&["analyze"]);
    assert!(analysed.is_empty(), "nothing was spent: {analysed:#?}");
}
