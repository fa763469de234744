//! The tallies of all callers, bounded: whoever has not called for longest is forgotten.

use tollgate_types::{Map, Seed, Wall};

use super::settings::Policy;
use super::{Finished, Subject, Tally, Trip};

/// Two generations of tallies. A call moves its caller into the young one; when that is full it becomes the old one, and what
/// the old one held goes: the idlest half is forgotten without a search.
#[derive(Clone, Debug)]
pub struct Roll {
    young: Map<Subject, Tally>,
    old: Map<Subject, Tally>,
    most: usize,
    seed: Seed,
}

impl Roll {
    /// At most `most` tallies.
    pub fn new(most: usize, seed: Seed) -> Roll {
        Roll { young: seed.map(), old: seed.map(), most: (most / 2).max(1), seed }
    }

    /// Counts a call of `subject`. A tally that trips begins anew.
    pub fn count(&mut self, subject: &Subject, finished: &Finished, policy: &Policy, now: Wall) -> Option<Trip> {
        if !self.young.contains_key(subject) {
            let tally = self.old.remove(subject).unwrap_or_default();
            if self.young.len() >= self.most {
                self.old = std::mem::replace(&mut self.young, self.seed.map());
            }
            self.young.insert(subject.clone(), tally);
        }
        let tally = self.young.get_mut(subject)?;
        let trip = tally.count(finished, policy, now);
        if trip.is_some() {
            tally.clear();
        }
        trip
    }

    /// Forgets one subject: who was released begins anew.
    pub fn forget(&mut self, subject: &Subject) {
        self.young.remove(subject);
        self.old.remove(subject);
    }

    /// Tallies kept.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::TrunkId;

    use super::super::Proven;
    use super::*;

    #[test]
    fn a_flood_of_callers_takes_bounded_room_and_does_not_hide_a_busy_one() {
        let (policy, now) = (Policy::default(), Wall::from_secs(1_800_000_000));
        let mut roll = Roll::new(100, Seed([1; 4]));
        let finished = Finished { talked: None, callee: 1 };
        let caller = |number: u32| Subject::Caller(Proven::Trunk(TrunkId(1)), number.to_string().into());
        let mut trips = 0;
        for turn in 0..10_000 {
            trips += u32::from(roll.count(&caller(1_000_000 + turn), &finished, &policy, now).is_some());
            if turn % 10 == 0 {
                trips += u32::from(roll.count(&caller(1), &finished, &policy, now).is_some());
            }
            assert!(roll.len() <= 100);
        }
        assert_eq!(trips, 50, "one in twenty of the busy caller's thousand calls, none of the others'");
    }
}
