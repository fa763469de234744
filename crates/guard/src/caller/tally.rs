//! How one caller's calls went within the period: twelve parts of it, of which the oldest falls out as time goes on.

use std::time::Duration;

use tollgate_types::Wall;

use super::settings::Policy;
use super::{CallerBan, settings};

const PARTS: u64 = 12;
/// Different numbers remembered at most: as many as the setting may ask for.
const CALLEES_MAX: usize = 500;

/// A call that ended and says something of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How long people talked; `None` where nobody answered.
    pub talked: Option<Duration>,
    /// The number called, as a hash.
    pub callee: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    parts: [Part; PARTS as usize],
    /// Number of the part that counts now, since 1970.
    current: u64,
    callees: Vec<u64>,
    callees_since: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    calls: u32,
    answered: u32,
    short: u32,
    talked_ms: u64,
}

/// What is too bad about a tally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Which setting names the limit.
    pub setting: &'static str,
    /// What was seen.
    pub observed: String,
    /// What is usual.
    pub limit: String,
}

impl Trip {
    /// The ban it makes.
    pub fn ban(self, policy: &Policy, now: Wall) -> CallerBan {
        let Trip { setting, observed, limit } = self;
        CallerBan { observed, limit, setting, since: now, until: now + policy.duration }
    }
}

impl Tally {
    /// Counts a call that ended at `now`, and judges the sample. A clock that turns back counts as no time.
    pub fn count(&mut self, finished: &Finished, policy: &Policy, now: Wall) -> Option<Trip> {
        self.slide(policy.period, now);
        let part = &mut self.parts[(self.current % PARTS) as usize];
        part.calls += 1;
        if let Some(talked) = finished.talked {
            part.answered += 1;
            part.short += u32::from(talked < policy.short);
            part.talked_ms += u64::try_from(talked.as_millis()).unwrap_or(u64::MAX) & 0xffff_ffff;
        }
        self.remember_callee(finished.callee, policy);
        self.judge(policy)
    }

    /// Starts again: the ban has spoken.
    pub fn clear(&mut self) {
        *self = Tally { current: self.current, ..Tally::default() };
    }

    fn judge(&self, policy: &Policy) -> Option<Trip> {
        let sum = self.sum();
        if sum.calls < policy.calls {
            return None;
        }
        let asr = sum.answered * 100 / sum.calls;
        if policy.asr.is_some_and(|least| asr < least) {
            return Some(Trip {
                setting: settings::ASR.name,
                observed: format!("{asr} % of {} calls answered", sum.calls),
                limit: format!("{} %", policy.asr.unwrap_or(0)),
            });
        }
        if let Some(most) = policy.callees
            && self.callees.len() >= most as usize
        {
            return Some(Trip {
                setting: settings::CALLEES.name,
                observed: format!("{} different numbers called", self.callees.len()),
                limit: format!("less than {most}"),
            });
        }
        // What follows is judged by answered calls alone.
        if sum.answered < policy.calls {
            return None;
        }
        let short = sum.short * 100 / sum.answered;
        if policy.short_share.is_some_and(|most| short >= most) {
            return Some(Trip {
                setting: settings::SHORT_SHARE.name,
                observed: format!("{short} % of {} answered calls short", sum.answered),
                limit: format!("less than {} %", policy.short_share.unwrap_or(100)),
            });
        }
        let mean = Duration::from_millis(sum.talked_ms / u64::from(sum.answered));
        policy.acd.filter(|least| mean < *least).map(|least| Trip {
            setting: settings::ACD.name,
            observed: format!("{} s a call on average of {}", mean.as_secs(), sum.answered),
            limit: format!("{} s", least.as_secs()),
        })
    }

    fn sum(&self) -> Part {
        self.parts.iter().fold(Part::default(), |sum, part| Part {
            calls: sum.calls.saturating_add(part.calls),
            answered: sum.answered.saturating_add(part.answered),
            short: sum.short.saturating_add(part.short),
            talked_ms: sum.talked_ms.saturating_add(part.talked_ms),
        })
    }

    /// Numbers are remembered only where there is a limit, for one period after the other.
    fn remember_callee(&mut self, callee: u64, policy: &Policy) {
        let Some(most) = policy.callees else {
            self.callees = Vec::new();
            return;
        };
        if self.current.saturating_sub(self.callees_since) >= PARTS {
            self.callees.clear();
            self.callees_since = self.current;
        }
        if self.callees.len() < CALLEES_MAX.min(most as usize) && !self.callees.contains(&callee) {
            self.callees.push(callee);
        }
    }

    fn slide(&mut self, period: Duration, now: Wall) {
        let part_secs = (period.as_secs() / PARTS).max(1);
        let number = u64::try_from(now.secs()).unwrap_or(0) / part_secs;
        for step in 1..=number.saturating_sub(self.current).min(PARTS) {
            self.parts[((self.current + step) % PARTS) as usize] = Part::default();
        }
        self.current = self.current.max(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    /// A caller's calls one after the other, `pause` seconds apart; after how many, and by which setting, he is refused.
    fn tripped(
        policy: &Policy,
        calls: u32,
        pause: i64,
        talked: impl Fn(u32) -> Option<u64>,
    ) -> Option<(u32, &'static str)> {
        let mut tally = Tally::default();
        (0..calls).find_map(|call| {
            let finished = Finished { talked: talked(call).map(Duration::from_secs), callee: u64::from(call) };
            let trip = tally.count(&finished, policy, Wall::from_secs(NOW + i64::from(call) * pause));
            trip.map(|trip| (call + 1, trip.setting))
        })
    }

    #[test]
    fn a_caller_is_refused_for_what_his_calls_come_to() {
        let usual = Policy::default();
        let by = |change: fn(&mut Policy)| {
            let mut policy = usual;
            change(&mut policy);
            policy
        };
        type Calls = fn(u32) -> Option<u64>;
        type Case = (Policy, u32, i64, Calls, Option<(u32, &'static str)>);
        //   policy, calls, seconds apart, seconds talked in each; refused after so many, by
        let cases: &[Case] = &[
            (usual, 19, 1, |_| None, None),
            (usual, 30, 1, |_| None, Some((20, "fraud.autoban_asr"))),
            (usual, 500, 60, |_| None, None), // ten in ten minutes are no sample
            (usual, 500, 1, |call| (call % 20 == 0).then_some(60), None), // exactly 5 %
            (usual, 500, 1, |call| (call % 5 == 0).then_some(2), Some((96, "fraud.autoban_short_share"))),
            (usual, 30, 1, |_| Some(5), Some((20, "fraud.autoban_short_share"))),
            (usual, 500, 1, |call| Some(if call % 4 == 0 { 60 } else { 5 }), None),
            (usual, 500, 1, |_| Some(6), None),
            (
                by(|policy| policy.acd = Some(Duration::from_secs(10))),
                50,
                1,
                |_| Some(7),
                Some((20, "fraud.autoban_acd")),
            ),
            (by(|policy| policy.callees = Some(40)), 50, 1, |_| Some(60), Some((40, "fraud.autoban_callees"))),
            (by(|policy| policy.callees = Some(40)), 500, 30, |_| Some(60), None),
            (by(|policy| policy.asr = None), 500, 1, |_| None, None),
        ];
        for (number, (policy, calls, pause, talked, expected)) in cases.iter().enumerate() {
            assert_eq!(tripped(policy, *calls, *pause, talked), *expected, "case {number}");
        }
    }

    #[test]
    fn a_ban_says_what_was_seen_and_the_tally_begins_anew() {
        let (policy, now) = (Policy::default(), Wall::from_secs(NOW));
        let mut tally = Tally::default();
        let silent = Finished { talked: None, callee: 1 };
        let trip = (0..20).find_map(|_| tally.count(&silent, &policy, now)).unwrap();
        assert_eq!((trip.observed.as_str(), trip.limit.as_str()), ("0 % of 20 calls answered", "5 %"));
        assert_eq!(trip.ban(&policy, now).until, now + Duration::from_secs(3600));
        tally.clear();
        assert_eq!(tally.count(&silent, &policy, Wall::from_secs(NOW - 9)), None);
    }
}
