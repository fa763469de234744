//! The relay on real sockets of the loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tollgate_media::latch::Policy;
use tollgate_media::payload::Payloads;
use tollgate_media::plan::{LineKind, LinePlan, Remote, SidePlan};
use tollgate_media::relay::{Component, Gate, Reason, Verdict};
use tollgate_media::{Families, Leg, Plan};
use tollgate_types::{CallId, Mono, Seed};

use super::*;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A relay on the loopback with a clock that tests step.
struct House {
    relay: Relay,
    time: Arc<AtomicU64>,
}

impl House {
    fn open(ports: &str, most_sockets: usize) -> House {
        let time = Arc::new(AtomicU64::new(1_000_000));
        let config = RelayConfig {
            bind_v4: Some(HOST),
            bind_v6: Some(HOST6),
            ports: ports.parse().unwrap(),
            most_sockets,
            ..RelayConfig::default()
        };
        let told = time.clone();
        let clock: Clock = Arc::new(move || Mono::from_micros(told.load(Relaxed)));
        House { relay: Relay::start(&config, clock, Seed([1, 2, 3, 4])).unwrap(), time }
    }

    fn pass(&self, time: Duration) {
        self.time.fetch_add(time.as_micros() as u64, Relaxed);
    }

    fn try_open(&self, call: i64, lines: usize, families: [Families; 2]) -> Result<Opened, RelayError> {
        let (tell, told) = mpsc::channel();
        let ask = Ask { lines, families, open_until: Mono::NEVER };
        self.relay.handle().open(CallId::from_i64(call), ask, move |opened| tell.send(opened).unwrap());
        told.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn close(&self, call: i64) -> Option<CallStats> {
        let (tell, told) = mpsc::channel();
        self.relay.handle().close(CallId::from_i64(call), move |stats| tell.send(stats).unwrap());
        told.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// One audio line between two phones, answered.
    fn talk(&self, call: i64, a: &Phone, b: &Phone) -> Opened {
        let families = [a, b].map(|phone| Families::of(phone.address().ip()));
        let opened = self.try_open(call, 1, families).unwrap();
        let handle = self.relay.handle();
        handle.apply(CallId::from_i64(call), plan([Some(a.remote()), Some(b.remote())]), [Policy::Learn; 2]);
        handle.gate(CallId::from_i64(call), Gate::Open);
        // Orders are obeyed in turn: when this one is, so are those.
        self.try_open(call, 1, families).unwrap();
        opened
    }
}

struct Phone(UdpSocket);

impl Phone {
    fn new(ip: IpAddr) -> Phone {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Phone(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn remote(&self) -> Remote {
        let rtp = Some(self.address());
        Remote { rtp, rtcp: None, trusted: true, signalled_from: self.address().ip() }
    }

    fn say(&self, to: SocketAddr, sequence: u16) {
        self.0.send_to(&speech(sequence), to).unwrap();
    }

    fn hears(&self) -> Option<u16> {
        let mut buffer = [0; 2048];
        let (length, _) = self.0.recv_from(&mut buffer).ok()?;
        assert_eq!(length, 172);
        Some(u16::from_be_bytes([buffer[2], buffer[3]]))
    }

    fn hears_nothing(&self) {
        self.0.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(self.hears().is_none());
        self.0.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    }
}

fn speech(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet.resize(172, 0xd5);
    packet
}

fn plan(remotes: [Option<Remote>; 2]) -> Plan {
    let mut payloads = Payloads::default();
    payloads.list(0);
    let side = |remote| SidePlan { remote, mux: false, receives: true, sends: true, payloads };
    let line = LinePlan { kind: LineKind::Audio, active: true, sides: remotes.map(side), nominal_pps: 50 };
    Plan { lines: vec![line] }
}

fn port(opened: &Opened, leg: Leg, ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, opened.ports.ours(leg, ip).pairs[0].unwrap().rtp)
}

#[test]
fn audio_flows_both_ways_and_is_counted() {
    let house = House::open("31000-31019", 100);
    let (a, b) = (Phone::new(HOST), Phone::new(HOST));
    let opened = house.talk(1, &a, &b);
    for sequence in 0..50 {
        a.say(port(&opened, Leg::A, HOST), sequence);
        b.say(port(&opened, Leg::B, HOST), sequence + 1000);
        assert_eq!((a.hears(), b.hears()), (Some(sequence + 1000), Some(sequence)));
        house.pass(Duration::from_millis(20));
    }
    assert_eq!(opened.shared.leg(Leg::A).packets(), 50);
    assert_eq!(opened.shared.leg(Leg::B).bytes(), 50 * 172);
    assert!(opened.shared.leg(Leg::A).last_packet().is_some());
    let stats = house.close(1).unwrap();
    let heard = stats.leg(Leg::A);
    assert_eq!((heard.packets, heard.lost, heard.jitter_us, heard.mos_e2), (50, 0, 0, Some(440)));
    assert_eq!(house.close(1), None);
}

#[test]
fn ipv4_and_ipv6_phones_hear_each_other() {
    let house = House::open("31020-31039", 100);
    let (a, b) = (Phone::new(HOST), Phone::new(HOST6));
    let opened = house.talk(1, &a, &b);
    a.say(port(&opened, Leg::A, HOST), 1);
    assert_eq!(b.hears(), Some(1));
    b.say(port(&opened, Leg::B, HOST6), 2);
    assert_eq!(a.hears(), Some(2));
}

#[test]
fn a_third_address_is_neither_heard_nor_told_anything() {
    let house = House::open("31040-31059", 100);
    let (a, b, evil) = (Phone::new(HOST), Phone::new(HOST), Phone::new("127.0.0.66".parse().unwrap()));
    let opened = house.talk(1, &a, &b);
    for sequence in 0..20 {
        evil.say(port(&opened, Leg::A, HOST), 5000 + sequence);
        evil.say(port(&opened, Leg::B, HOST), 6000 + sequence);
    }
    a.say(port(&opened, Leg::A, HOST), 1);
    b.say(port(&opened, Leg::B, HOST), 2);
    assert_eq!((b.hears(), a.hears()), (Some(1), Some(2)));
    for sequence in 0..20 {
        evil.say(port(&opened, Leg::A, HOST), 5020 + sequence);
    }
    a.hears_nothing();
    b.hears_nothing();
    evil.hears_nothing();
    assert_eq!(opened.shared.leg(Leg::A).drops(Reason::Source), 40);
}

#[test]
fn nothing_passes_when_paid_time_is_over() {
    let house = House::open("31060-31079", 100);
    let (a, b) = (Phone::new(HOST), Phone::new(HOST));
    let opened = house.talk(1, &a, &b);
    opened.shared.pay_until(Mono::from_micros(3_000_000));
    a.say(port(&opened, Leg::A, HOST), 1);
    assert_eq!(b.hears(), Some(1));
    house.pass(Duration::from_secs(2));
    a.say(port(&opened, Leg::A, HOST), 2);
    b.hears_nothing();
    assert_eq!(opened.shared.leg(Leg::A).drops(Reason::Unpaid), 1);
    opened.shared.pay_until(Mono::NEVER);
    a.say(port(&opened, Leg::A, HOST), 3);
    assert_eq!(b.hears(), Some(3));
}

#[test]
fn before_the_answer_only_the_caller_hears() {
    let house = House::open("31080-31099", 100);
    let (a, b) = (Phone::new(HOST), Phone::new(HOST));
    let opened = house.talk(1, &a, &b);
    house.relay.handle().gate(CallId::from_i64(1), Gate::ToCallerOnly);
    house.try_open(1, 1, [Families::V4; 2]).unwrap();
    b.say(port(&opened, Leg::B, HOST), 1);
    assert_eq!(a.hears(), Some(1));
    a.say(port(&opened, Leg::A, HOST), 1);
    b.hears_nothing();
}

#[test]
fn a_media_port_of_our_own_is_no_place_to_send_to() {
    let house = House::open("31100-31119", 100);
    let (a, b) = (Phone::new(HOST), Phone::new(HOST));
    let opened = house.talk(1, &a, &b);
    let own = Remote { rtp: Some(port(&opened, Leg::B, HOST)), ..b.remote() };
    house.relay.handle().apply(CallId::from_i64(1), plan([Some(a.remote()), Some(own)]), [Policy::Learn; 2]);
    house.try_open(1, 1, [Families::V4; 2]).unwrap();
    a.say(port(&opened, Leg::A, HOST), 1);
    b.hears_nothing();
    assert_eq!(opened.shared.leg(Leg::A).drops(Reason::NoTarget), 1);
}

#[test]
fn a_closed_port_rests_for_a_minute() {
    let house = House::open("31120-31123", 100);
    let first = house.try_open(1, 1, [Families::V4; 2]).unwrap();
    assert_eq!(house.try_open(2, 1, [Families::V4; 2]).unwrap_err(), RelayError::NoPorts);
    house.close(1);
    house.pass(Duration::from_secs(59));
    assert_eq!(house.try_open(2, 1, [Families::V4; 2]).unwrap_err(), RelayError::NoPorts);
    house.pass(Duration::from_secs(1));
    let second = house.try_open(2, 1, [Families::V4; 2]).unwrap();
    assert_eq!(first.ports.lines.len(), second.ports.lines.len());
}

#[test]
fn a_port_that_somebody_else_has_is_passed_over() {
    let _theirs = UdpSocket::bind((HOST, 31141)).unwrap();
    let house = House::open("31140-31145", 100);
    let opened = house.try_open(1, 1, [Families::V4; 2]).unwrap();
    let ports = [Leg::A, Leg::B].map(|leg| port(&opened, leg, HOST).port());
    assert!(ports.contains(&31142) && ports.contains(&31144), "{ports:?}");
}

#[test]
fn a_call_grows_by_lines_and_families_or_stays_as_it_was() {
    let house = House::open("31150-31163", 16);
    let first = house.try_open(1, 1, [Families::V4; 2]).unwrap();
    let more = house.try_open(1, 2, [Families::V4; 2]).unwrap();
    assert_eq!(more.ports.lines[0], first.ports.lines[0]);
    assert_eq!(more.ports.lines.len(), 2);
    assert!(more.ports.lines[1].iter().all(|leg| leg[0].is_some()));
    let both = house.try_open(1, 2, [Families::V4, Families::BOTH]).unwrap();
    assert!(both.ports.lines.iter().all(|line| line[1][1].is_some()));
    // Sixteen sockets are all it may have: twelve are open, a third line would need six more.
    assert_eq!(house.try_open(1, 3, [Families::V4; 2]).unwrap_err(), RelayError::NoSockets);
    let same = house.try_open(1, 2, [Families::V4; 2]).unwrap();
    assert_eq!(same.ports, both.ports);
    assert_eq!(house.relay.handle().loads().next().unwrap().sockets.load(Relaxed), 12);
    assert_eq!(house.close(1).unwrap().lines.len(), 2);
}

#[test]
fn a_thousand_streams_open_and_close_without_a_trace() {
    rlimit::increase_nofile_limit(20_000).unwrap();
    let house = House::open("32000-45999", 10_000);
    let fds = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = fds();
    for round in 0..3 {
        for call in 0..1000 {
            house.try_open(call, 1, [Families::V4; 2]).unwrap();
        }
        let load =
            || house.relay.handle().loads().next().map(|load| (load.calls.load(Relaxed), load.sockets.load(Relaxed)));
        assert_eq!(load(), Some((1000, 4000)), "round {round}");
        for call in 0..1000 {
            assert!(house.close(call).is_some());
        }
        assert_eq!(load(), Some((0, 0)));
        house.pass(Duration::from_secs(61));
    }
    // Other tests open sockets of their own meanwhile.
    assert!(fds() < before + 200, "{before} → {}", fds());
}

#[test]
fn a_fault_costs_its_stream_and_no_other() {
    let house = House::open("31180-31199", 100);
    let (a, b, c, d) = (Phone::new(HOST), Phone::new(HOST), Phone::new(HOST), Phone::new(HOST));
    let (bad, good) = (house.talk(1, &a, &b), house.talk(2, &c, &d));
    house.relay.handle().sabotage(CallId::from_i64(1));
    house.try_open(1, 1, [Families::V4; 2]).unwrap();
    for sequence in 0..3 {
        a.say(port(&bad, Leg::A, HOST), sequence);
        c.say(port(&good, Leg::A, HOST), sequence);
        assert_eq!(d.hears(), Some(sequence));
    }
    b.hears_nothing();
    assert_eq!(house.relay.handle().loads().next().unwrap().panics.load(Relaxed), 1);
    assert_eq!(bad.shared.leg(Leg::A).drops(Reason::Broken), 2);
    assert!(house.close(1).is_some() && house.close(2).is_some());
}

#[test]
fn the_network_speed_caps_all_and_a_share_of_it_each() {
    let house = House::open("31240-31259", 100);
    // 80 kbit/s are 10,000 bytes a second, a tenth of it 1,000: five packets at once.
    house.relay.handle().tune(&Tuning {
        stream_rate: None,
        network_kbit: Some(80),
        source_share: 10,
        ..Tuning::default()
    });
    let (a, b) = (Phone::new(HOST), Phone::new(HOST));
    let opened = house.talk(1, &a, &b);
    for sequence in 0..20 {
        a.say(port(&opened, Leg::A, HOST), sequence);
    }
    for sequence in 0..5 {
        assert_eq!(b.hears(), Some(sequence));
    }
    b.hears_nothing();
    assert_eq!(opened.shared.leg(Leg::A).drops(Reason::Rate), 15);
    // Two packets a second for all there are.
    house.relay.handle().tune(&Tuning {
        stream_rate: None,
        network_kbit: Some(3),
        source_share: 100,
        ..Tuning::default()
    });
    house.pass(Duration::from_secs(1));
    for sequence in 20..25 {
        a.say(port(&opened, Leg::A, HOST), sequence);
    }
    assert_eq!((b.hears(), b.hears()), (Some(20), Some(21)));
    b.hears_nothing();
    assert_eq!(opened.shared.leg(Leg::A).drops(Reason::Network), 3);
}

#[test]
fn any_bytes_are_survived() {
    let house = House::open("31200-31219", 100);
    let (a, b) = (Phone::new(HOST), Phone::new(HOST));
    let opened = house.talk(1, &a, &b);
    let to = port(&opened, Leg::A, HOST);
    for (length, fill) in
        [(0, 0), (1, 0x80), (11, 0x80), (12, 0xff), (200, 0xff), (1500, 0xbf), (4096, 0x80), (60_000, 0x80)]
    {
        a.0.send_to(&vec![fill; length], to).unwrap();
        a.0.send_to(&vec![fill; length], SocketAddr::new(HOST, to.port() + 1)).unwrap();
    }
    a.say(to, 7);
    assert_eq!(b.hears(), Some(7));
    assert!(opened.shared.leg(Leg::A).drops(Reason::Malformed) >= 8);
}

#[test]
fn after_the_relay_is_gone_orders_are_answered() {
    let house = House::open("31220-31239", 100);
    let handle = house.relay.handle();
    house.try_open(1, 1, [Families::V4; 2]).unwrap();
    drop(house);
    let (tell, told) = mpsc::channel();
    let ask = Ask { lines: 1, families: [Families::V4; 2], open_until: Mono::NEVER };
    handle.open(CallId::from_i64(2), ask, move |opened| tell.send(opened.map(|_| ())).unwrap());
    assert_eq!(told.recv().unwrap(), Err(RelayError::Stopped));
    handle.close(CallId::from_i64(1), |stats| assert_eq!(stats, None));
}

#[test]
fn a_bench_decides_without_sockets() {
    let (handle, bench) = RelayHandle::bench(
        &RelayConfig { bind_v4: Some(HOST), ..RelayConfig::default() },
        Arc::new(|| Mono::from_millis(1000)),
        Seed([1, 2, 3, 4]),
    );
    let call = CallId::from_i64(1);
    let (tell, told) = mpsc::channel();
    let ask = Ask { lines: 1, families: [Families::V4; 2], open_until: Mono::NEVER };
    handle.open(call, ask, move |opened| tell.send(opened).unwrap());
    let opened = told.try_recv().unwrap().unwrap();
    assert_eq!((opened.ports.lines.len(), bench.open_now()), (1, (1, 4)));
    let remote = |port| {
        let rtp = SocketAddr::new(HOST, port);
        Some(Remote { rtp: Some(rtp), rtcp: None, trusted: true, signalled_from: HOST })
    };
    handle.apply(call, plan([remote(4000), remote(5000)]), [Policy::Learn; 2]);
    handle.gate(call, Gate::Open);
    let verdict = bench.arrive(port(&opened, Leg::A, HOST), SocketAddr::new(HOST, 4000), &mut speech(1));
    let to = SocketAddr::new(HOST, 5000);
    assert_eq!(verdict, Some(Verdict::Forward { to, component: Component::Rtp }));
    assert_eq!(handle.address_toward("127.0.0.9".parse().unwrap()), Some(HOST));
}
