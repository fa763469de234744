//! One timer wheel: hundreds of thousands of deadlines, each set and struck out in constant time.
//!
//! Six levels of 64 slots. A slot of the lowest level is one tick of [`TICK`], one of each next level 64 times as wide;
//! a timer lies in the level where its tick first differs from now, and sinks a level when its slot's turn comes. The
//! entries are one vector with links inside, so a wheel at rest allocates nothing. It keeps one thread's timers of every kind:
//! the shard's transactions and all its calls.

use std::num::NonZeroU64;
use std::time::Duration;

use tollgate_types::Mono;

/// How fine the wheel is: a timer fires at the first tick that is not before its deadline, never early.
pub const TICK: Duration = Duration::from_millis(10);

const TICK_MICROS: u64 = 10_000;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 6;
/// The last tick the levels can hold: 21 years after birth. Later deadlines wait there.
const LAST: u64 = (1 << (BITS * LEVELS as u32)) - 1;
const NONE: u32 = u32::MAX;
/// The list of what is due and not yet taken; beside the levels' slots.
const DUE: u16 = (LEVELS * SLOTS) as u16;
/// Marks an entry that is free.
const FREE: u16 = DUE + 1;

/// Names one timer that was set; useless (and harmless) once it has fired or been cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(NonZeroU64);

/// Timers that carry a `T` each.
pub struct Wheel<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    lists: Box<[List]>,
    /// One bit a slot: is anything in it?
    occupied: [u64; LEVELS],
    /// Everything up to this tick has been moved to the due list.
    elapsed: u64,
    len: usize,
}

struct Entry<T> {
    payload: Option<T>,
    tick: u64,
    generation: u32,
    previous: u32,
    /// The next in its list, or the next free entry.
    next: u32,
    list: u16,
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

impl<T> Default for Wheel<T> {
    fn default() -> Wheel<T> {
        Wheel::new()
    }
}

impl<T> Wheel<T> {
    /// An empty wheel that begins at [`Mono::START`].
    pub fn new() -> Wheel<T> {
        Wheel {
            entries: Vec::new(),
            free: NONE,
            lists: vec![List { head: NONE, tail: NONE }; LEVELS * SLOTS + 1].into_boxed_slice(),
            occupied: [0; LEVELS],
            elapsed: 0,
            len: 0,
        }
    }

    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is no timer set?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets a timer. One whose deadline has passed is due at once.
    pub fn insert(&mut self, at: Mono, payload: T) -> TimerId {
        let tick = at.micros().div_ceil(TICK_MICROS).min(LAST);
        let index = self.take_free();
        let entry = &mut self.entries[index as usize];
        entry.payload = Some(payload);
        entry.tick = tick;
        let generation = entry.generation;
        self.len += 1;
        self.place(index);
        TimerId(NonZeroU64::new(u64::from(generation) << 32 | u64::from(index)).expect("generations begin at one"))
    }

    /// Strikes a timer out and gives back what it carried; `None` when it fired or was cancelled before.
    pub fn cancel(&mut self, timer: TimerId) -> Option<T> {
        let (index, generation) = (timer.0.get() as u32, (timer.0.get() >> 32) as u32);
        let entry = self.entries.get(index as usize)?;
        if entry.generation != generation || entry.list == FREE {
            return None;
        }
        self.unlink(index);
        Some(self.release(index))
    }

    /// When [`Wheel::expire`] wants to be called next: never later than the earliest timer is due. Between far timers
    /// it may be a little earlier, when timers move to a finer level and nothing fires.
    pub fn next_deadline(&self) -> Option<Mono> {
        let tick = if self.lists[DUE as usize].head == NONE { self.next_slot()?.1 } else { self.elapsed };
        Some(Mono::from_micros(tick * TICK_MICROS))
    }

    /// Fires every timer due at `now`, earliest tick first. Timers cannot be set meanwhile; see [`Wheel::pop`].
    pub fn expire(&mut self, now: Mono, mut fire: impl FnMut(T)) {
        while let Some(payload) = self.pop(now) {
            fire(payload);
        }
    }

    /// Takes the next timer due at `now`, earliest tick first. Others may be set and cancelled between two calls.
    pub fn pop(&mut self, now: Mono) -> Option<T> {
        let now = (now.micros() / TICK_MICROS).min(LAST);
        loop {
            let index = self.lists[DUE as usize].head;
            if index != NONE {
                self.unlink(index);
                return Some(self.release(index));
            }
            match self.next_slot() {
                Some((list, tick)) if tick <= now => {
                    self.elapsed = tick;
                    self.sink(list);
                }
                _ => {
                    self.elapsed = self.elapsed.max(now);
                    return None;
                }
            }
        }
    }

    /// The first slot that holds anything, and the tick when its turn comes. The lowest level's timers precede all others'.
    fn next_slot(&self) -> Option<(u16, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let slot = u64::from(self.occupied[level].trailing_zeros());
        let shift = BITS * level as u32;
        let rest = self.elapsed & !((1u64 << (shift + BITS)) - 1);
        Some(((level * SLOTS) as u16 + slot as u16, rest | slot << shift))
    }

    /// Moves a slot's timers to where they belong now: due, or a finer level.
    fn sink(&mut self, list: u16) {
        let mut index = self.lists[list as usize].head;
        self.lists[list as usize] = List { head: NONE, tail: NONE };
        self.occupied[list as usize / SLOTS] &= !(1 << (list as usize % SLOTS));
        while index != NONE {
            let next = self.entries[index as usize].next;
            self.place(index);
            index = next;
        }
    }

    /// Links an entry into the list its tick calls for.
    fn place(&mut self, index: u32) {
        let tick = self.entries[index as usize].tick;
        let list = if tick <= self.elapsed {
            DUE
        } else {
            let level = ((63 - (tick ^ self.elapsed).leading_zeros()) / BITS) as usize;
            let slot = (tick >> (BITS * level as u32)) as usize % SLOTS;
            self.occupied[level] |= 1 << slot;
            (level * SLOTS + slot) as u16
        };
        let List { tail, .. } = self.lists[list as usize];
        let entry = &mut self.entries[index as usize];
        (entry.list, entry.previous, entry.next) = (list, tail, NONE);
        self.lists[list as usize].tail = index;
        match tail {
            NONE => self.lists[list as usize].head = index,
            tail => self.entries[tail as usize].next = index,
        }
    }

    fn unlink(&mut self, index: u32) {
        let Entry { previous, next, list, .. } = self.entries[index as usize];
        match previous {
            NONE => self.lists[list as usize].head = next,
            previous => self.entries[previous as usize].next = next,
        }
        match next {
            NONE => self.lists[list as usize].tail = previous,
            next => self.entries[next as usize].previous = previous,
        }
        if list != DUE && self.lists[list as usize].head == NONE {
            self.occupied[list as usize / SLOTS] &= !(1 << (list as usize % SLOTS));
        }
    }

    fn take_free(&mut self) -> u32 {
        if self.free != NONE {
            let index = self.free;
            self.free = self.entries[index as usize].next;
            return index;
        }
        let index = u32::try_from(self.entries.len()).ok().filter(|index| *index != NONE);
        let index = index.expect("four thousand million timers never fit in memory");
        self.entries.push(Entry { payload: None, tick: 0, generation: 1, previous: NONE, next: NONE, list: FREE });
        index
    }

    fn release(&mut self, index: u32) -> T {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.checked_add(1).unwrap_or(1);
        entry.list = FREE;
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
        entry.payload.take().expect("a linked entry carries its payload")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Mono {
        Mono::from_millis(millis)
    }

    fn fired(wheel: &mut Wheel<u32>, now: Mono) -> Vec<u32> {
        let mut all = Vec::new();
        wheel.expire(now, |payload| all.push(payload));
        all
    }

    #[test]
    fn a_timer_fires_at_the_first_tick_not_before_its_deadline() {
        let mut wheel = Wheel::new();
        wheel.insert(Mono::from_micros(500_001), 1);
        wheel.insert(ms(500), 2);
        assert_eq!(fired(&mut wheel, ms(499)), []);
        assert_eq!(fired(&mut wheel, ms(500)), [2]);
        assert_eq!(fired(&mut wheel, ms(509)), []);
        assert_eq!(fired(&mut wheel, ms(510)), [1]);
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_deadline(), None);
    }

    #[test]
    fn a_deadline_already_past_is_due_at_once_and_one_that_never_comes_waits() {
        let mut wheel = Wheel::new();
        assert_eq!(fired(&mut wheel, ms(1000)), []);
        wheel.insert(ms(3), 1);
        let never = wheel.insert(Mono::NEVER, 2);
        assert_eq!(wheel.next_deadline(), Some(ms(1000)));
        assert_eq!(fired(&mut wheel, ms(1000)), [1]);
        assert_eq!(fired(&mut wheel, ms(100_000_000)), []);
        assert_eq!(wheel.cancel(never), Some(2));
    }

    #[test]
    fn a_used_timer_id_does_not_touch_its_successor() {
        let mut wheel = Wheel::new();
        let first = wheel.insert(ms(10), 1);
        assert_eq!(wheel.cancel(first), Some(1));
        assert_eq!(wheel.cancel(first), None);
        let second = wheel.insert(ms(20), 2);
        assert_ne!(first, second);
        assert_eq!(wheel.cancel(first), None);
        assert_eq!(fired(&mut wheel, ms(20)), [2]);
        assert_eq!(wheel.cancel(second), None);
    }

    #[test]
    fn timers_set_while_others_fire_are_kept() {
        let mut wheel = Wheel::new();
        wheel.insert(ms(10), 3);
        let mut order = Vec::new();
        while let Some(left) = wheel.pop(ms(10)) {
            order.push(left);
            if left > 0 {
                wheel.insert(ms(10), left - 1);
                wheel.insert(ms(500), 100 + left);
            }
        }
        assert_eq!(order, [3, 2, 1, 0]);
        assert_eq!(wheel.len(), 3);
        assert_eq!(fired(&mut wheel, ms(500)), [103, 102, 101]);
    }

    #[test]
    fn following_the_next_deadline_reaches_every_timer_in_few_steps() {
        let mut wheel = Wheel::new();
        wheel.insert(Mono::from_millis(3_600_000), 1);
        let mut steps = 0;
        while let Some(at) = wheel.next_deadline() {
            steps += 1;
            if !fired(&mut wheel, at).is_empty() {
                assert_eq!(at, ms(3_600_000));
            }
        }
        assert!(steps <= 6, "{steps}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set { delay_micros: u64 },
        Cancel { pick: usize },
        Advance { micros: u64 },
        Follow,
    }

    fn step() -> impl Strategy<Value = Step> {
        let span = prop_oneof![0u64..30_000, 0u64..3_000_000, 0u64..200_000_000, 0u64..100_000_000_000];
        prop_oneof![
            4 => span.clone().prop_map(|delay_micros| Step::Set { delay_micros }),
            2 => any::<usize>().prop_map(|pick| Step::Cancel { pick }),
            2 => span.prop_map(|micros| Step::Advance { micros }),
            1 => Just(Step::Follow),
        ]
    }

    proptest! {
        /// A sorted map of deadlines is what the wheel pretends to be.
        #[test]
        fn the_wheel_is_a_sorted_map(steps in proptest::collection::vec(step(), 1..200)) {
            let mut wheel = Wheel::new();
            let mut model: BTreeMap<(u64, u32), TimerId> = BTreeMap::new();
            let mut ids = Vec::new();
            let mut now = 0u64;
            for (name, step) in (0u32..).zip(steps) {
                match step {
                    Step::Set { delay_micros } => {
                        let id = wheel.insert(Mono::from_micros(now + delay_micros), name);
                        let tick = (now + delay_micros).div_ceil(TICK_MICROS);
                        model.insert((tick, name), id);
                        ids.push((tick, name, id));
                    }
                    Step::Cancel { pick } => {
                        if let Some((tick, name, id)) = ids.get(pick % ids.len().max(1)).copied() {
                            let known = model.remove(&(tick, name)).map(|_| name);
                            prop_assert_eq!(wheel.cancel(id), known);
                        }
                    }
                    Step::Advance { .. } | Step::Follow => {
                        now = match step {
                            Step::Advance { micros } => now + micros,
                            _ => wheel.next_deadline().map_or(now, |at| at.micros().max(now)),
                        };
                        let tick = now / TICK_MICROS;
                        let mut last = 0;
                        while let Some(name) = wheel.pop(Mono::from_micros(now)) {
                            let (due, _) = *model.keys().find(|(_, known)| *known == name).expect("set and not cancelled");
                            prop_assert!(due <= tick && due >= last);
                            last = due;
                            model.remove(&(due, name));
                        }
                        prop_assert!(model.keys().next().is_none_or(|(due, _)| *due > tick));
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
                match (wheel.next_deadline(), model.keys().next()) {
                    (None, None) => {}
                    (Some(at), Some((due, _))) => prop_assert!(at.micros() <= (*due).max(now.div_ceil(TICK_MICROS)) * TICK_MICROS),
                    (at, due) => prop_assert!(false, "{:?} {:?}", at, due),
                }
            }
        }
    }
}
