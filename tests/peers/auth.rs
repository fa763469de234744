//! Who must prove himself: settings that can only be safe, and what that means to those who try without proof.

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server};
use crate::stranger::Stranger;
use crate::world::{CARRIER, NUMBER, add_prepaid, add_user, open_roads};

/// The last status that a request without proof is answered with.
#[track_caller]
fn unproven(phone: &mut Phone, method: &str, uri: &str) -> u16 {
    let headers = phone.plain_request(method, uri, &[]);
    let body = if method == "INVITE" { phone.sdp() } else { String::new() };
    phone.send(&format!("{method} {uri} SIP/2.0"), &headers, &body);
    phone.await_message("an answer", |m| m.status() >= 200).status()
}

#[test]
fn what_can_only_be_safe_takes_the_guides_safe_number_and_refuses_the_other_with_the_reason() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for (name, safe, kept, weak, reason) in [
        ("allownoauthfork", "3", "auth.unproven_devices = never", "5", "each device of a user proves itself"),
        ("authfastusers", "1", "auth.proof_of_known_users = always", "0", "a new call is challenged"),
        ("autocreatereguserstrict", "1", "auth.users_by_register = never", "0", "no REGISTER makes a user"),
        ("uauthverifypwd", "0", "auth.password_oracle = never", "1", "a full log-in"),
        ("reusedifferentportreg", "0", "auth.reused_proof = never", "1", "for the request that carries it"),
        ("allownoauthcalls", "0", "auth.unproven_calls = never", "1", "somebody pays for each call"),
        ("trustlanip", "0", "auth.trusted_lan = never", "1", "a private address proves nothing"),
        ("trustsubnet", "false", "auth.trusted_neighbours = never", "true", "others than the one who proved himself"),
        ("allowtrustedip", "1", "auth.trusted_zone = own", "4", "this machine's control socket"),
    ] {
        assert_eq!(server.ok(&["config", "set", name, safe]).trim(), kept);
        let refused = server.cli(&["config", "set", name, weak]);
        assert_eq!((refused.status, refused.err.trim().lines().count()), (1, 1), "{refused:?}");
        assert!(refused.err.contains(name) && refused.err.contains(reason), "{refused:?}");
        let described = server.ok(&["config", "describe", name]);
        assert!(described.contains(reason) && described.contains(name), "{described}");
        assert!(kept.ends_with(server.json(&["config", "get", name])["value"].as_str().unwrap()));
    }
}

#[test]
fn proof_given_by_one_device_serves_no_other_device_port_or_call() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    alice.register();
    let pstn = format!("sip:{NUMBER}@{DOMAIN}");
    // The device that has just proven itself, under a new Call-ID.
    assert_eq!(unproven(&mut alice, "INVITE", &pstn), 401);
    // Another port of its address.
    let beside = Stranger::at(&server, net.host(10));
    let invite = beside.ask(&beside.request("INVITE", &pstn, "alice", "")).expect("an answer");
    assert_eq!(invite.status(), 401, "{invite:#?}");
    // A second device of the user, and a neighbour in the network.
    let mut second = Phone::udp(&server, net.host(11), "alice");
    assert_eq!(unproven(&mut second, "REGISTER", &format!("sip:{DOMAIN}")), 401);
    assert_eq!(unproven(&mut second, "INVITE", &pstn), 401);
    assert_eq!(server.rows(&["registration", "list", "--user", "alice"]).len(), 1);
    carrier.expect_none("a call", std::time::Duration::from_millis(300), |m| m.method() == "INVITE");
}

#[test]
fn the_neighbour_of_an_address_that_counts_as_proof_is_challenged() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    open_roads(&server, net.sip(CARRIER));
    let known = net.host(20).to_string();
    server.ok(&["trunk", "add", "sender", "--ingress", "--address", &known, "--auth", "ip"]);
    let pstn = format!("sip:{NUMBER}@{DOMAIN}");
    let (trunk, neighbour) = (Stranger::at(&server, net.host(20)), Stranger::at(&server, net.host(21)));
    let status = |who: &Stranger| who.ask(&who.request("INVITE", &pstn, "15550100", "")).expect("an answer").status();
    assert_ne!(status(&trunk), 401);
    assert_eq!(status(&neighbour), 401);
}

#[test]
fn a_register_makes_no_user_and_unknown_users_are_asked_like_known_ones() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let ask = |host: u8, name: &str| {
        let stranger = Stranger::at(&server, net.host(host));
        stranger
            .ask(&stranger.request("REGISTER", &format!("sip:{DOMAIN}"), name, "Expires: 300\r\n"))
            .expect("an answer")
    };
    let (known, unknown) = (ask(10, "alice"), ask(11, "nobody"));
    assert_eq!((known.status(), known.names()), (401, unknown.names()));
    assert_eq!(known.start, unknown.start);
    assert_eq!(server.rows(&["user", "list"]).iter().filter(|user| user["name"] == "nobody").count(), 0);
}

#[test]
fn a_weak_password_is_refused_when_it_is_chosen_and_the_old_one_stays() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice-anderson", &["--caller-id", "12025550100"]);
    let refused = |password: &str, reason: &str| {
        let said = server.cli(&["user", "set", "alice-anderson", "--password", password]);
        assert_eq!((said.status, said.err.trim().lines().count()), (1, 1), "{said:?}");
        assert!(said.err.contains(reason) && !said.err.contains(password), "{said:?}");
    };
    refused("elevenchars", "at least 12 characters");
    refused("alice-anderson", "own name or number");
    refused("12025550100", "at least 12 characters");
    refused("password1234", "guesses find it");
    server.ok(&["config", "set", "minpwdlength", "8"]);
    refused("12025550100", "own name or number");
    let mut phone = Phone::udp(&server, net.host(10), "alice-anderson");
    phone.register();
    // The guide's lower levels ask less.
    server.ok(&["config", "set", "validatepassword", "1"]);
    refused("seven-7", "at least 8 characters");
    server.ok(&["user", "set", "alice-anderson", "--password", "password1234"]);
    server.ok(&["config", "set", "validatepassword", "0"]);
    server.ok(&["user", "set", "alice-anderson", "--password", "four"]);
    phone.password = "four".to_owned();
    phone.register();
}

#[test]
fn a_new_password_ends_the_old_one_at_the_next_refresh_and_at_the_next_call() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    alice.register();
    let refresh = |alice: &mut Phone| {
        alice.register_with(&[format!("Contact: {}", alice.contact()), "Expires: 3600".to_owned()]).status()
    };
    assert_eq!(refresh(&mut alice), 200);
    server.ok(&["user", "set", "alice", "--password", "mending-4-kettles"]);
    assert_eq!(refresh(&mut alice), 401);
    let offer = alice.sdp();
    let pstn = format!("sip:{NUMBER}@{DOMAIN}");
    assert_eq!(alice.request("INVITE", &pstn, &pstn, &[], &offer).status(), 401);
    alice.password = "mending-4-kettles".to_owned();
    assert_eq!(refresh(&mut alice), 200);
}

#[test]
fn a_user_registered_by_tcp_calls_by_nothing_weaker_and_by_more_or_less_as_the_operator_wishes() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut stream = Phone::tcp(&server, "alice");
    let mut datagrams = Phone::udp(&server, net.host(10), "alice");
    let pstn = format!("sip:{NUMBER}@{DOMAIN}");
    // Who has not registered anywhere may call by any way.
    let may_call = |phone: &mut Phone, carrier: &mut Phone| {
        let offer = phone.sdp();
        let invite = phone.invite(NUMBER, &[], &offer);
        carrier.pick_up();
        let (mut dialog, _) = phone.await_answer(&invite);
        phone.hang_up(&mut dialog);
        carrier.await_bye();
    };
    may_call(&mut datagrams, &mut carrier);
    stream.register();
    let offer = datagrams.sdp();
    assert_eq!(datagrams.request("INVITE", &pstn, &pstn, &[], &offer).status(), 403);
    let text = ["Content-Type: text/plain".to_owned()];
    let to = format!("sip:alice@{DOMAIN}");
    assert_eq!(datagrams.request("MESSAGE", &to, &to, &text, "hello").status(), 403);
    may_call(&mut stream, &mut carrier);
    server.ok(&["config", "set", "stricttransport", "0"]);
    may_call(&mut datagrams, &mut carrier);
    // Registered by datagrams too, from there: at 2 not from another address.
    datagrams.register();
    server.ok(&["config", "set", "stricttransport", "2"]);
    may_call(&mut datagrams, &mut carrier);
    let mut elsewhere = Phone::udp(&server, net.host(11), "alice");
    let offer = elsewhere.sdp();
    assert_eq!(elsewhere.request("INVITE", &pstn, &pstn, &[], &offer).status(), 403);
    server.ok(&["config", "set", "stricttransport", "1"]);
    may_call(&mut elsewhere, &mut carrier);
}
