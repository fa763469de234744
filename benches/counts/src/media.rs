//! A packet's way through the relay's decisions.

use std::hint::black_box;
use std::net::SocketAddr;

use tollgate_media::Leg;
use tollgate_media::latch::Policy;
use tollgate_media::payload::Payloads;
use tollgate_media::plan::{LineKind, LinePlan, Remote, SidePlan};
use tollgate_media::relay::{Arrival, Caps, Component, Gate, Stream};
use tollgate_types::Mono;

use crate::Piece;

/// A packet each 20 ms of one talk, accepted and forwarded.
pub fn relay_step() -> anyhow::Result<Piece> {
    let ends: [SocketAddr; 2] = ["198.51.100.7:4000".parse()?, "203.0.113.9:7000".parse()?];
    let mut payloads = Payloads::default();
    payloads.list(8);
    let side = |rtp: SocketAddr| SidePlan {
        remote: Some(Remote { rtp: Some(rtp), rtcp: None, trusted: true, signalled_from: rtp.ip() }),
        mux: false,
        receives: true,
        sends: true,
        payloads,
    };
    let plan = LinePlan { kind: LineKind::Audio, active: true, sides: ends.map(side), nominal_pps: 50 };
    let mut stream = Stream::new(Mono::START);
    stream.apply(&plan, [Policy::Learn; 2], &Caps::OFF);
    stream.set_gate(Gate::Open);
    let mut packet = [0xd5; 172];
    packet[..2].copy_from_slice(&[0x80, 8]);
    let mut sequence = 0u16;
    Ok(Box::new(move || {
        sequence = sequence.wrapping_add(1);
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
        let mut arrival = Arrival {
            leg: Leg::A,
            component: Component::Rtp,
            packet: &mut packet,
            source: ends[0],
            now: Mono::from_millis(1000 + u64::from(sequence) * 20),
            open_until: Mono::NEVER,
        };
        black_box(stream.step(black_box(&mut arrival)));
    }))
}
