//! What calls taught of the numbers they went to: those that failed in a row, and those that never answer or always do.
//!
//! Fed from records after calls end, never on their way. Bounded: of the numbers heard of longest ago half are forgotten.

use std::time::Duration;

use tollgate_types::{E164, Map, Seed, Wall};

/// How a call to a number ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody talked.
    Answered,
    /// The number leads nowhere: 404, 410, 484, 604, or the causes of Q.850 that say so.
    Unroutable,
    /// It rang in vain.
    NoAnswer,
    /// Busy, declined, given up, or our carriers' own trouble: says nothing of the number.
    Neither,
}

/// The settings of learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schooling {
    /// So many failures in a row make an entry for a time; `None` makes none.
    pub failures: Option<u16>,
    /// For how long.
    pub lasts: Duration,
    /// Does the learned score refuse calls?
    pub smart: bool,
}

/// What is known of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reputation {
    /// Failures since it was last answered.
    pub in_a_row: u16,
    /// Calls answered.
    pub answered: u32,
    /// Calls that led nowhere.
    pub unroutable: u32,
    /// Calls that rang in vain.
    pub unanswered: u32,
    /// What it all comes to: an answer takes away [`ANSWER`], a permanent failure adds [`NOWHERE`]; from -[`MOST`] to [`MOST`].
    pub score: i16,
    /// When it was last heard of.
    pub heard_at: Wall,
    /// No calls before then.
    pub until: Option<Wall>,
}

/// Why a number is refused, with the certainty of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// It failed so often in a row, and is left alone until then.
    Failing(u16, Wall),
    /// Its score, and what that is worth as a black entry's certainty.
    Learned(i16, u8),
}

/// An answer weighs more than a failure: who talks is a good number, whatever was before.
const ANSWER: i16 = 6;
const NOWHERE: i16 = 2;
const MOST: i16 = 24;
/// A dynamic entry counts as a black one of this certainty.
pub const DYNAMIC_CERTAINTY: u8 = 3;
/// What was learned this long ago says nothing of a number any more: it may have another owner.
const FORGOTTEN: Duration = Duration::from_secs(30 * 86_400);

impl Reputation {
    /// Learns from one more call.
    pub fn hear(&mut self, heard: Heard, now: Wall, schooling: &Schooling) {
        if now.since(self.heard_at) > FORGOTTEN {
            *self = Reputation::default();
        }
        self.heard_at = now;
        match heard {
            Heard::Neither => return,
            Heard::Answered => {
                self.answered = self.answered.saturating_add(1);
                (self.in_a_row, self.until) = (0, None);
                self.score = (self.score - ANSWER).max(-MOST);
                return;
            }
            Heard::Unroutable => {
                self.unroutable = self.unroutable.saturating_add(1);
                self.score = (self.score + NOWHERE).min(MOST);
            }
            Heard::NoAnswer => self.unanswered = self.unanswered.saturating_add(1),
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        if schooling.failures.is_some_and(|failures| self.in_a_row >= failures) {
            self.until = Some(now + schooling.lasts);
            // After the rest the next ones count anew.
            self.in_a_row = 0;
        }
    }

    /// How sure it is that the number is no good, as a black entry's certainty; `None` where nothing speaks against it.
    pub fn certainty(&self) -> Option<u8> {
        match self.score {
            18.. => Some(3),
            12.. => Some(2),
            6.. => Some(1),
            _ => None,
        }
    }

    /// What speaks against a call now, at that level of strictness.
    pub fn opinion(&self, now: Wall, schooling: &Schooling, level: super::Level) -> Option<Opinion> {
        if let (Some(failures), Some(until)) = (schooling.failures, self.until.filter(|until| *until > now))
            && super::counts(level, DYNAMIC_CERTAINTY)
        {
            return Some(Opinion::Failing(failures, until));
        }
        let certainty = self.certainty().filter(|_| schooling.smart && now.since(self.heard_at) <= FORGOTTEN)?;
        super::counts(level, certainty).then_some(Opinion::Learned(self.score, certainty))
    }
}

/// The numbers heard of, at most so many. The young generation takes all news; when it is full it becomes the old one, and
/// what was old and not heard of since is forgotten.
#[derive(Debug)]
pub struct Memory {
    young: Map<E164, Reputation>,
    old: Map<E164, Reputation>,
    most: usize,
    seed: Seed,
    /// Numbers that changed since they were last taken to be written.
    fresh: Vec<E164>,
}

impl Memory {
    /// Nothing heard yet; at most `most` numbers.
    pub fn new(most: usize, seed: Seed) -> Memory {
        Memory { young: seed.map(), old: seed.map(), most: most.max(2), seed, fresh: Vec::new() }
    }

    /// Puts in what was known before.
    pub fn put(&mut self, number: E164, known: Reputation) {
        self.make_room();
        self.young.insert(number, known);
    }

    /// Learns of a call's end.
    pub fn hear(&mut self, number: E164, heard: Heard, now: Wall, schooling: &Schooling) {
        if !self.young.contains_key(&number) {
            // A number that behaves takes no room until it has a story.
            let known = match (self.old.remove(&number), heard) {
                (Some(known), _) => known,
                (None, Heard::Neither | Heard::Answered) => return,
                (None, _) => Reputation { heard_at: now, ..Reputation::default() },
            };
            self.make_room();
            self.young.insert(number, known);
        }
        if let Some(known) = self.young.get_mut(&number) {
            known.hear(heard, now, schooling);
        }
        if self.fresh.len() < self.most {
            self.fresh.push(number);
        }
    }

    /// What is known of a number.
    pub fn of(&self, number: &E164) -> Option<Reputation> {
        self.young.get(number).or_else(|| self.old.get(number)).copied()
    }

    /// What changed since this was last asked.
    pub fn take_fresh(&mut self) -> Vec<(E164, Reputation)> {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.sort_unstable();
        fresh.dedup();
        fresh.into_iter().filter_map(|number| Some((number, self.of(&number)?))).collect()
    }

    /// How many numbers are known.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn make_room(&mut self) {
        if self.young.len() >= self.most / 2 {
            self.old = std::mem::replace(&mut self.young, self.seed.map());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHOOLING: Schooling = Schooling { failures: Some(5), lasts: Duration::from_secs(900), smart: true };

    fn at(secs: u64) -> Wall {
        Wall::from_secs(1_800_000_000) + Duration::from_secs(secs)
    }

    #[test]
    fn five_failures_in_a_row_are_left_alone_for_a_while() {
        let mut known = Reputation::default();
        for n in 0..4 {
            known.hear(Heard::Unroutable, at(n), &SCHOOLING);
        }
        assert_eq!(known.opinion(at(4), &SCHOOLING, 1), None);
        known.hear(Heard::NoAnswer, at(4), &SCHOOLING);
        assert_eq!(known.opinion(at(5), &SCHOOLING, 1), Some(Opinion::Failing(5, at(904))));
        assert_eq!(known.opinion(at(5), &SCHOOLING, 0), None, "lists that are not read refuse nothing");
        assert_eq!(known.opinion(at(904), &Schooling { smart: false, ..SCHOOLING }, 1), None, "it is over");
        // One answer in between begins the count anew.
        let mut known = Reputation::default();
        for heard in
            [Heard::NoAnswer, Heard::NoAnswer, Heard::NoAnswer, Heard::NoAnswer, Heard::Answered, Heard::NoAnswer]
        {
            known.hear(heard, at(0), &SCHOOLING);
        }
        assert_eq!((known.in_a_row, known.until), (1, None));
    }

    #[test]
    fn the_score_rises_with_failures_and_falls_with_answers() {
        let mut known = Reputation::default();
        let off = Schooling { failures: None, ..SCHOOLING };
        let mut seen = Vec::new();
        //  n unroutable, answered, busy: the score's path and its certainty
        for (heard, times) in [(Heard::Unroutable, 3), (Heard::Unroutable, 3), (Heard::Unroutable, 3)] {
            (0..times).for_each(|_| known.hear(heard, at(0), &off));
            seen.push((known.score, known.certainty()));
        }
        known.hear(Heard::Answered, at(0), &off);
        seen.push((known.score, known.certainty()));
        known.hear(Heard::Neither, at(0), &off);
        seen.push((known.score, known.certainty()));
        (0..3).for_each(|_| known.hear(Heard::Answered, at(0), &off));
        seen.push((known.score, known.certainty()));
        assert_eq!(seen, [(6, Some(1)), (12, Some(2)), (18, Some(3)), (12, Some(2)), (12, Some(2)), (-6, None)]);
        (0..12).for_each(|_| known.hear(Heard::Unroutable, at(0), &off));
        assert_eq!(known.opinion(at(0), &off, 1), Some(Opinion::Learned(18, 3)));
        assert_eq!(known.opinion(at(0), &Schooling { smart: false, ..off }, 1), None);
        assert_eq!(known.opinion(at(31 * 86_400), &off, 1), None, "long ago");
    }

    #[test]
    fn a_memory_is_bounded_and_keeps_what_is_in_use() {
        let mut memory = Memory::new(100, Seed([1; 4]));
        let number = |n: u64| format!("3630{n:07}").parse::<E164>().unwrap();
        for n in 0..10_000 {
            memory.hear(number(n), Heard::Unroutable, at(n), &SCHOOLING);
            memory.hear(number(1), Heard::Unroutable, at(n), &SCHOOLING);
            assert!(memory.len() <= 101);
        }
        assert!(memory.of(&number(1)).unwrap().unroutable > 9000 && memory.of(&number(2)).is_none());
        memory.hear(number(20_000), Heard::Answered, at(0), &SCHOOLING);
        assert!(memory.of(&number(20_000)).is_none(), "good numbers take no room");
        assert!(memory.take_fresh().len() <= 101);
        assert!(memory.take_fresh().is_empty());
    }
}
