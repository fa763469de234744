//! One packet after the other, with its verdict.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::plan::SidePlan;

const A: &str = "198.51.100.7:4000";
const B: &str = "203.0.113.9:7000";
const EVIL: &str = "192.0.2.66:666";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn side(rtp: &str) -> SidePlan {
    let mut payloads = Payloads::default();
    for number in [0, 101] {
        payloads.list(number);
    }
    payloads.map("101 telephone-event/8000");
    let (rtp, mut rtcp) = (addr(rtp), addr(rtp));
    rtcp.set_port(rtp.port() + 1);
    let remote = Remote { rtp: Some(rtp), rtcp: Some(rtcp), trusted: true, signalled_from: rtp.ip() };
    SidePlan { remote: Some(remote), mux: false, receives: true, sends: true, payloads }
}

fn plan(kind: LineKind) -> LinePlan {
    LinePlan { kind, active: true, sides: [side(A), side(B)], nominal_pps: 50 }
}

fn stream(plan: &LinePlan) -> Stream {
    let mut stream = Stream::new(Mono::START);
    stream.apply(plan, [latch::Policy::Learn; 2], &Caps::OFF);
    stream.set_gate(Gate::Open);
    stream
}

fn speech(payload_type: u8, ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.resize(172, 0xd5);
    packet
}

fn report() -> Vec<u8> {
    vec![0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 3, 0, 0, 0, 7, 1, 4, b'h', b'o', b's', b't', 0, 0]
}

fn step(
    stream: &mut Stream,
    leg: Leg,
    component: Component,
    source: &str,
    packet: &[u8],
    ms: u64,
) -> Result<String, Reason> {
    let mut packet = packet.to_vec();
    let mut arrival = Arrival {
        leg,
        component,
        packet: &mut packet,
        source: addr(source),
        now: Mono::from_millis(ms),
        open_until: Mono::from_millis(60_000),
    };
    match stream.step(&mut arrival) {
        Verdict::Forward { to, .. } => Ok(to.to_string()),
        Verdict::Drop(reason) => Err(reason),
    }
}

#[test]
fn packets_of_a_talk() {
    use Component::{Rtcp, Rtp};
    let mut stream = stream(&plan(LineKind::Audio));
    let to = |text: &str| Ok(text.to_owned());
    for (leg, component, source, packet, ms, verdict) in [
        // leg    port  source               packet              ms     verdict
        (Leg::A, Rtp, A, speech(0, 1, 10), 0, to(B)),
        (Leg::B, Rtp, B, speech(0, 2, 10), 5, to(A)),
        (Leg::A, Rtp, EVIL, speech(0, 1, 11), 10, Err(Reason::Source)),
        (Leg::A, Rtp, A, speech(101, 1, 11), 20, to(B)),
        (Leg::A, Rtp, A, speech(13, 1, 12), 40, to(B)),
        (Leg::A, Rtp, A, speech(96, 1, 13), 60, Err(Reason::PayloadType)),
        (Leg::A, Rtp, A, speech(0, 9, 14), 70, Err(Reason::Stray)),
        (Leg::A, Rtp, A, speech(0, 1, 9000), 80, Err(Reason::Stray)),
        (Leg::A, Rtp, A, vec![0; 172], 90, Err(Reason::Malformed)),
        (Leg::A, Rtp, A, vec![], 90, Err(Reason::Malformed)),
        // RTCP has a port of its own, and a source at the same host.
        (Leg::A, Rtcp, "198.51.100.7:4001", report(), 100, to("203.0.113.9:7001")),
        (Leg::A, Rtcp, EVIL, report(), 100, Err(Reason::Source)),
        (Leg::A, Rtcp, "198.51.100.7:4001", speech(0, 1, 15), 100, Err(Reason::Malformed)),
        (Leg::A, Rtp, A, report(), 100, Err(Reason::PayloadType)),
        // Paid time.
        (Leg::A, Rtp, A, speech(0, 1, 15), 59_999, to(B)),
        (Leg::A, Rtp, A, speech(0, 1, 16), 60_000, Err(Reason::Unpaid)),
        (Leg::A, Rtcp, "198.51.100.7:4001", report(), 60_000, Err(Reason::Unpaid)),
    ] {
        assert_eq!(
            step(&mut stream, leg, component, source, &packet, ms),
            verdict,
            "{leg:?} {component:?} {source} {ms}"
        );
    }
    assert_eq!(stream.source(Leg::A), Some(addr(A)));
}

#[test]
fn gate_hold_and_unknown_targets_stop_packets() {
    for (gate, receives, known, from_a, from_b) in [
        (Gate::Open, true, true, Ok(B.to_owned()), Ok(A.to_owned())),
        (Gate::ToCallerOnly, true, true, Err(Reason::Gated), Ok(A.to_owned())),
        (Gate::Closed, true, true, Err(Reason::Gated), Err(Reason::Gated)),
        (Gate::Open, false, true, Err(Reason::Held), Ok(A.to_owned())),
        (Gate::Open, true, false, Err(Reason::NoTarget), Err(Reason::Source)),
    ] {
        let mut plan = plan(LineKind::Audio);
        plan.sides[1].receives = receives;
        if !known {
            plan.sides[1].remote = None;
        }
        let mut stream = stream(&plan);
        stream.set_gate(gate);
        assert_eq!(step(&mut stream, Leg::A, Component::Rtp, A, &speech(0, 1, 1), 0), from_a, "{gate:?}");
        assert_eq!(step(&mut stream, Leg::B, Component::Rtp, B, &speech(0, 1, 1), 0), from_b, "{gate:?}");
    }
    let mut plan = plan(LineKind::Audio);
    plan.active = false;
    assert_eq!(step(&mut stream(&plan), Leg::A, Component::Rtp, A, &speech(0, 1, 1), 0), Err(Reason::Declined));
}

#[test]
fn muxing_is_each_legs_own() {
    let mut plan = plan(LineKind::Audio);
    plan.sides[0].mux = true;
    let mut stream = stream(&plan);
    let rtcp_b = "203.0.113.9:7001".to_owned();
    assert_eq!(step(&mut stream, Leg::A, Component::Rtp, A, &report(), 0), Ok(rtcp_b));
    assert_eq!(step(&mut stream, Leg::B, Component::Rtcp, "203.0.113.9:7001", &report(), 0), Ok(A.to_owned()));
    assert_eq!(step(&mut stream, Leg::B, Component::Rtp, B, &report(), 0), Err(Reason::PayloadType));
}

#[test]
fn fax_needs_no_rtp_header() {
    let mut stream = stream(&plan(LineKind::Udptl));
    assert_eq!(step(&mut stream, Leg::A, Component::Rtp, A, &[0, 1, 2], 0), Ok(B.to_owned()));
    assert_eq!(step(&mut stream, Leg::A, Component::Rtp, EVIL, &[0, 1, 2], 0), Err(Reason::Source));
}

#[test]
fn a_video_line_may_have_many_talkers() {
    let mut stream = stream(&plan(LineKind::Video));
    for talker in 0..5 {
        assert_eq!(step(&mut stream, Leg::A, Component::Rtp, A, &speech(0, talker, 9000), 0), Ok(B.to_owned()));
    }
}

#[test]
fn a_flood_is_cut_at_four_times_the_nominal_rate() {
    let mut stream = stream(&plan(LineKind::Audio));
    let passed = (0..20_000u16)
        .filter(|n| {
            // Ten thousand a second from a stranger do not spend what the phone may send.
            let _ = step(&mut stream, Leg::A, Component::Rtp, EVIL, &speech(0, 1, *n), u64::from(*n) / 4);
            step(&mut stream, Leg::A, Component::Rtp, A, &speech(0, 1, *n), u64::from(*n) / 4).is_ok()
        })
        .count();
    assert!((1190..=1210).contains(&passed), "{passed}: a second's worth at once, then 200 a second for five");
}

#[test]
fn an_unchanged_address_keeps_its_latch() {
    let mut plan = plan(LineKind::Audio);
    let mut stream = stream(&plan);
    let moved = "198.51.100.7:4444";
    assert_eq!(step(&mut stream, Leg::A, Component::Rtp, moved, &speech(0, 1, 1), 0), Ok(B.to_owned()));
    plan.nominal_pps = 100;
    stream.apply(&plan, [latch::Policy::Learn; 2], &Caps::OFF);
    assert_eq!(stream.source(Leg::A), Some(addr(moved)));
    stream.relatch(Leg::A);
    assert_eq!(stream.source(Leg::A), None);
    plan.sides[0] = side("198.51.100.8:4000");
    stream.apply(&plan, [latch::Policy::Learn; 2], &Caps::OFF);
    assert_eq!(step(&mut stream, Leg::A, Component::Rtp, moved, &speech(0, 1, 2), 0), Err(Reason::Source));
}

#[test]
fn what_a_leg_sent_is_summed_up() {
    let mut stream = stream(&plan(LineKind::Audio));
    for n in (0..1000u16).filter(|n| n % 100 != 7) {
        let now = Duration::from_millis(u64::from(n) * 20).as_millis() as u64;
        step(&mut stream, Leg::A, Component::Rtp, A, &speech(0, 1, n), now).unwrap();
    }
    let heard = stream.summary(Leg::A);
    assert_eq!((heard.lost, heard.loss_e4, heard.jitter_us), (10, 100, 0));
    assert_eq!(stream.summary(Leg::B).mos_e2, None);
}

proptest! {
    #[test]
    fn no_datagram_panics(packets in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..3usize, proptest::collection::vec(any::<u8>(), 0..80)), 0..40), kind in 0..3usize) {
        let mut stream = stream(&plan([LineKind::Audio, LineKind::Video, LineKind::Udptl][kind]));
        for (ms, (leg, component, source, mut packet)) in packets.into_iter().enumerate() {
            if let Some(first) = packet.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            let leg = if leg { Leg::A } else { Leg::B };
            let component = if component { Component::Rtp } else { Component::Rtcp };
            let _ = step(&mut stream, leg, component, [A, B, EVIL][source], &packet, ms as u64);
        }
    }
}
