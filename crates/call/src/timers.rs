//! The call's own deadlines. A handful, so a list; the shell arms one wheel entry at the earliest.

use smallvec::SmallVec;
use tollgate_types::Mono;

use crate::event::Client;
use crate::leg::LegId;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Timer {
    /// The ledger has not answered the hold of this paid leg.
    HoldLate(u8),
    /// The router, the relay or a finder has not answered.
    AnswerLate,
    /// Nobody answered this try: the devices of a user, or one carrier.
    Ring,
    /// This carrier has not even said that it is trying.
    Silence(Client),
    /// INVITE to answer, all in all.
    Setup,
    /// The end of what is paid on this paid leg, by its place in the call.
    PaidEnd(u8),
    /// Time to ask for more.
    Extend(u8),
    /// No call lasts longer.
    DurationMax,
    /// Our reliable provisional response on this leg goes out again.
    Repeat(LegId),
    /// Refresh or expiry of this leg's session, RFC 4028.
    Session(LegId),
    /// A request of our own on this leg met a glare and goes out again, RFC 3261 §14.1.
    Glare(LegId),
    /// The relay has not told its figures.
    FiguresLate,
    /// Somebody who was asked to hang up has not answered.
    Linger,
}

/// Deadlines by purpose, each at most once.
#[derive(Clone, Debug, Default)]
pub struct Timers(SmallVec<[(Timer, Mono); 6]>);

impl Timers {
    /// Sets or moves a deadline.
    pub fn arm(&mut self, timer: Timer, at: Mono) {
        match self.0.iter_mut().find(|(armed, _)| *armed == timer) {
            Some((_, time)) => *time = at,
            None => self.0.push((timer, at)),
        }
    }

    /// Forgets a deadline.
    pub fn disarm(&mut self, timer: Timer) {
        self.0.retain(|(armed, _)| *armed != timer);
    }

    /// Forgets all but those that `keep` names.
    pub fn retain(&mut self, keep: impl Fn(Timer) -> bool) {
        self.0.retain(|(armed, _)| keep(*armed));
    }

    /// The earliest.
    pub fn next(&self) -> Option<Mono> {
        self.0.iter().map(|(_, at)| *at).min()
    }

    /// Takes out the earliest that is due, ties in the order of [`Timer`].
    pub fn due(&mut self, now: Mono) -> Option<Timer> {
        let (index, _) =
            self.0.iter().enumerate().filter(|(_, (_, at))| *at <= now).min_by_key(|(_, (timer, at))| (*at, *timer))?;
        Some(self.0.swap_remove(index).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_once() {
        let mut timers = Timers::default();
        timers.arm(Timer::Setup, Mono::from_millis(30));
        timers.arm(Timer::Ring, Mono::from_millis(20));
        timers.arm(Timer::Ring, Mono::from_millis(10));
        timers.arm(Timer::PaidEnd(0), Mono::from_millis(10));
        assert_eq!(timers.next(), Some(Mono::from_millis(10)));
        assert_eq!(timers.due(Mono::from_millis(9)), None);
        assert_eq!(timers.due(Mono::from_millis(40)), Some(Timer::Ring));
        assert_eq!(timers.due(Mono::from_millis(40)), Some(Timer::PaidEnd(0)));
        timers.disarm(Timer::Setup);
        assert_eq!(timers.due(Mono::from_millis(40)), None);
    }
}
