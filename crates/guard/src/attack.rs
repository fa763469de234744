//! Attack mode: so many strangers at once that only known peers are served until it is over.

use std::time::Duration;

use tollgate_types::Mono;

use crate::tally::Tally;

/// The guide's window.
const WITHIN: Duration = Duration::from_secs(90);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct AttackMode {
    strangers: Tally,
    on: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It begins: so many within 90 s.
    Began(u32),
    /// It is over.
    Ended,
}

impl AttackMode {
    /// A challenge that nobody has answered, or a stranger's message that was not heard. `limit` is what an attack is.
    pub fn count(&mut self, now: Mono, limit: Option<u64>) -> Option<Turn> {
        self.strangers.add(1, now, WITHIN);
        self.look(now, limit)
    }

    /// A challenge was answered well after all.
    pub fn refund(&mut self, now: Mono) {
        self.strangers.refund(1, now, WITHIN);
    }

    /// Is it over? It ends when strangers come at less than half of what an attack is.
    pub fn look(&mut self, now: Mono, limit: Option<u64>) -> Option<Turn> {
        let count = self.strangers.sum(now, WITHIN);
        let over = limit.is_none_or(|limit| u64::from(count) < limit / 2);
        let begins = limit.is_some_and(|limit| u64::from(count) >= limit);
        match (self.on, begins, over) {
            (false, true, _) => {
                self.on = true;
                Some(Turn::Began(count))
            }
            (true, _, true) => {
                self.on = false;
                Some(Turn::Ended)
            }
            _ => None,
        }
    }

    /// Does it hold?
    pub fn is_on(&self) -> bool {
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_the_limit_and_ends_when_strangers_stay_away() {
        let at = |secs: u64| Mono::from_millis(secs * 1000);
        let mut mode = AttackMode::default();
        let turns: Vec<_> =
            (0..108).filter_map(|n| mode.count(at(1000 + n / 10), Some(100)).map(|turn| (n, turn))).collect();
        assert_eq!(turns, [(99, Turn::Began(100))]);
        assert_eq!((mode.look(at(1050), Some(100)), mode.is_on()), (None, true));
        assert_eq!((mode.look(at(1110), Some(100)), mode.is_on()), (Some(Turn::Ended), false));
        assert_eq!(mode.count(at(1111), None), None, "no limit, no attack");
    }

    #[test]
    fn phones_that_answer_are_no_attack() {
        let mut mode = AttackMode::default();
        for n in 0..100_000u64 {
            assert_eq!(mode.count(Mono::from_millis(n), Some(100)), None);
            mode.refund(Mono::from_millis(n));
        }
    }
}
