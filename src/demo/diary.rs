//! Whom somebody calls, and when: a list gone through again and again, with pauses that luck chooses.

use tollgate_sip::token::Tokens;
use tollgate_types::Mono;

use super::manner::{Span, seconds};

/// One call to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errand {
    /// Number or name.
    pub to: &'static str,
    /// How long the caller talks at most.
    pub talk: Span,
}

/// Somebody's errands.
#[derive(Clone, Debug)]
pub struct Diary {
    errands: &'static [Errand],
    pause: Span,
    next: usize,
    due: Option<Mono>,
}

const fn errand(to: &'static str, from: u64, until: u64) -> Errand {
    Errand { to, talk: seconds(from, until) }
}

/// Alice's: some of everything that can become of a call.
pub const ALICE: &[Errand] = &[
    errand("442079460018", 15, 40),
    errand("15554860001", 5, 5),
    errand("12025550143", 10, 30),
    errand("bob", 5, 15),
    errand("15555030001", 8, 25),
    errand("4930901820", 12, 35),
    errand("15554080001", 5, 5),
    errand("3615550199", 5, 20),
];

/// Bob's.
pub const BOB: &[Errand] = &[
    errand("15554040001", 5, 5),
    errand("33199001234", 10, 40),
    errand("alice", 5, 20),
    errand("819012345678", 8, 30),
    errand("15554030001", 5, 5),
    errand("61355550123", 5, 25),
    errand("9790000000", 5, 5),
];

/// Dave's: he likes it dear, and has little.
pub const DAVE: &[Errand] =
    &[errand("881655500123", 30, 40), errand("alice", 10, 20), errand("881655500124", 30, 40), errand("bob", 5, 15)];

impl Diary {
    /// Errands with a pause from one call's end, or from another one's begin, to the next.
    pub fn new(errands: &'static [Errand], pause: Span) -> Diary {
        Diary { errands, pause, next: 0, due: None }
    }

    /// The first call, or the next: after a pause from `now` on, if none is planned yet.
    pub fn plan(&mut self, now: Mono, luck: &mut Tokens) {
        if self.due.is_none() && !self.errands.is_empty() {
            self.due = Some(now + self.pause.draw(|below| luck.below(below)));
        }
    }

    /// At once, or nearly: the very first call.
    pub fn begin(&mut self, now: Mono, luck: &mut Tokens) {
        if !self.errands.is_empty() {
            self.due = Some(now + Span(100, 900).draw(|below| luck.below(below)));
        }
    }

    /// No more of it.
    pub fn close(&mut self) {
        (self.errands, self.due) = (&[], None);
    }

    /// When [`Diary::take`] has something.
    pub fn due(&self) -> Option<Mono> {
        self.due
    }

    /// What is to be done now.
    pub fn take(&mut self, now: Mono) -> Option<Errand> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        let errand = *self.errands.get(self.next)?;
        self.next = (self.next + 1) % self.errands.len();
        Some(errand)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_types::Seed;

    use super::*;

    #[test]
    fn errands_come_round_after_their_pauses() {
        let mut luck = Tokens::new(Seed([1; 4]), 0);
        let mut diary = Diary::new(&ALICE[..2], seconds(3, 3));
        let now = Mono::START;
        assert_eq!(diary.take(now), None);
        let mut called = Vec::new();
        for turn in 0..3 {
            let now = now + Duration::from_secs(turn * 3);
            diary.plan(now, &mut luck);
            diary.plan(now + Duration::from_secs(9), &mut luck);
            let due = now + Duration::from_secs(3);
            assert_eq!((diary.take(now), diary.due()), (None, Some(due)));
            called.extend(diary.take(due).map(|errand| errand.to));
        }
        assert_eq!(called, ["442079460018", "15554860001", "442079460018"]);
        diary.plan(now, &mut luck);
        diary.close();
        assert_eq!((diary.due(), diary.take(Mono::NEVER)), (None, None));
    }
}
