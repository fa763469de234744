//! What keeps ways open and finds dead ones: pings to phones behind NAT, OPTIONS to carriers.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::network::{Network, SIP, udp_at};
use crate::phone::Phone;
use crate::server::{Server, let_pass, until};
use crate::world::{self, CARRIER, NUMBER, SECOND_CARRIER, add_carrier, add_prepaid, add_user};

/// The datagrams that come within `time`.
fn datagrams(socket: &UdpSocket, time: Duration) -> Vec<Vec<u8>> {
    let (mut all, mut chunk, deadline) = (Vec::new(), [0; 4096], Instant::now() + time);
    while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left)).expect("a timeout");
        if let Ok(length) = socket.recv(&mut chunk) {
            all.push(chunk[..length].to_vec());
        }
    }
    all
}

#[test]
fn phones_behind_nat_are_pinged_as_often_as_the_setting_says_and_others_are_not() {
    const PHONES: u8 = 40;
    let net = Network::lease();
    let server = Server::at(&net).policy("sip.keepalive", "\"5s\"").start();
    for n in 0..PHONES {
        add_user(&server, &format!("phone{n}"), &[]);
    }
    // Behind NAT is whose Contact names another address than it is heard from.
    for n in 0..PHONES {
        let mut phone = Phone::udp(&server, net.host(100 + n), &format!("phone{n}"));
        let behind_nat = n % 2 == 0;
        let at = if behind_nat { "192.168.1.2:5060".to_owned() } else { format!("{}:{SIP}", net.host(100 + n)) };
        let contact = [format!("Contact: <sip:phone{n}@{at}>"), "Expires: 600".to_owned()];
        assert_eq!(phone.register_with(&contact).status(), 200);
    }
    let sockets: Vec<UdpSocket> = (0..PHONES).map(|n| udp_at((net.host(100 + n), SIP))).collect();
    let_pass(Duration::from_secs(16));
    for (n, socket) in sockets.iter().enumerate() {
        let pings = datagrams(socket, Duration::from_millis(20));
        assert!(pings.iter().all(|ping| ping == b"\r\n\r\n"), "phone{n}: {pings:?}");
        let wanted = if n % 2 == 0 { 2..=4 } else { 0..=0 };
        assert!(wanted.contains(&pings.len()), "phone{n} was pinged {} times in 16 s", pings.len());
    }
    server.ok(&["registration", "remove", &first_registration(&server, "phone0")]);
    let_pass(Duration::from_secs(1));
    datagrams(&sockets[0], Duration::from_millis(20));
    assert!(datagrams(&sockets[0], Duration::from_secs(7)).is_empty(), "who is gone is not pinged");
}

fn first_registration(server: &Server, user: &str) -> String {
    let rows = server.rows(&["registration", "list", "--user", user]);
    match &rows[0]["id"] {
        serde_json::Value::String(id) => id.clone(),
        id => id.to_string(),
    }
}

#[test]
fn a_connection_that_is_kept_alive_by_pings_gets_its_pongs_and_stays() {
    let net = Network::lease();
    let server = Server::at(&net).policy("sip.stream_idle", "\"10s\"").start();
    let mut streams: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(server.sip()).expect("the server listens")).collect();
    for _ in 0..4 {
        for stream in &mut streams {
            stream.write_all(b"\r\n\r\n").expect("it is open");
        }
        for stream in &mut streams {
            stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
            let mut pong = [0; 2];
            stream.read_exact(&mut pong).expect("a pong");
            assert_eq!(&pong, b"\r\n", "RFC 5626 §4.4.1");
        }
        let_pass(Duration::from_secs(4));
    }
}

#[test]
fn a_carrier_that_answers_no_options_is_left_out_and_comes_back() {
    dead_and_back(1);
}

#[test]
fn so_it_is_where_its_keeper_lives_on_any_of_three_shards() {
    dead_and_back(3);
}

fn dead_and_back(shards: u16) {
    let net = Network::lease();
    // RFC 3261's timer F is 64 × T1: silence is noticed in a test's time.
    let server = Server::at(&net).shards(shards).policy("sip.t1_ms", "\"50ms\"").start();
    world::open_roads(&server, net.sip(CARRIER));
    add_carrier(&server, "second", net.sip(SECOND_CARRIER), 2);
    server.ok(&["trunk", "set", "carrier", "--options-interval", "1"]);
    server.ok(&["trunk", "set", "second", "--options-interval", "0"]);
    add_prepaid(&server, "alice", "10.00");
    let well = || server.json(&["trunk", "show", "carrier"])["well"].clone();
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut second = Phone::udp(&server, net.host(SECOND_CARRIER), "carrier");
    let call = |alice: &mut Phone, carrier: &mut Phone| {
        let offer = alice.sdp();
        let invite = alice.invite(NUMBER, &[], &offer);
        carrier.pick_up();
        let (mut dialog, _) = alice.await_answer(&invite);
        alice.hang_up(&mut dialog);
        carrier.await_bye();
    };
    // Nobody is there.
    until("the carrier counts as dead", Duration::from_secs(20), || well() == false);
    let asked = Instant::now();
    call(&mut alice, &mut second);
    assert!(asked.elapsed() < Duration::from_secs(3), "a dead carrier costs no caller's time: {:?}", asked.elapsed());
    // It is there again.
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    until("the carrier counts as well", Duration::from_secs(20), || {
        answer_pings(&mut carrier);
        well() == true
    });
    call(&mut alice, &mut carrier);
    // It falls silent: the socket is there, and nobody answers.
    until("the carrier counts as dead again", Duration::from_secs(20), || well() == false);
    call(&mut alice, &mut second);
    let said: Vec<String> =
        server.logged().lines().filter(|line| line.contains("carrier_health")).map(str::to_owned).collect();
    assert!(said.len() >= 2, "an operator hears of both: {said:#?}");
}

fn answer_pings(carrier: &mut Phone) {
    while let Some(message) = carrier.receive(Duration::from_millis(300)) {
        if message.method() == "OPTIONS" && message.status() == 0 {
            carrier.answer(&message, 200, &[], "");
        }
    }
}
