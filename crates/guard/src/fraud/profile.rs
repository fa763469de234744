//! One account as the fraud score sees it: its recent attempts, its habits, its block.

use std::sync::Arc;
use std::time::Duration;

use tollgate_types::{CallId, E164, Rate, Wall};

use super::history::History;
use super::land::Land;
use super::score::{self, Score};
use super::settings::Policy;

/// Attempts kept; the oldest make room. Who makes more in an hour is judged by the latest.
pub const RECENT: usize = 64;
/// Older attempts say nothing any more.
const LOOK_BACK: Duration = Duration::from_secs(3600);
/// Numbers no further apart are neighbours.
const NEAR: u64 = 10;
/// Somebody is told of the same account again after so long.
const TELL_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// A call that wants to leave by a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whom it is for.
    pub callee: E164,
    /// In the country of who calls?
    pub home: bool,
    /// What a minute costs the payer, in the platform's currency.
    pub price: Rate,
    /// A caller id that is not the caller's own, as a hash; 0 for none.
    pub foreign: u64,
    /// Between 22 and 6 o'clock where the account lives?
    pub night: bool,
    /// Of a traffic sender or reseller: other people's calls, of which countries, prices and caller ids say nothing.
    pub wholesale: bool,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// People talked.
    Good,
    /// Nobody answered, or it was over at once.
    Poor,
    /// We or the carrier failed: it says nothing of the caller.
    Void,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What it usually does.
    pub history: History,
    /// Its calls by carriers are refused.
    pub block: Option<Arc<Block>>,
    recent: Vec<Seen>,
    told_at: Option<Wall>,
}

/// Why and how long an account is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Since when.
    pub since: Wall,
    /// Until when; `None` until somebody releases it.
    pub until: Option<Wall>,
    /// The score in words, as it was then.
    pub reason: String,
}

/// May an attempt go on?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing to be said, or not enough.
    Clear(Score),
    /// With this attempt the score passes the threshold.
    Over(Score),
    /// The account is blocked.
    Blocked(Arc<Block>),
}

/// What an attempt changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Its score.
    pub score: Score,
    /// The account is blocked from now on.
    pub blocks: bool,
    /// Somebody should be told.
    pub tells: bool,
}

/// One attempt, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    call: CallId,
    pub callee: u64,
    pub at: Wall,
    pub price: Rate,
    foreign: u64,
    pub land: Land,
    pub stage: Stage,
    pub home: bool,
    pub night: bool,
    pub wholesale: bool,
    /// The same number was called before.
    pub repeat: bool,
    /// A number next to it was called as well.
    pub neighbour: bool,
    /// The first with its foreign caller id.
    pub foreign_first: bool,
}

/// How far a remembered attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    Good,
    Poor,
    Void,
}

impl Seen {
    pub fn dear(&self, policy: &Policy) -> bool {
        // 10⁻⁹ of a unit a minute against 10⁻⁶.
        self.price.nanos() >= policy.dear_price.micros().saturating_mul(1000)
    }
}

impl Profile {
    /// An account of which only this is known.
    pub fn of(history: History, block: Option<Block>) -> Profile {
        Profile { history, block: block.map(Arc::new), ..Profile::default() }
    }

    /// May `attempt` go on? Nothing is changed.
    pub fn standing(&self, attempt: &Attempt, policy: &Policy, now: Wall) -> Standing {
        let Some(block_at) = policy.block_at else { return Standing::Clear(self.score(Some(attempt), policy, now)) };
        if let Some(block) = self.blocked(now) {
            return Standing::Blocked(block.clone());
        }
        let score = self.score(Some(attempt), policy, now);
        if score.points >= block_at { Standing::Over(score) } else { Standing::Clear(score) }
    }

    /// The block in force.
    pub fn blocked(&self, now: Wall) -> Option<&Arc<Block>> {
        self.block.as_ref().filter(|block| block.until.is_none_or(|until| now < until))
    }

    /// The score at `now`, with one more attempt if there is one.
    pub fn score(&self, attempt: Option<&Attempt>, policy: &Policy, now: Wall) -> Score {
        let next = attempt.map(|attempt| self.next(CallId::default(), attempt, now));
        let recent = self.recent.iter().filter(|seen| now.since(seen.at) < LOOK_BACK);
        score::score(recent, next.as_ref(), &self.history, policy, now)
    }

    /// Remembers an attempt of call `call`, and blocks the account if that is one too many.
    pub fn begin(&mut self, call: CallId, attempt: &Attempt, policy: &Policy, now: Wall) -> Step {
        self.sweep(now);
        if self.block.is_some() && policy.block_at.is_some() {
            return Step::default();
        }
        let score = self.score(Some(attempt), policy, now);
        let next = self.next(call, attempt, now);
        for seen in &mut self.recent {
            seen.neighbour |= is_near(seen.callee, next.callee);
        }
        if self.recent.len() >= RECENT {
            self.recent.remove(0);
        }
        self.recent.push(next);
        let blocks = policy.block_at.is_some_and(|block_at| score.points >= block_at);
        if blocks {
            self.history.forget_fresh();
            let until = policy.block_for.map(|span| now + span);
            self.block = Some(Arc::new(Block { since: now, until, reason: score.to_string() }));
        }
        let alarming = policy.alert_at.is_some_and(|alert_at| score.points >= alert_at);
        let told = self.told_at.is_some_and(|told_at| now.since(told_at) < TELL_AGAIN);
        let tells = blocks || (alarming && !told);
        if tells {
            self.told_at = Some(now);
        }
        Step { score, blocks, tells }
    }

    /// What became of call `call` to `callee`. Says whether a habit was learned.
    pub fn end(&mut self, call: CallId, callee: &E164, ending: Ending, now: Wall) -> bool {
        let callee = digits(callee);
        let ours = |seen: &&mut Seen| seen.call == call && seen.callee == callee && seen.stage == Stage::Open;
        let Some(seen) = self.recent.iter_mut().rev().find(ours) else { return false };
        seen.stage = match ending {
            Ending::Good => Stage::Good,
            Ending::Poor => Stage::Poor,
            Ending::Void => Stage::Void,
        };
        let (land, price) = (seen.land, seen.price);
        ending == Ending::Good && self.block.is_none() && self.history.learn(land, price, now)
    }

    /// What an admin says who has looked: no block, and what was done lately is usual.
    pub fn release(&mut self, now: Wall) {
        self.block = None;
        self.told_at = None;
        for seen in &self.recent {
            self.history.learn(seen.land, seen.price, seen.at);
        }
        self.history.accept_all();
        self.history.released_at = Some(now);
        self.recent.clear();
    }

    /// Forgets what is too old, and settles habits. Says whether what a store keeps has changed.
    pub fn sweep(&mut self, now: Wall) -> bool {
        let old = self.recent.iter().take_while(|seen| now.since(seen.at) >= LOOK_BACK).count();
        self.recent.drain(..old);
        if self.recent.is_empty() {
            self.recent.shrink_to_fit();
        }
        let over = self.block.as_ref().is_some_and(|block| block.until.is_some_and(|until| until <= now));
        if over {
            self.block = None;
        }
        over | self.history.settle(now)
    }

    /// Would [`Profile::sweep`] change anything?
    pub fn is_stale(&self, now: Wall) -> bool {
        let old = self.recent.first().is_some_and(|seen| now.since(seen.at) >= LOOK_BACK);
        let over = self.block.as_ref().is_some_and(|block| block.until.is_some_and(|until| until <= now));
        old || over || self.history.is_ripe(now)
    }

    /// Nothing that anybody would miss?
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.block.is_none() && self.history.is_empty()
    }

    /// When it was last heard of; `None` where nothing of the last hour is known.
    pub fn last_at(&self) -> Option<Wall> {
        self.recent.last().map(|seen| seen.at)
    }

    /// Attempts remembered.
    pub fn recent(&self) -> usize {
        self.recent.len()
    }

    fn next(&self, call: CallId, attempt: &Attempt, now: Wall) -> Seen {
        let callee = digits(&attempt.callee);
        let (mut repeat, mut neighbour, mut foreign_first) = (false, false, attempt.foreign != 0);
        for seen in &self.recent {
            repeat |= seen.callee == callee;
            neighbour |= is_near(seen.callee, callee);
            foreign_first &= seen.foreign != attempt.foreign;
        }
        Seen {
            call,
            callee,
            at: now,
            price: attempt.price,
            foreign: attempt.foreign,
            land: Land::of(&attempt.callee),
            stage: Stage::Open,
            home: attempt.home,
            night: attempt.night,
            wholesale: attempt.wholesale,
            repeat,
            neighbour,
            foreign_first,
        }
    }
}

/// Fifteen digits fit.
fn digits(number: &E164) -> u64 {
    number.digits().bytes().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

fn is_near(one: u64, other: u64) -> bool {
    one != other && one.abs_diff(other) <= NEAR
}
