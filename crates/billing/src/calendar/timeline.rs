//! The operator's week in one zone, unrolled: what an instant is and when that ends, by one look into a sorted list.

use std::sync::Arc;
use std::time::Duration;

use tollgate_types::Wall;

use super::{Calendar, Time, Zone};

/// A calendar in one zone, worked out for about a year around the time it was made; beyond that it is asked directly.
#[derive(Clone, Debug)]
pub struct Timeline {
    calendar: Arc<Calendar>,
    zone: Zone,
    from: Wall,
    until: Wall,
    /// When what begins.
    changes: Vec<(Wall, Time)>,
}

const BEFORE: Duration = Duration::from_secs(86_400);
const AFTER: Duration = Duration::from_secs(400 * 86_400);
/// A calendar can change at most so often within the span; a denser one is worked out less far.
const MOST_CHANGES: usize = 20_000;

impl Timeline {
    /// Works out `calendar` in `zone` from a day before `now` on.
    pub fn new(calendar: Arc<Calendar>, zone: Zone, now: Wall) -> Timeline {
        let (from, mut until) = (now - BEFORE, now + AFTER);
        let mut changes = vec![(from, calendar.time_at(zone, from))];
        let mut at = from;
        while let Some(change) = calendar.next_change(zone, at).filter(|change| *change < until) {
            changes.push((change, calendar.time_at(zone, change)));
            at = change;
            if changes.len() == MOST_CHANGES {
                until = change;
            }
        }
        Timeline { calendar, zone, from, until, changes }
    }

    /// The zone it is worked out in.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The calendar it is worked out from.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What `at` is.
    pub fn time_at(&self, at: Wall) -> Time {
        if at < self.from || at >= self.until {
            return self.calendar.time_at(self.zone, at);
        }
        self.changes[self.changes.partition_point(|(since, _)| *since <= at).saturating_sub(1)].1
    }

    /// The first instant after `at` at which it is something else; `None` when never.
    pub fn next_change(&self, at: Wall) -> Option<Wall> {
        if at < self.from || at >= self.until {
            return self.calendar.next_change(self.zone, at);
        }
        match self.changes.get(self.changes.partition_point(|(since, _)| *since <= at)) {
            Some((change, _)) => Some(*change),
            None => self.calendar.next_change(self.zone, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_says_what_the_calendar_says(offset in -3i64 * 86_400..420 * 86_400) {
            let peak = vec!["mon-fri 08:00-18:00".parse().unwrap(), "sun 02:30-02:45".parse().unwrap()];
            let calendar = Arc::new(Calendar::new(peak, vec!["christmas=12-25".parse().unwrap()]).unwrap());
            let zone: Zone = "Europe/Budapest".parse().unwrap();
            let now = Wall::from_secs(1_770_000_000);
            let timeline = Timeline::new(calendar.clone(), zone, now);
            let at = Wall::from_secs(1_770_000_000 + offset);
            prop_assert_eq!(timeline.time_at(at), calendar.time_at(zone, at));
            prop_assert_eq!(timeline.next_change(at), calendar.next_change(zone, at));
        }
    }
}
