//! What a decision of the fraud score costs, and what remembering costs.
//!
//! `cargo bench -p tollgate-guard`

use std::time::Duration;

use divan::Bencher;
use tollgate_guard::caller::{Finished, Policy as Callers, Proven, Roll, Subject};
use tollgate_guard::fraud::{Attempt, Ending, Policy, Profile, RECENT};
use tollgate_types::{CallId, Rate, Seed, TrunkId, Wall};

const NOW: Wall = Wall::from_secs(1_800_000_000);

fn main() {
    divan::main();
}

fn attempt(turn: u64) -> Attempt {
    Attempt {
        callee: (3_610_000_000 + turn * 7919).to_string().parse().expect("a number"),
        home: true,
        price: Rate::from_nanos(20_000_000),
        foreign: 0,
        night: false,
        wholesale: false,
    }
}

/// An account with so many attempts in the last ten minutes.
fn busy(attempts: usize) -> Profile {
    let (mut profile, policy) = (Profile::default(), Policy::default());
    for turn in 0..attempts as u64 {
        let (call, attempt) = (CallId::from_i64(turn as i64), attempt(turn));
        profile.begin(call, &attempt, &policy, NOW);
        profile.end(call, &attempt.callee, Ending::Good, NOW);
    }
    profile
}

/// What admission asks of each call by a carrier.
#[divan::bench(args = [0, 8, RECENT])]
fn score_of_an_attempt(bencher: Bencher<'_, '_>, attempts: usize) {
    let (profile, policy, next) = (busy(attempts), Policy::default(), attempt(1_000_000));
    bencher.bench(|| profile.standing(divan::black_box(&next), &policy, NOW));
}

/// What the Watcher does of each: a copy to publish, and the attempt in it.
#[divan::bench(args = [0, 8, RECENT])]
fn remembering_an_attempt(bencher: Bencher<'_, '_>, attempts: usize) {
    let (profile, policy, next) = (busy(attempts), Policy::default(), attempt(1_000_000));
    bencher.bench(|| {
        let mut copy = divan::black_box(&profile).clone();
        copy.begin(CallId::from_i64(-1), &next, &policy, NOW);
        copy
    });
}

/// A call counted for one of ten thousand callers.
#[divan::bench]
fn counting_a_call(bencher: Bencher<'_, '_>) {
    let (mut roll, policy) = (Roll::new(20_000, Seed([1; 4])), Callers::default());
    let callers: Vec<Subject> =
        (0..10_000).map(|number| Subject::Caller(Proven::Trunk(TrunkId(1)), number.to_string().into())).collect();
    let (mut turn, finished) = (0, Finished { talked: Some(Duration::from_secs(60)), callee: 7 });
    bencher.bench_local(|| {
        turn = (turn + 1) % callers.len();
        roll.count(&callers[turn], &finished, &policy, NOW)
    });
}
