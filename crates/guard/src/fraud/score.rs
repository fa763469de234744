//! The signs of fraud, counted over an account's recent attempts, and the points they come to. Integers throughout.

use std::fmt;
use std::time::Duration;

use tollgate_types::Wall;

use super::history::History;
use super::profile::{Seen, Stage};
use super::settings::Policy;

/// Signs that need a burst look so far back.
const BURST: Duration = Duration::from_secs(600);
/// Ended calls below which their outcome says nothing.
const ENDED_LEAST: u32 = 10;
/// Numbers below which their neighbourhood says nothing.
const NUMBERS_LEAST: u32 = 5;
/// Numbers that share all but so many digits lie in one block.
const BLOCK_OF: u64 = 10_000;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Many short or unanswered calls to many numbers: bait for calls back, or a scan. Nothing up to 70 %, in full from 95 %.
    Wangiri,
    /// Numbers next to each other: a range is being worked through. Nothing up to 20 %, in full from 60 %.
    Sequential,
    /// Caller ids that are not the caller's. Nothing up to two, in full from eight.
    CallerIds,
    /// Numbers in countries never called before. Nothing for the first, in full from the fourth by night; half of it by day.
    NewCountry,
    /// Expensive numbers, in new countries or twice as dear as any before. Nothing for the first, in full from the fifth.
    Dear,
    /// Calls begun together into the block of ten thousand numbers that this one is in. Nothing up to two, in full from six.
    Parallel,
}

impl Sign {
    /// All, in the order of the weights.
    pub const ALL: [Sign; 6] =
        [Sign::Wangiri, Sign::Sequential, Sign::CallerIds, Sign::NewCountry, Sign::Dear, Sign::Parallel];

    /// The id that JSON and settings use.
    pub fn id(self) -> &'static str {
        match self {
            Sign::Wangiri => "wangiri",
            Sign::Sequential => "sequential",
            Sign::CallerIds => "caller_ids",
            Sign::NewCountry => "new_country",
            Sign::Dear => "dear",
            Sign::Parallel => "parallel",
        }
    }
}

/// What an attempt, with those before it, comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// The sum.
    pub points: u32,
    /// Each sign's share, in the order of [`Sign::ALL`].
    pub parts: [Part; 6],
}

/// One sign's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Points.
    pub points: u32,
    /// How many of what the sign looks for.
    pub seen: u32,
    /// Of how many.
    pub of: u32,
}

/// Scores `now`'s attempt, if there is one, together with what was seen before.
pub(super) fn score<'a>(
    seen: impl Iterator<Item = &'a Seen>,
    attempt: Option<&'a Seen>,
    history: &History,
    policy: &Policy,
    now: Wall,
) -> Score {
    let mut counts = Counts::default();
    let block = attempt.map(|attempt| attempt.callee / BLOCK_OF);
    for seen in seen.chain(attempt) {
        counts.add(seen, block, history, policy, now);
    }
    let strengths = counts.strengths();
    let mut score = Score::default();
    for (place, (permille, seen, of)) in strengths.into_iter().enumerate() {
        let points = policy.weights[place] * permille / 1000;
        score.parts[place] = Part { points, seen, of };
        score.points += points;
    }
    score
}

#[derive(Default)]
struct Counts {
    ended: u32,
    poor: u32,
    numbers: u32,
    in_rows: u32,
    foreign: u32,
    new: u32,
    new_by_night: u32,
    dear: u32,
    parallel: u32,
}

impl Counts {
    fn add(&mut self, seen: &Seen, block: Option<u64>, history: &History, policy: &Policy, now: Wall) {
        let young = now.since(seen.at) < BURST;
        let first = u32::from(!seen.repeat);
        if young {
            self.numbers += first;
            self.in_rows += first * u32::from(seen.neighbour);
            match seen.stage {
                Stage::Good => self.ended += 1,
                Stage::Poor => {
                    self.ended += 1;
                    self.poor += first;
                }
                Stage::Open => self.parallel += u32::from(block == Some(seen.callee / BLOCK_OF)),
                Stage::Void => {}
            }
        }
        if seen.wholesale {
            return;
        }
        self.foreign += u32::from(seen.foreign_first);
        let new = !seen.home && !history.knows(seen.land);
        if new {
            self.new += first;
            self.new_by_night += first * u32::from(seen.night);
        }
        let twice = history.dearest.nanos().saturating_mul(2);
        if seen.dear(policy) && (new || seen.price.nanos() > twice) {
            self.dear += first;
        }
    }

    /// Strength in thousandths, how many, of how many.
    fn strengths(&self) -> [(u32, u32, u32); 6] {
        let share = |part: u32, of: u32, least: u32| if of < least { 0 } else { part * 100 / of };
        let night = self.new_by_night * 2 >= self.new;
        let new = ramp(self.new, 1, 4);
        [
            (ramp(share(self.poor, self.ended, ENDED_LEAST), 70, 95), self.poor, self.ended),
            (ramp(share(self.in_rows, self.numbers, NUMBERS_LEAST), 20, 60), self.in_rows, self.numbers),
            (ramp(self.foreign, 2, 8), self.foreign, 0),
            (if night { new } else { new / 2 }, self.new, self.new_by_night),
            (ramp(self.dear, 1, 5), self.dear, 0),
            (ramp(self.parallel, 2, 6), self.parallel, 0),
        ]
    }
}

/// Thousandths of the way from `from` (nothing) to `to` (all).
fn ramp(value: u32, from: u32, to: u32) -> u32 {
    value.saturating_sub(from).min(to - from) * 1000 / (to - from)
}

impl fmt::Display for Score {
    /// `92 points: 9 of 9 numbers in a row (30), 4 numbers in new countries, 4 by night (40), 6 parallel calls into one block (22)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} points", self.points)?;
        let mut comma = ": ";
        for (sign, part) in Sign::ALL.iter().zip(&self.parts).filter(|(_, part)| part.points > 0) {
            f.write_str(comma)?;
            let Part { points, seen, of } = *part;
            match sign {
                Sign::Wangiri => write!(f, "{seen} of {of} calls short or unanswered"),
                Sign::Sequential => write!(f, "{seen} of {of} numbers in a row"),
                Sign::CallerIds => write!(f, "{seen} foreign caller ids"),
                Sign::NewCountry => write!(f, "{seen} numbers in new countries, {of} by night"),
                Sign::Dear => write!(f, "{seen} numbers dearer than ever"),
                Sign::Parallel => write!(f, "{seen} parallel calls into one block"),
            }?;
            write!(f, " ({points})")?;
            comma = ", ";
        }
        Ok(())
    }
}
