//! Who may call where: satellite and premium numbers, countries, lists, prices that routes may have, media before the answer.

use std::fs;
use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, until};
use crate::sipp::Sipp;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user};

const IRIDIUM: &str = "881612345678";
const PREMIUM: &str = "979123456789";
const LONDON: &str = "442079460000";

/// A carrier for everything, satellites too, and Alice with money.
fn world_wide(net: &Network) -> Server {
    let server = Server::at(net).start();
    world::open_roads(&server, net.sip(CARRIER));
    for (name, rate) in [("sell", "0.60"), ("buy", "0.10")] {
        let file = server.folder.path().join(format!("wide-{name}.csv"));
        let prefixes = ["1", "44", "8816", "979", "36"];
        let rows: String = prefixes.iter().map(|prefix| format!("{prefix},{rate}\n")).collect();
        fs::write(&file, format!("prefix,price_per_minute\n{rows}")).expect("written");
        server.ok(&["deck", "import", name, file.to_str().expect("UTF-8"), "--kind", name]);
    }
    for prefix in ["8816", "979", "36"] {
        server.ok(&["route", "add", "--prefix", prefix, "--trunk", "carrier"]);
    }
    add_prepaid(&server, "alice", "100.00");
    server
}

/// Alice calls, and hears that status.
fn refused(net: &Network, server: &Server, number: &str) -> u16 {
    let mut alice = Phone::udp(server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite(number, &[], &offer);
    let refusal = alice.await_refusal(&invite);
    refusal.status()
}

/// What `explain` says: `admit`, or the rule and its setting.
fn explained(server: &Server, number: &str) -> String {
    let said = server.json(&["explain", "--from", "alice", "--to", number]);
    match said["refusal"]["rule"].as_str() {
        None => "admit".to_owned(),
        Some(rule) => format!("{rule} {}", said["refusal"]["setting"].as_str().unwrap_or("-")),
    }
}

fn answered(net: &Network, server: &Server, number: &str) {
    let carrier = Sipp::listening(server, net.host(CARRIER), "answer").start();
    Sipp::new(server, net.host(10), "call").user("alice").callee(number).pause(Duration::from_millis(200)).run();
    carrier.await_done(1);
}

#[test]
fn satellite_and_premium_numbers_are_refused_until_they_are_allowed() {
    let net = Network::lease();
    let server = world_wide(&net);
    assert_eq!((refused(&net, &server, IRIDIUM), refused(&net, &server, PREMIUM)), (403, 403));
    assert_eq!(explained(&server, IRIDIUM), "destination_blocked destination.satellite");
    assert_eq!(explained(&server, PREMIUM), "destination_blocked destination.premium");
    server.await_quiet();
    let cdrs = server.await_cdrs(2);
    assert!(cdrs.iter().all(|cdr| cdr["refusal"]["rule"] == "destination_blocked"), "{cdrs:#?}");
    server.ok(&["destination", "allow", "satellite", "--account", "alice"]);
    answered(&net, &server, IRIDIUM);
    assert_eq!(refused(&net, &server, PREMIUM), 403);
    server.ok(&["config", "set", "blockpremiumnumbers", "0"]);
    assert_eq!(explained(&server, PREMIUM), "admit");
}

#[test]
fn an_account_may_call_one_country_alone() {
    let net = Network::lease();
    let server = world_wide(&net);
    server.ok(&["destination", "block", "all", "--account", "alice"]);
    server.ok(&["destination", "allow", "HU", "--account", "alice"]);
    assert_eq!(explained(&server, "36301234567"), "admit");
    assert_eq!(explained(&server, "36901234567"), "destination_blocked destination.premium");
    assert_eq!(refused(&net, &server, LONDON), 403);
    let cdr = server.only_cdr();
    assert_eq!(cdr["refusal"]["limit"], "destination rule 1: all", "{cdr:#}");
}

#[test]
fn listed_numbers_are_declined_and_five_failures_in_a_row_are_left_alone() {
    let net = Network::lease();
    let mut server = world_wide(&net);
    server.ok(&["list", "add", "black", "4479*"]);
    assert_eq!(refused(&net, &server, "447912345678"), 603);
    let carrier = Sipp::listening(&server, net.host(CARRIER), "decline").word("status", 404).start();
    for _ in 0..5 {
        assert_eq!(refused(&net, &server, LONDON), 404);
    }
    carrier.await_done(5);
    until("the sixth is refused here", Duration::from_secs(10), || {
        explained(&server, LONDON) == "list_blocked lists.failures"
    });
    assert_eq!(refused(&net, &server, LONDON), 603);
    assert_eq!(carrier.report().done, 5, "the carrier heard nothing of the sixth");
    let shown = server.json(&["list", "show", LONDON]);
    assert_eq!((&shown["learned"]["unroutable"], &shown["learned"]["counts"]), (&5.into(), &true.into()), "{shown:#}");
    // A restart forgets nothing, and a white entry knows better.
    server.terminate();
    server.start_again();
    assert_eq!(explained(&server, LONDON), "list_blocked lists.failures");
    server.ok(&["list", "add", "white", LONDON]);
    assert_eq!(explained(&server, LONDON), "admit");
    server.ok(&["list", "remove", "2"]);
    server.ok(&["config", "set", "lists.failures", "off"]);
    assert_eq!(explained(&server, LONDON), "admit");
}

#[test]
fn temporary_entries_end_by_themselves() {
    let net = Network::lease();
    let server = world_wide(&net);
    server.ok(&["config", "set", "lists.failures", "2"]);
    server.ok(&["config", "set", "lists.failures_last", "3s"]);
    let carrier = Sipp::listening(&server, net.host(CARRIER), "decline").word("status", 404).start();
    for _ in 0..2 {
        assert_eq!(refused(&net, &server, LONDON), 404);
    }
    carrier.await_done(2);
    until("refused", Duration::from_secs(3), || explained(&server, LONDON) == "list_blocked lists.failures");
    until("free again", Duration::from_secs(10), || explained(&server, LONDON) == "admit");
}

#[test]
fn losing_and_dear_routes_carry_nothing() {
    let net = Network::lease();
    let server = world_wide(&net);
    //  setting, value, verdict: sold at 0.60, bought at 0.10
    for (setting, value, verdict) in [
        ("blocknotprofitablecalls", "2", "admit"),
        ("blockhighcostcalls", "0.05", "too_dear price.buy_max"),
        ("blockhighcostcalls", "0", "admit"),
        ("price.sell_max", "0.50", "too_dear price.sell_max"),
        ("price.sell_max", "off", "admit"),
    ] {
        server.ok(&["config", "set", setting, value]);
        assert_eq!(explained(&server, LONDON), verdict, "{setting} {value}");
    }
    server.ok(&["user", "set", "alice", "--max-price", "0.59"]);
    assert_eq!(refused(&net, &server, LONDON), 403);
    assert_eq!(server.only_cdr()["refusal"]["rule"], "too_dear");
}

#[test]
fn tones_only_lets_the_callers_own_phone_ring() {
    let net = Network::lease();
    let server = world_wide(&net);
    // The trunk has a word of its own, which goes before the platform's.
    assert!(server.ok(&["config", "set", "earlystart", "0"]).contains("media.early = block"));
    server.ok(&["trunk", "set", "carrier", "--early-media", "tones-only"]);
    let carrier = Sipp::listening(&server, net.host(CARRIER), "early_media").pause(Duration::from_millis(300)).start();
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    let ringing = alice.await_status(180, "INVITE");
    assert!(ringing.body.is_empty(), "no media path before the answer: {ringing:#?}");
    let (mut dialog, answer) = alice.await_answer(&invite);
    assert!(answer.sdp("c=").contains(&net.host(1).to_string()), "{answer:#?}");
    alice.hang_up(&mut dialog);
    carrier.await_done(1);
}

#[test]
fn a_phone_cannot_send_a_call_on_to_a_premium_number() {
    let net = Network::lease();
    let server = world_wide(&net);
    add_user(&server, "bob", &["--prepaid", "--credit", "100.00", "--deck", "sell"]);
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let asked = bob.await_request("INVITE");
    let mut headers: Vec<String> = asked.all("Via").map(|via| format!("Via: {via}")).collect();
    headers.extend(["From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}", asked.header(name))));
    headers.push(format!("To: {};tag=bobs", asked.header("To")));
    headers.push(format!("Contact: <sip:{PREMIUM}@{DOMAIN}>"));
    bob.send("SIP/2.0 302 Moved Temporarily", &headers, "");
    assert_eq!(alice.await_refusal(&invite).status(), 480);
    server.await_quiet();
    let cdrs = server.await_cdrs(2);
    let redirected = cdrs.iter().find(|cdr| cdr["kind"] == "redirect").expect("a record of the attempt");
    assert_eq!((&redirected["user"], &redirected["refusal"]["rule"]), (&"bob".into(), &"destination_blocked".into()));
}

#[test]
fn a_foreign_caller_id_is_replaced_unless_it_was_verified() {
    let net = Network::lease();
    let server = world_wide(&net);
    server.ok(&["user", "set", "alice", "--caller-id", "36301111111", "--verified-number", "36302222222"]);
    let shown = |policy: &str| {
        server.ok(&["config", "set", "call.caller_id_change", policy]);
        let carrier = Sipp::listening(&server, net.host(CARRIER), "answer").start();
        let mut alice = Phone::udp(&server, net.host(10), "alice");
        let offer = alice.sdp();
        let claim = "P-Asserted-Identity: <sip:36302222222@example.com>".to_owned();
        let invite = alice.invite(LONDON, &[claim], &offer);
        let (mut dialog, _) = alice.await_answer(&invite);
        alice.hang_up(&mut dialog);
        carrier.await_done(1);
        carrier.messages()
    };
    let own = shown("own");
    assert!(own.contains("sip:36301111111@") && !own.contains("36302222222"), "{own}");
    assert!(shown("verified").contains("sip:36302222222@"));
}
