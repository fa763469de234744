//! A sliding window in fifty-two bytes, for tables with a row for every source: twelve parts, whose length the caller keeps.

use std::time::Duration;

use tollgate_types::Mono;

const PARTS: usize = 12;

/// See the module. Coarse by one twelfth, as [`Window`](crate::window::Window) is; counts stop at `u32::MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    parts: [u32; PARTS],
    current: u32,
}

impl Tally {
    /// Counts `amount` now; the sum of the last `span`. A span that was changed meanwhile begins anew.
    pub fn add(&mut self, amount: u32, now: Mono, span: Duration) -> u32 {
        self.slide(now, span);
        let part = &mut self.parts[self.current as usize % PARTS];
        *part = part.saturating_add(amount);
        self.total()
    }

    /// The sum of the last `span`.
    pub fn sum(&mut self, now: Mono, span: Duration) -> u32 {
        self.slide(now, span);
        self.total()
    }

    /// Takes `amount` back, the latest first.
    pub fn refund(&mut self, amount: u32, now: Mono, span: Duration) {
        self.slide(now, span);
        let mut left = amount;
        for age in 0..PARTS as u32 {
            let part = &mut self.parts[self.current.wrapping_sub(age) as usize % PARTS];
            let taken = left.min(*part);
            *part -= taken;
            left -= taken;
        }
    }

    fn total(&self) -> u32 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    fn slide(&mut self, now: Mono, span: Duration) {
        let part_micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX) / PARTS as u64;
        let number = (now.micros() / part_micros.max(1)) as u32;
        if number == self.current {
            return;
        }
        match number.checked_sub(self.current) {
            Some(passed) if (passed as usize) < PARTS => {
                (0..passed).for_each(|step| self.parts[(number - step) as usize % PARTS] = 0);
            }
            // Backwards only when the span grew.
            _ => self.parts = [0; PARTS],
        }
        self.current = number;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tollgate_types::Seed;

    use super::*;
    use crate::window::Windows;

    #[test]
    fn a_changed_span_begins_anew() {
        let at = |secs: u64| Mono::from_millis(secs * 1000);
        let (short, long) = (Duration::from_secs(60), Duration::from_secs(3600));
        let mut tally = Tally::default();
        assert_eq!(
            (tally.add(7, at(1000), short), tally.add(1, at(1001), long), tally.add(1, at(1002), long)),
            (7, 1, 2)
        );
    }

    proptest! {
        /// The small window says what the plain one says.
        #[test]
        fn it_counts_as_the_plain_window(steps in prop::collection::vec((0u64..40, 0u32..5, any::<bool>()), 1..80), span in 12u64..200) {
            let span = Duration::from_secs(span);
            let mut tally = Tally::default();
            let mut plain = Windows::new(span, 1, Seed([1; 4]));
            let mut now = Mono::from_millis(0);
            for (pause, amount, back) in steps {
                now = now + Duration::from_millis(pause * 500);
                if back {
                    tally.refund(amount, now, span);
                    plain.refund(&(), amount, now);
                } else {
                    prop_assert_eq!(Some(u64::from(tally.add(amount, now, span))), plain.add(&(), amount, now));
                }
                prop_assert_eq!(u64::from(tally.sum(now, span)), plain.sum(&(), now));
            }
        }
    }
}
