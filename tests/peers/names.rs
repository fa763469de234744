//! Trunks by name: who calls is known by the addresses its name has today, and who is called is found as RFC 3263 says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use crate::dialog::Invite;
use crate::dns::{Dns, Record};
use crate::network::{Network, SIP};
use crate::phone::Phone;
use crate::server::{DOMAIN, Server, until};
use crate::world::{self, CARRIER, NUMBER, SECOND_CARRIER, add_prepaid, assert_books_balance, import_decks};

const NAME: &str = "in.carrier.example";
/// What a carrier hears that is known and calls a number that nobody has; and what a stranger hears.
const KNOWN: u16 = 404;
const STRANGER: u16 = 401;

/// The first answer to a call without any proof.
fn heard(phone: &mut Phone) -> u16 {
    let target = format!("sip:441632960099@{DOMAIN}");
    let headers = phone.plain_request("INVITE", &target, &[]);
    let call_id = headers.iter().find_map(|header| header.strip_prefix("Call-ID: ")).expect("it has one").to_owned();
    let offer = phone.sdp();
    phone.send(&format!("INVITE {target} SIP/2.0"), &headers, &offer);
    let answer = phone.await_message("an answer", |m| m.status() > 100 && m.header("Call-ID") == call_id);
    let invite = Invite { target, call_id, tag: String::new(), cseq: 1, headers };
    phone.acknowledge_refusal(&invite, &answer);
    answer.status()
}

fn addresses(all: &[Ipv4Addr]) -> Vec<Record> {
    all.iter().map(|address| Record::Address(IpAddr::V4(*address))).collect()
}

fn alerts(server: &Server, text: &str) -> usize {
    server.logged().lines().filter(|line| line.contains("trunk_host") && line.contains(text)).count()
}

#[test]
fn a_trunk_is_known_by_the_addresses_its_name_has_now_and_keeps_the_last_when_dns_fails() {
    let net = Network::lease();
    let dns = Dns::start(&net);
    let (first, second, third) = (net.host(30), net.host(31), net.host(32));
    dns.set(NAME, addresses(&[first, second]));
    let mut server = Server::at(&net).dns(dns.at()).start();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", NAME, "--auth", "ip"]);
    let mut phones = [first, second, third].map(|host| Phone::udp(&server, host, "carrier"));
    let mut all = |wanted: [u16; 3]| {
        until(&format!("the three addresses hear {wanted:?}"), Duration::from_secs(15), || {
            phones.each_mut().map(heard) == wanted
        });
    };
    all([KNOWN, KNOWN, STRANGER]);
    let shown = server.json(&["trunk", "show", "in"]);
    assert_eq!(shown["found_at"], serde_json::json!([first, second]), "{shown:#}");
    // Its name leads elsewhere: the old addresses are strangers'.
    dns.set(NAME, addresses(&[third]));
    all([STRANGER, STRANGER, KNOWN]);
    // What else the directory hears of does not make it forget.
    server.ok(&["user", "add", "somebody"]);
    all([STRANGER, STRANGER, KNOWN]);
    assert_eq!(alerts(&server, ""), 0);
    // DNS is down: what was found last holds, and that is said once.
    dns.break_down(true);
    until("the failure is told", Duration::from_secs(15), || alerts(&server, "is not found") > 0);
    let before = dns.asked(NAME);
    until("it is tried again and again", Duration::from_secs(30), || dns.asked(NAME) > before + 8);
    all([STRANGER, STRANGER, KNOWN]);
    assert_eq!(alerts(&server, "is not found"), 1, "once");
    // So is a name that has gone for good.
    dns.set(NAME, []);
    dns.break_down(false);
    let before = dns.asked(NAME);
    until("it is asked for", Duration::from_secs(15), || dns.asked(NAME) > before + 2);
    all([STRANGER, STRANGER, KNOWN]);
    dns.set(NAME, addresses(&[first]));
    all([KNOWN, STRANGER, STRANGER]);
    assert_eq!(alerts(&server, "is found again"), 1);
    // After a restart the trunk is known before the first packet is read.
    assert!(server.terminate().success());
    server.start_again();
    assert_eq!(heard(&mut phones[0]), KNOWN);
}

#[test]
fn a_trunk_may_come_from_the_servers_its_domain_names_and_by_ipv6() {
    let net = Network::lease();
    let dns = Dns::start(&net);
    dns.set(NAME, [Record::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))]);
    dns.set(&format!("_sip._udp.{NAME}"), [Record::Srv(1, 1, SIP, "gw.carrier.example".into())]);
    dns.set("gw.carrier.example", addresses(&[net.host(30)]));
    let port = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port();
    let server = Server::at(&net).dns(dns.at()).ipv6(port).start();
    server.ok(&["trunk", "add", "in", "--ingress", "--address", NAME, "--auth", "ip"]);
    let mut four = Phone::udp(&server, net.host(30), "carrier");
    let mut stranger = Phone::udp(&server, net.host(31), "carrier");
    let mut six = Phone::udp_ipv6(port, "carrier");
    until("both families are known", Duration::from_secs(15), || (heard(&mut four), heard(&mut six)) == (KNOWN, KNOWN));
    assert_eq!(heard(&mut stranger), STRANGER);
}

#[test]
fn a_carrier_is_found_by_naptr_and_srv_and_its_second_server_takes_over() {
    let net = Network::lease();
    let dns = Dns::start(&net);
    dns.set(
        "carrier.example",
        [
            Record::Naptr(20, 10, "SIP+D2T", "_sip._tcp.carrier.example".into()),
            Record::Naptr(10, 10, "SIP+D2U", "_sip._udp.pool.example".into()),
            Record::Address(IpAddr::V4(net.host(99))),
        ],
    );
    dns.set(
        "_sip._udp.pool.example",
        [Record::Srv(2, 1, SIP, "gw2.pool.example".into()), Record::Srv(1, 1, SIP, "gw1.pool.example".into())],
    );
    dns.set("gw1.pool.example", addresses(&[net.host(CARRIER)]));
    dns.set("gw2.pool.example", addresses(&[net.host(SECOND_CARRIER)]));
    // RFC 3261's timer B is 64 × T1: silence is noticed in a test's time.
    let server = Server::at(&net).dns(dns.at()).policy("sip.t1_ms", "\"50ms\"").start();
    import_decks(&server);
    server.ok(&["trunk", "add", "carrier", "--egress", "--address", "carrier.example", "--deck", "buy"]);
    server.ok(&["route", "add", "--prefix", "1", "--trunk", "carrier"]);
    add_prepaid(&server, "alice", "10.00");
    let mut first = Phone::udp(&server, net.host(CARRIER), "carrier");
    let mut second = Phone::udp(&server, net.host(SECOND_CARRIER), "carrier");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let offer = alice.sdp();
    // The first one is the first choice.
    let invite = alice.invite(NUMBER, &[], &offer);
    first.pick_up();
    let (mut dialog, _) = alice.await_answer(&invite);
    alice.hang_up(&mut dialog);
    first.await_bye();
    // RFC 3263 §4.3: 503 and silence lead to the next server.
    for answers in [true, false] {
        let offer = alice.sdp();
        let invite = alice.invite(NUMBER, &[], &offer);
        let asked = first.await_request("INVITE");
        if answers {
            first.answer(&asked, 503, &[], "");
        }
        second.pick_up();
        let (mut dialog, _) = alice.await_answer(&invite);
        alice.hang_up(&mut dialog);
        second.await_bye();
        world_is_quiet(&server);
    }
    let cdrs = server.await_cdrs(3);
    assert!(cdrs.iter().all(|cdr| cdr["status"] == "answered" && cdr["trunk_out"] == "carrier"), "{cdrs:#?}");
    assert_books_balance(&server, "alice");
}

fn world_is_quiet(server: &Server) {
    server.await_quiet();
    // A server that failed a call rests; each round begins with the first again.
    server.ok(&["trunk", "set", "carrier", "--max-lines", "10"]);
    assert_eq!(world::shown(server, "alice", "lines_in_use"), "0");
}
