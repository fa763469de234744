//! CPU time of a media thread per relayed packet, on the loopback.
//!
//! `cargo run --release -p tollgate-actors --example relay_cpu [calls] [seconds]`
#![allow(clippy::print_stdout, reason = "it is what it is for")]

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tollgate_actors::relay::{Ask, Clock, Relay, RelayConfig};
use tollgate_media::latch::Policy;
use tollgate_media::payload::Payloads;
use tollgate_media::plan::{LineKind, LinePlan, Remote, SidePlan};
use tollgate_media::relay::Gate;
use tollgate_media::{Families, Leg, Plan};
use tollgate_types::{CallId, Mono, Seed};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let calls: usize = args.next().map_or(Ok(200), |arg| arg.parse())?;
    let seconds: u64 = args.next().map_or(Ok(10), |arg| arg.parse())?;
    rlimit::increase_nofile_limit(20_000)?;

    let config = RelayConfig { bind_v4: Some(HOST), most_sockets: calls * 4, ..RelayConfig::default() };
    let birth = Instant::now();
    let clock: Clock = Arc::new(move || Mono::from_micros(birth.elapsed().as_micros() as u64));
    let relay = Relay::start(&config, clock, Seed([1, 2, 3, 4]))?;
    let handle = relay.handle();

    let mut phones = Vec::new();
    for call in 0..calls {
        let pair = [phone()?, phone()?];
        let (tell, told) = mpsc::channel();
        let id = CallId::from_i64(call as i64);
        let ask = Ask { lines: 1, families: [Families::V4; 2], open_until: Mono::NEVER };
        handle.open(id, ask, move |opened| drop(tell.send(opened)));
        let opened = told.recv()??;
        handle.apply(id, plan([pair[0].local_addr()?, pair[1].local_addr()?]), [Policy::Learn; 2]);
        handle.gate(id, Gate::Open);
        for (phone, leg) in pair.into_iter().zip(Leg::BOTH) {
            let port = opened.ports.ours(leg, HOST).pairs[0].ok_or("no port")?.rtp;
            phones.push((phone, SocketAddr::new(HOST, port)));
        }
    }

    let (cpu_before, forwarded_before) = (media_cpu()?, forwarded(&relay));
    let mut buffer = [0; 2048];
    let (mut heard, mut said) = (0u64, 0u64);
    let start = Instant::now();
    for sequence in 0..(seconds * 50) as u16 {
        let tick = start + Duration::from_millis(20) * u32::from(sequence);
        std::thread::sleep(tick.saturating_duration_since(Instant::now()));
        for (index, (phone, to)) in phones.iter().enumerate() {
            while phone.recv_from(&mut buffer).is_ok() {
                heard += 1;
            }
            said += u64::from(phone.send_to(&speech(sequence, index as u32), to).is_ok());
            // Phones do not speak all at once: spread over the 20 ms, as well as the scheduler lets us.
            if index % 16 == 15 {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }
    std::thread::sleep(Duration::from_millis(50));
    let (cpu, forwarded) = (media_cpu()? - cpu_before, forwarded(&relay) - forwarded_before);
    println!(
        "{calls} calls, {:.1} s: {said} sent, {forwarded} relayed, {heard} read; {:.2} µs CPU a packet, {:.1} % of a core",
        start.elapsed().as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / forwarded as f64,
        cpu.as_secs_f64() * 100.0 / start.elapsed().as_secs_f64(),
    );
    Ok(())
}

fn phone() -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((HOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn speech(sequence: u16, ssrc: u32) -> [u8; 172] {
    let mut packet = [0xd5; 172];
    packet[..2].copy_from_slice(&[0x80, 0]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    packet
}

fn plan(remotes: [SocketAddr; 2]) -> Plan {
    let mut payloads = Payloads::default();
    payloads.list(0);
    let side = |rtp: SocketAddr| SidePlan {
        remote: Some(Remote { rtp: Some(rtp), rtcp: None, trusted: true, signalled_from: rtp.ip() }),
        mux: false,
        receives: true,
        sends: true,
        payloads,
    };
    let line = LinePlan { kind: LineKind::Audio, active: true, sides: remotes.map(side), nominal_pps: 50 };
    Plan { lines: vec![line] }
}

fn forwarded(relay: &Relay) -> u64 {
    relay.handle().loads().map(|load| load.forwarded.load(Relaxed)).sum()
}

/// Time that threads called `media-…` have spent on a CPU.
fn media_cpu() -> Result<Duration, Box<dyn Error>> {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.starts_with("media-") {
            let schedstat = std::fs::read_to_string(task.join("schedstat"))?;
            nanos += schedstat.split_whitespace().next().ok_or("no schedstat")?.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}
