//! Counting over a window that slides: twelve parts, of which the oldest falls out as time goes on.

use std::hash::Hash;
use std::time::Duration;

use tollgate_types::{Map, Mono, Seed};

const PARTS: usize = 12;

/// How much happened within the last `span`. Coarse by one twelfth: what is counted now is forgotten after eleven to twelve
/// parts of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    parts: [u32; PARTS],
    /// Number of the part that counts now, from the process's birth.
    current: u64,
    part_micros: u64,
}

impl Window {
    /// An empty one. A span below twelve microseconds counts as twelve.
    pub fn new(span: Duration) -> Window {
        let part_micros = u64::try_from(span.as_micros() / PARTS as u128).unwrap_or(u64::MAX).max(1);
        Window { parts: [0; PARTS], current: 0, part_micros }
    }

    /// Counts `amount` now and returns the sum of the window. Time that turns back counts as no time.
    pub fn add(&mut self, amount: u32, now: Mono) -> u64 {
        self.slide(now);
        let part = &mut self.parts[(self.current % PARTS as u64) as usize];
        *part = part.saturating_add(amount);
        self.total()
    }

    /// The sum of the window now.
    pub fn sum(&mut self, now: Mono) -> u64 {
        self.slide(now);
        self.total()
    }

    /// Takes back what was counted: the latest first. For a challenge that was answered well after all.
    pub fn refund(&mut self, amount: u32, now: Mono) {
        self.slide(now);
        let mut left = amount;
        for age in 0..PARTS as u64 {
            let Some(number) = self.current.checked_sub(age) else { break };
            let part = &mut self.parts[(number % PARTS as u64) as usize];
            let taken = left.min(*part);
            *part -= taken;
            left -= taken;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.parts = [0; PARTS];
    }

    fn total(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(*part)).sum()
    }

    fn slide(&mut self, now: Mono) {
        let number = now.micros() / self.part_micros;
        let passed = number.saturating_sub(self.current);
        for step in 1..=passed.min(PARTS as u64) {
            self.parts[((self.current + step) % PARTS as u64) as usize] = 0;
        }
        // Past a whole window every part is empty, so which of them is current makes no difference.
        self.current = self.current.max(number);
    }
}

/// A window for each of many keys, at most `capacity` of them: memory that a stranger cannot grow.
#[derive(Clone, Debug)]
pub struct Windows<K> {
    span: Duration,
    capacity: usize,
    windows: Map<K, Window>,
}

impl<K: Eq + Hash + Clone> Windows<K> {
    /// None yet.
    pub fn new(span: Duration, capacity: usize, seed: Seed) -> Windows<K> {
        Windows { span, capacity, windows: seed.map() }
    }

    /// Counts `amount` for `key` and returns its sum. `None` where the table is full of others that still count: the caller
    /// then counts for something wider, such as the key's network.
    pub fn add(&mut self, key: &K, amount: u32, now: Mono) -> Option<u64> {
        if let Some(window) = self.windows.get_mut(key) {
            return Some(window.add(amount, now));
        }
        if self.windows.len() >= self.capacity {
            return None;
        }
        let mut window = Window::new(self.span);
        let sum = window.add(amount, now);
        self.windows.insert(key.clone(), window);
        Some(sum)
    }

    /// The sum of `key` now.
    pub fn sum(&mut self, key: &K, now: Mono) -> u64 {
        self.windows.get_mut(key).map_or(0, |window| window.sum(now))
    }

    /// Takes back what was counted for `key`.
    pub fn refund(&mut self, key: &K, amount: u32, now: Mono) {
        if let Some(window) = self.windows.get_mut(key) {
            window.refund(amount, now);
        }
    }

    /// Forgets what was counted for `key`.
    pub fn forget(&mut self, key: &K) {
        self.windows.remove(key);
    }

    /// Drops the windows in which nothing counts any more. Called now and then; costs a look at each.
    pub fn sweep(&mut self, now: Mono) {
        self.windows.retain(|_, window| window.sum(now) > 0);
    }

    /// How many keys are counted.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTES_3: Duration = Duration::from_secs(180);

    fn at(secs: u64) -> Mono {
        Mono::from_millis(secs * 1000)
    }

    #[test]
    fn what_happened_long_ago_does_not_count() {
        let mut window = Window::new(MINUTES_3);
        //   second, amount, sum
        for (second, amount, sum) in [
            (0, 60, 60),
            (60, 40, 100),
            (164, 0, 100),
            (180, 0, 40),
            (239, 1, 41),
            (240, 0, 1),
            (100, 5, 6),
            (9999, 0, 0),
        ] {
            assert_eq!(window.add(amount, at(second)), sum, "at {second} s");
        }
        window.add(u32::MAX, at(10_000));
        assert_eq!(window.add(u32::MAX, at(10_000)), u64::from(u32::MAX));
    }

    #[test]
    fn a_refund_takes_the_latest_back() {
        let mut window = Window::new(MINUTES_3);
        window.add(5, at(0));
        window.add(2, at(60));
        window.refund(3, at(61));
        assert_eq!(window.sum(at(61)), 4);
        assert_eq!(window.sum(at(181)), 0, "the latest were taken, so nothing is left of them");
        window.refund(9, at(200));
        assert_eq!(window.sum(at(200)), 0);
    }

    #[test]
    fn a_full_table_counts_those_it_knows() {
        let mut windows = Windows::new(MINUTES_3, 2, Seed([1; 4]));
        assert_eq!(
            (windows.add(&1, 1, at(0)), windows.add(&2, 1, at(100)), windows.add(&3, 1, at(101))),
            (Some(1), Some(1), None)
        );
        windows.sweep(at(200));
        assert_eq!((windows.len(), windows.add(&3, 7, at(200)), windows.sum(&1, at(200))), (1, Some(7), 0));
    }

    proptest! {
        /// Against a list of all that happened: never more than within the span, never less than within eleven parts of it.
        #[test]
        fn the_sum_is_right_to_one_part(steps in prop::collection::vec((0u64..40, 0u32..5), 1..80), span in 12u64..200) {
            let mut window = Window::new(Duration::from_secs(span));
            let mut history: Vec<(u64, u32)> = Vec::new();
            let mut now = 0;
            for (pause, amount) in steps {
                now += pause * 500;
                history.push((now, amount));
                let sum = window.add(amount, Mono::from_millis(now));
                let within = |millis: u64| -> u64 {
                    history.iter().filter(|(then, _)| now - then < millis).map(|(_, amount)| u64::from(*amount)).sum()
                };
                prop_assert!(sum <= within(span * 1000 + 1), "{sum} at {now}");
                prop_assert!(sum >= within(span * 1000 / 12 * 11), "{sum} at {now}");
            }
        }
    }
}
