//! What the gate costs each message: its source's counters, the ban table and the verdict, as an edge asks them.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use divan::Bencher;
use tollgate_guard::ban::{Ban, BanTable, Reason, Verdict};
use tollgate_guard::sources::Facts;
use tollgate_guard::{Level, Policy, Scope, Seen, Sources};
use tollgate_types::{Mono, Seed, Wall};

const SOURCES: u32 = 4096;
const BANS: u32 = 20_000;

fn main() {
    divan::main();
}

fn address(number: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000u32 | number).to_be_bytes())
}

fn bans() -> BanTable {
    let mut table = BanTable::new(100_000, Seed([2; 4]));
    for number in 0..BANS {
        let scope = Scope::Ip(address(0x10_0000 + number));
        let until = Some(Wall::from_secs(100_000));
        let ban = Ban { scope, reason: Reason::Flood, evidence: String::new(), created: Wall::from_secs(0), until };
        table.ban(ban, Wall::from_secs(0)).expect("there is room");
    }
    table
}

/// One message of one of many sources, with so many bans in force.
fn message(bencher: Bencher<'_, '_>, first: u32, of: u32) {
    let (policy, table, mut sources) = (Policy::default(), bans(), Sources::new(65_536, Seed([1; 4])));
    let mut turn = 0u32;
    bencher.bench_local(|| {
        turn = turn.wrapping_add(1);
        let ip = address(first + turn.wrapping_mul(2_654_435_761) % of);
        let now = Mono::START + Duration::from_micros(u64::from(turn) * 10);
        let (standing, charge, in_second) = sources.hear(ip, now, &policy.limits, Facts::default);
        let banned = table.judge(SocketAddr::new(ip, 5060), Wall::from_secs(1)) == Verdict::Drop;
        let over_rate = in_second > policy.stranger_messages_per_second;
        let seen = Seen { banned, known: standing.proven, over_rate, ..Seen::default() };
        black_box((Level::Agents.judge(&seen), charge))
    });
}

#[divan::bench(sample_size = 2000)]
fn admitted(bencher: Bencher<'_, '_>) {
    message(bencher, 0, SOURCES);
}

#[divan::bench(sample_size = 2000)]
fn banned(bencher: Bencher<'_, '_>) {
    message(bencher, 0x10_0000, BANS);
}

#[divan::bench(sample_size = 2000)]
fn spoofed(bencher: Bencher<'_, '_>) {
    message(bencher, 0, 0x80_0000);
}
