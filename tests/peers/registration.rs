//! Phones register: proof, refresh, several devices, what a stranger learns, what survives a restart.

use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, until};
use crate::sipp::Sipp;
use crate::world::add_user;

fn bindings(server: &Server, user: &str) -> usize {
    server.rows(&["registration", "list", "--user", user]).len()
}

#[test]
fn sipp_registers_and_unregisters_with_md5() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    Sipp::new(&server, net.host(10), "register").user("alice").word("expires", 300).run();
    let rows = server.rows(&["registration", "list", "--user", "alice"]);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["user"], "alice");
    assert!(rows[0]["source"].as_str().unwrap().starts_with(&net.host(10).to_string()), "{rows:#?}");
    Sipp::new(&server, net.host(10), "register").user("alice").word("expires", 0).run();
    assert_eq!(bindings(&server, "alice"), 0);
}

#[test]
fn sipp_registers_over_tcp() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    Sipp::new(&server, net.host(10), "register").user("alice").word("expires", 300).tcp().run();
}

#[test]
fn a_phone_that_knows_sha_256_uses_it_and_one_that_knows_md5_uses_that() {
    let net = Network::lease();
    let server = Server::at(&net).algorithms("both").start();
    for (host, user, algorithm) in [(10, "alice", "SHA-256"), (11, "bob", "MD5")] {
        add_user(&server, user, &[]);
        let mut phone = Phone::udp(&server, net.host(host), user);
        phone.algorithm = algorithm;
        phone.register();
        assert_eq!(bindings(&server, user), 1);
        // What this device answered last is what it is asked first.
        let again = phone.register_with(&[format!("Contact: {}", phone.contact()), "Expires: 3600".to_owned()]);
        assert_eq!(again.status(), 200);
    }
}

#[test]
fn a_phone_registers_over_tcp_and_is_called_on_that_connection() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut bob = Phone::tcp(&server, "bob");
    bob.register();
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let (mut at_bob, _) = bob.pick_up();
    let (_, _) = alice.await_answer(&invite);
    bob.hang_up(&mut at_bob);
    alice.await_bye();
    server.await_quiet();
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let refused = |host: u8, name: &str| {
        let mut phone = Phone::udp(&server, net.host(host), name);
        phone.password = "guessed".to_owned();
        let answer = phone.register_with(&[format!("Contact: {}", phone.contact()), "Expires: 300".to_owned()]);
        let names: Vec<String> = answer.names().into_iter().map(str::to_owned).collect();
        (answer.status(), answer.start.clone(), names)
    };
    let (known, unknown) = (refused(10, "alice"), refused(11, "nobody"));
    assert_eq!(known, unknown);
    assert!(matches!(known.0, 401 | 403), "{known:?}");
    assert_eq!(bindings(&server, "alice"), 0);
}

#[test]
fn several_devices_of_a_user_ring_and_the_first_to_answer_has_the_call() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut desk = Phone::udp(&server, net.host(11), "bob");
    let mut mobile = Phone::udp(&server, net.host(12), "bob");
    desk.register();
    mobile.register();
    assert_eq!(bindings(&server, "bob"), 2);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let at_desk = desk.await_request("INVITE");
    desk.answer(&at_desk, 180, &[], "");
    let (mut at_mobile, _) = mobile.pick_up();
    let (_, _) = alice.await_answer(&invite);
    let cancel = desk.await_request("CANCEL");
    desk.answer(&cancel, 200, &[], "");
    desk.answer(&at_desk, 487, &[], "");
    desk.await_request("ACK");
    mobile.hang_up(&mut at_mobile);
    alice.await_bye();
    server.await_quiet();
    assert_eq!(server.await_cdrs(1)[0]["status"], "answered");
}

#[test]
fn a_registration_too_short_is_told_the_least() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let mut phone = Phone::udp(&server, net.host(10), "alice");
    let contact = format!("Contact: {}", phone.contact());
    let answer = phone.register_with(&[contact, "Expires: 2".to_owned()]);
    assert_eq!(answer.status(), 423, "{answer:#?}");
    assert!(answer.header("Min-Expires").parse::<u32>().unwrap() > 2, "{answer:#?}");
    assert_eq!(bindings(&server, "alice"), 0);
}

#[test]
fn a_fetch_lists_the_bindings_and_a_star_removes_them() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let mut phone = Phone::udp(&server, net.host(10), "alice");
    phone.register();
    // A fetch is a REGISTER without Contact.
    let (registrar, aor) = (format!("sip:{DOMAIN}"), format!("sip:alice@{DOMAIN}"));
    let fetched = phone.request("REGISTER", &registrar, &aor, &["Contact:".to_owned()], "");
    assert_eq!(fetched.status(), 200, "{fetched:#?}");
    assert!(fetched.contact().contains("alice"), "{fetched:#?}");
    let gone = phone.register_with(&["Contact: *".to_owned(), "Expires: 0".to_owned()]);
    assert_eq!(gone.status(), 200, "{gone:#?}");
    assert_eq!(bindings(&server, "alice"), 0);
}

#[test]
fn nobody_registers_for_somebody_else() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "mallory"] {
        add_user(&server, user, &[]);
    }
    let mut mallory = Phone::udp(&server, net.host(10), "mallory");
    let to_alice = format!("sip:alice@{DOMAIN}");
    let answer = mallory.request("REGISTER", &format!("sip:{DOMAIN}"), &to_alice, &["Expires: 300".to_owned()], "");
    assert!(answer.status() >= 400, "{answer:#?}");
    assert_eq!(bindings(&server, "alice"), 0);
}

#[test]
fn bindings_survive_kill_and_restart() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    // A binding is written behind, within a second or two: what the phone was told is what the store knows a moment later.
    crate::server::let_pass(Duration::from_secs(3));
    server.kill();
    server.start_again();
    until("the binding is back", Duration::from_secs(10), || bindings(&server, "bob") == 1);
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let (mut at_bob, _) = bob.pick_up();
    alice.await_answer(&invite);
    bob.hang_up(&mut at_bob);
    alice.await_bye();
}

#[test]
fn a_disabled_user_loses_his_bindings_and_may_not_register() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let mut phone = Phone::udp(&server, net.host(10), "alice");
    phone.register();
    server.ok(&["user", "disable", "alice"]);
    until("the binding is gone", Duration::from_secs(10), || bindings(&server, "alice") == 0);
    let answer = phone.register_with(&[format!("Contact: {}", phone.contact()), "Expires: 300".to_owned()]);
    assert!(answer.status() >= 400, "{answer:#?}");
    server.ok(&["user", "enable", "alice"]);
    phone.register();
}

#[test]
fn wrong_passwords_under_sipp_are_refused() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let run = Sipp::new(&server, net.host(10), "register_refused").word("user", "alice").word("password", "wrong");
    run.word("status", 401).run();
    assert_eq!(bindings(&server, "alice"), 0);
}
