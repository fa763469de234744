//! The client transaction of every request but INVITE and ACK: RFC 3261 figure 6.

use std::time::Duration;

use smallvec::smallvec;

use super::timers::{Effect, Effects, Timer, Timers};

/// Where a request that we sent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Sent; nothing came.
    Trying { again: Duration },
    /// A provisional response came.
    Proceeding,
    /// The final response came; its repetitions are swallowed.
    Completed,
    /// To be removed.
    Terminated,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// 100 to 199.
    Provisional,
    /// 200 to 699.
    Final,
    /// It could not be sent, or its connection broke.
    Unreachable,
    /// A timer fired.
    Fired(Timer),
}

/// Birth: the request goes out.
pub(super) fn start(timers: &Timers, reliable: bool) -> (State, Effects) {
    let mut effects: Effects = smallvec![Effect::Send, Effect::Arm(Timer::F, timers.hope())];
    if !reliable {
        effects.push(Effect::Arm(Timer::E, timers.t1));
    }
    (State::Trying { again: timers.t1 }, effects)
}

/// One event in any state.
pub(super) fn step(state: State, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match state {
        State::Trying { again } => trying(again, event, timers, reliable),
        State::Proceeding => proceeding(event, timers, reliable),
        State::Completed => completed(event),
        State::Terminated => (State::Terminated, smallvec![]),
    }
}

fn trying(again: Duration, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Fired(Timer::E) => {
            let again = timers.doubled(again);
            (State::Trying { again }, smallvec![Effect::Send, Effect::Arm(Timer::E, again)])
        }
        // Timer E goes on as it is; when it fires next, the state below sets it to T2.
        Event::Provisional => (State::Proceeding, smallvec![Effect::Deliver]),
        other => sent(State::Trying { again }, other, timers, reliable),
    }
}

fn proceeding(event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Fired(Timer::E) => (State::Proceeding, smallvec![Effect::Send, Effect::Arm(Timer::E, timers.t2)]),
        Event::Provisional => (State::Proceeding, smallvec![Effect::Deliver]),
        other => sent(State::Proceeding, other, timers, reliable),
    }
}

/// What Trying and Proceeding share: the ways out.
fn sent(stay: State, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Final => match timers.linger(reliable) {
            Some(k) => (State::Completed, smallvec![Effect::Deliver, Effect::Quiet, Effect::Arm(Timer::K, k)]),
            None => (State::Terminated, smallvec![Effect::Deliver]),
        },
        Event::Fired(Timer::F) => (State::Terminated, smallvec![Effect::TellTimedOut]),
        Event::Unreachable => (State::Terminated, smallvec![Effect::TellUnreachable]),
        Event::Provisional | Event::Fired(_) => (stay, smallvec![]),
    }
}

fn completed(event: Event) -> (State, Effects) {
    match event {
        Event::Fired(Timer::K) => (State::Terminated, smallvec![]),
        _ => (State::Completed, smallvec![]),
    }
}

#[cfg(test)]
mod tests {
    use super::Effect::{Arm, Deliver, Quiet, Send, TellTimedOut, TellUnreachable};
    use super::Event::*;
    use super::State::*;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn figure_6_on_udp() {
        let timers = Timers::default();
        let trying = Trying { again: MS * 500 };
        assert_eq!(
            start(&timers, false),
            (trying, smallvec![Send, Arm(Timer::F, MS * 32_000), Arm(Timer::E, MS * 500)])
        );
        let table: &[(State, Event, State, &[Effect])] = &[
            (trying, Fired(Timer::E), Trying { again: MS * 1000 }, &[Send, Arm(Timer::E, MS * 1000)]),
            (
                Trying { again: MS * 4000 },
                Fired(Timer::E),
                Trying { again: MS * 4000 },
                &[Send, Arm(Timer::E, MS * 4000)],
            ),
            (trying, Fired(Timer::F), Terminated, &[TellTimedOut]),
            (trying, Unreachable, Terminated, &[TellUnreachable]),
            (trying, Provisional, Proceeding, &[Deliver]),
            (trying, Final, Completed, &[Deliver, Quiet, Arm(Timer::K, MS * 5000)]),
            (Proceeding, Fired(Timer::E), Proceeding, &[Send, Arm(Timer::E, MS * 4000)]),
            (Proceeding, Provisional, Proceeding, &[Deliver]),
            (Proceeding, Final, Completed, &[Deliver, Quiet, Arm(Timer::K, MS * 5000)]),
            (Proceeding, Fired(Timer::F), Terminated, &[TellTimedOut]),
            (Proceeding, Unreachable, Terminated, &[TellUnreachable]),
            (Completed, Final, Completed, &[]),
            (Completed, Provisional, Completed, &[]),
            (Completed, Unreachable, Completed, &[]),
            (Completed, Fired(Timer::K), Terminated, &[]),
        ];
        for (from, event, to, effects) in table {
            let (state, done) = step(*from, *event, &timers, false);
            assert_eq!((state, done.as_slice()), (*to, *effects), "{from:?} {event:?}");
        }
    }

    #[test]
    fn on_a_stream_the_final_response_ends_it_at_once() {
        let timers = Timers::default();
        let (state, effects) = start(&timers, true);
        assert_eq!(effects.as_slice(), [Send, Arm(Timer::F, timers.hope())]);
        assert_eq!(step(state, Final, &timers, true), (Terminated, smallvec![Deliver]));
    }
}
