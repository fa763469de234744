//! The server transaction of every request but INVITE and ACK: RFC 3261 figure 8.

use smallvec::smallvec;

use super::timers::{Effect, Effects, Timer, Timers};

/// Where a request that we received stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The owner has said nothing.
    Trying,
    /// The owner has said 1xx.
    Proceeding,
    /// The owner has answered; the answer is repeated to whoever asks again.
    Completed,
    /// To be removed.
    Terminated,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The same request again.
    Again,
    /// The owner says 1xx.
    Provisional,
    /// The owner answers.
    Final,
    /// A timer fired.
    Fired(Timer),
}

/// Birth: the owner gets it. RFC 4320 §4.2: after 64 × T1 nobody waits for the answer any more.
pub(super) fn start(timers: &Timers) -> (State, Effects) {
    (State::Trying, smallvec![Effect::Deliver, Effect::Arm(Timer::Patience, timers.hope())])
}

/// One event in any state.
pub(super) fn step(state: State, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match state {
        State::Trying => trying(event, timers, reliable),
        State::Proceeding => proceeding(event, timers, reliable),
        State::Completed => completed(event),
        State::Terminated => (State::Terminated, smallvec![]),
    }
}

fn trying(event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Again => (State::Trying, smallvec![]),
        other => open(State::Trying, other, timers, reliable),
    }
}

fn proceeding(event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Again => (State::Proceeding, smallvec![Effect::Send]),
        other => open(State::Proceeding, other, timers, reliable),
    }
}

/// What Trying and Proceeding share: the owner speaks, or never does.
fn open(stay: State, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Provisional => (State::Proceeding, smallvec![Effect::Send]),
        Event::Final => match timers.j(reliable) {
            Some(j) => (State::Completed, smallvec![Effect::Send, Effect::Arm(Timer::J, j)]),
            None => (State::Terminated, smallvec![Effect::Send]),
        },
        Event::Fired(Timer::Patience) => (State::Terminated, smallvec![]),
        Event::Again | Event::Fired(_) => (stay, smallvec![]),
    }
}

fn completed(event: Event) -> (State, Effects) {
    match event {
        Event::Again => (State::Completed, smallvec![Effect::Send]),
        Event::Fired(Timer::J) => (State::Terminated, smallvec![]),
        _ => (State::Completed, smallvec![]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Effect::{Arm, Deliver, Send};
    use super::Event::*;
    use super::State::*;
    use super::*;

    #[test]
    fn figure_8_on_udp() {
        let timers = Timers::default();
        let hope = Duration::from_secs(32);
        assert_eq!(start(&timers), (Trying, smallvec![Deliver, Arm(Timer::Patience, hope)]));
        let table: &[(State, Event, State, &[Effect])] = &[
            (Trying, Again, Trying, &[]),
            (Trying, Provisional, Proceeding, &[Send]),
            (Trying, Final, Completed, &[Send, Arm(Timer::J, hope)]),
            (Trying, Fired(Timer::Patience), Terminated, &[]),
            (Proceeding, Again, Proceeding, &[Send]),
            (Proceeding, Provisional, Proceeding, &[Send]),
            (Proceeding, Final, Completed, &[Send, Arm(Timer::J, hope)]),
            (Proceeding, Fired(Timer::Patience), Terminated, &[]),
            (Completed, Again, Completed, &[Send]),
            (Completed, Final, Completed, &[]),
            (Completed, Provisional, Completed, &[]),
            (Completed, Fired(Timer::J), Terminated, &[]),
        ];
        for (from, event, to, effects) in table {
            let (state, done) = step(*from, *event, &timers, false);
            assert_eq!((state, done.as_slice()), (*to, *effects), "{from:?} {event:?}");
        }
    }

    #[test]
    fn on_a_stream_the_answer_ends_it_at_once() {
        assert_eq!(step(Trying, Final, &Timers::default(), true), (Terminated, smallvec![Send]));
    }
}
