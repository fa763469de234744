//! Carriers that ask for our digest: answered in their own realm, once more when only the nonce was stale, and never twice in vain.

use std::time::Duration;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::message::{Sip, parameter};
use crate::network::Network;
use crate::phone::Phone;
use crate::server::{Server, until};
use crate::world::{self, CARRIER, NUMBER, SECOND_CARRIER, add_carrier, add_prepaid, assert_books_balance};

const NAME: &str = "customer-7";
const SECRET: &str = "secret-7-secret";
const REALM: &str = "carrier.example";

/// How a carrier asks.
#[derive(Clone, Copy)]
struct Asks {
    status: u16,
    algorithm: &'static str,
    nonce: &'static str,
    stale: bool,
}

impl Asks {
    fn header(self) -> String {
        let name = if self.status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        let stale = if self.stale { ", stale=true" } else { "" };
        let Asks { algorithm, nonce, .. } = self;
        format!("{name}: Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
    }

    /// Whether the request proves that its sender knows the secret, reckoned from the RFC alone.
    fn is_answered_by(self, request: &Sip) -> bool {
        let name = if self.status == 401 { "Authorization" } else { "Proxy-Authorization" };
        let proof = request.header(name);
        let of = |name| parameter(proof, name).unwrap_or_default();
        let hash = |text: String| match self.algorithm {
            "MD5" => hex::encode(Md5::digest(text)),
            _ => hex::encode(Sha256::digest(text)),
        };
        let (uri, nc) = (request.start.split(' ').nth(1).unwrap_or_default(), of("nc"));
        let ha1 = hash(format!("{NAME}:{REALM}:{SECRET}"));
        let ha2 = hash(format!("{}:{uri}", request.method()));
        let right = hash(format!("{ha1}:{}:{nc}:{}:auth:{ha2}", self.nonce, of("cnonce")));
        of("response") == right && nc == "00000001" && of("uri") == uri && of("nonce") == self.nonce
    }
}

/// Two carriers, of which the first asks for proof in `realms`.
fn server(net: &Network, shards: u16, realms: &str) -> Server {
    let server = Server::at(net).shards(shards).start();
    world::open_roads(&server, net.sip(CARRIER));
    server.ok(&["trunk", "set", "carrier", "--username", NAME, "--password", SECRET, "--realm", realms]);
    add_carrier(&server, "second", net.sip(SECOND_CARRIER), 2);
    add_prepaid(&server, "alice", "10.00");
    server
}

/// Has a request with such a proof come? Waits for it; anything else of the method is a failure.
#[track_caller]
fn await_proof(carrier: &mut Phone, method: &str, asks: Asks) -> Sip {
    let request = carrier.await_message(&format!("a {method} with proof"), |m| {
        m.status() == 0
            && m.method() == method
            && (m.header("Authorization").len() + m.header("Proxy-Authorization").len()) > 0
    });
    assert!(asks.is_answered_by(&request), "{request:#?}");
    request
}

#[test]
fn a_carriers_challenge_to_our_call_is_answered_by_either_status_and_algorithm() {
    for (status, algorithm, shards) in [(401, "MD5", 1), (407, "MD5", 3), (401, "SHA-256", 3), (407, "SHA-256", 1)] {
        let net = Network::lease();
        let server = server(&net, shards, REALM);
        let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
        let mut alice = Phone::udp(&server, net.host(10), "alice");
        let offer = alice.sdp();
        let invite = alice.invite(NUMBER, &[], &offer);
        let first = carrier.await_request("INVITE");
        let asks = Asks { status, algorithm, nonce: "n1", stale: false };
        carrier.answer(&first, status, &[asks.header()], "");
        carrier.await_request("ACK");
        let second = await_proof(&mut carrier, "INVITE", asks);
        assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
        assert!(second.cseq() > first.cseq());
        // The nonce was too old: the secret is right, and is proven once more.
        let again = Asks { nonce: "n2", stale: true, ..asks };
        carrier.answer(&second, status, &[again.header()], "");
        carrier.await_request("ACK");
        let third = await_proof(&mut carrier, "INVITE", again);
        carrier.answer(&third, 200, &[], &carrier.sdp());
        carrier.await_request("ACK");
        let (mut dialog, _) = alice.await_answer(&invite);
        alice.hang_up(&mut dialog);
        // A carrier may ask inside the dialog as well.
        let bye = carrier.await_request("BYE");
        let within = Asks { nonce: "n3", ..asks };
        carrier.answer(&bye, status, &[within.header()], "");
        let bye = await_proof(&mut carrier, "BYE", within);
        carrier.answer(&bye, 200, &[], "");
        server.await_quiet();
        let cdr = server.only_cdr();
        assert_eq!((&cdr["status"], &cdr["trunk_out"]), (&"answered".into(), &"carrier".into()), "{cdr:#}");
        assert_books_balance(&server, "alice");
    }
}

#[test]
fn wrong_credentials_are_not_tried_again_and_the_next_carrier_is() {
    let net = Network::lease();
    let server = server(&net, 3, REALM);
    server.ok(&["trunk", "set", "carrier", "--username", NAME, "--password", "not-the-right-one"]);
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut next = Phone::udp(&server, net.host(SECOND_CARRIER), "second");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    for nonce in ["n1", "n2"] {
        let asked = carrier.await_request("INVITE");
        let asks = Asks { status: 407, algorithm: "MD5", nonce, stale: false };
        assert!(!asks.is_answered_by(&asked));
        carrier.answer(&asked, 407, &[asks.header()], "");
        carrier.await_request("ACK");
    }
    next.pick_up();
    carrier.expect_none("a third try", Duration::from_millis(700), |m| m.method() == "INVITE" && m.status() == 0);
    let (mut dialog, _) = alice.await_answer(&invite);
    alice.hang_up(&mut dialog);
    next.await_bye();
    server.await_quiet();
    assert_eq!(server.only_cdr()["trunk_out"], "second");
    assert_books_balance(&server, "alice");
}

#[test]
fn another_realm_gets_no_proof_and_the_next_carrier_gets_the_call() {
    let net = Network::lease();
    let server = server(&net, 1, "ours.example");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut next = Phone::udp(&server, net.host(SECOND_CARRIER), "second");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    let asked = carrier.await_request("INVITE");
    let asks = Asks { status: 401, algorithm: "MD5", nonce: "n1", stale: false };
    carrier.answer(&asked, 401, &[asks.header()], "");
    next.pick_up();
    let (mut dialog, _) = alice.await_answer(&invite);
    carrier.expect_none("a proof", Duration::from_millis(700), |m| {
        !m.header("Authorization").is_empty() || !m.header("Proxy-Authorization").is_empty()
    });
    alice.hang_up(&mut dialog);
    next.await_bye();
}

#[test]
fn our_registration_is_proven_in_any_way_a_carrier_asks() {
    for (status, algorithm, shards) in [(401, "SHA-256", 1), (407, "MD5", 3)] {
        let net = Network::lease();
        let server = Server::at(&net).shards(shards).start();
        let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
        let address = net.sip(CARRIER).to_string();
        let login = ["--username", NAME, "--password", SECRET, "--realm", REALM, "--register"];
        server.ok(&[&["trunk", "add", "carrier", "--egress", "--address", &address], &login[..]].concat());
        let first = carrier.await_request("REGISTER");
        let asks = Asks { status, algorithm, nonce: "n1", stale: false };
        carrier.answer(&first, status, &[asks.header()], "");
        let second = await_proof(&mut carrier, "REGISTER", asks);
        let again = Asks { nonce: "n2", stale: true, ..asks };
        carrier.answer(&second, status, &[again.header()], "");
        let third = await_proof(&mut carrier, "REGISTER", again);
        carrier.answer(&third, 200, &[format!("Contact: {};expires=60", third.header("Contact"))], "");
        until("the trunk is registered", Duration::from_secs(5), || {
            server.json(&["trunk", "show", "carrier"])["health"]["registered"] == true
        });
    }
}

#[test]
fn a_registration_that_is_refused_is_not_tried_in_a_circle() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let address = net.sip(CARRIER).to_string();
    let login = ["--username", NAME, "--password", "not-the-right-one", "--realm", REALM, "--register"];
    server.ok(&[&["trunk", "add", "carrier", "--egress", "--address", &address], &login[..]].concat());
    for nonce in ["n1", "n2"] {
        let asked = carrier.await_request("REGISTER");
        let asks = Asks { status: 401, algorithm: "MD5", nonce, stale: false };
        assert!(!asks.is_answered_by(&asked));
        carrier.answer(&asked, 401, &[asks.header()], "");
    }
    carrier.expect_none("a third try", Duration::from_secs(2), |m| m.method() == "REGISTER");
    assert_eq!(server.json(&["trunk", "show", "carrier"])["health"]["registered"], false);
}
