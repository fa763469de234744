//! The INVITE client transaction: RFC 3261 figure 5, as RFC 6026 figure 1 amends it.

use std::time::Duration;

use smallvec::smallvec;

use super::timers::{Effect, Effects, Timer, Timers};

/// Where an INVITE that we sent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Sent; nothing came. `cancel`: the owner wants it cancelled as soon as that is allowed.
    Calling { again: Duration, cancel: bool },
    /// A provisional response came.
    Proceeding { cancelled: bool },
    /// A failure came and is acknowledged; its repetitions are too.
    Completed,
    /// A 2xx came; more of them (repeated, or from other branches of a fork) go to the owner.
    Accepted,
    /// To be removed.
    Terminated,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// 100.
    Trying,
    /// 101 to 199.
    Provisional,
    /// 200 to 299.
    Success,
    /// 300 to 699.
    Failure,
    /// The owner cancels.
    Cancel,
    /// It could not be sent, or its connection broke.
    Unreachable,
    /// A timer fired.
    Fired(Timer),
}

/// Birth: the request goes out.
pub(super) fn start(timers: &Timers, reliable: bool) -> (State, Effects) {
    let mut effects: Effects = smallvec![Effect::Send, Effect::Arm(Timer::B, timers.hope())];
    if !reliable {
        effects.push(Effect::Arm(Timer::A, timers.t1));
    }
    (State::Calling { again: timers.t1, cancel: false }, effects)
}

/// One event in any state.
pub(super) fn step(state: State, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match state {
        State::Calling { again, cancel } => calling(again, cancel, event, timers, reliable),
        State::Proceeding { cancelled } => proceeding(cancelled, event, timers, reliable),
        State::Completed => completed(event),
        State::Accepted => accepted(event),
        State::Terminated => (State::Terminated, smallvec![]),
    }
}

fn calling(again: Duration, cancel: bool, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Fired(Timer::A) => {
            let again = again * 2;
            (State::Calling { again, cancel }, smallvec![Effect::Send, Effect::Arm(Timer::A, again)])
        }
        Event::Fired(Timer::B) => (State::Terminated, smallvec![Effect::TellTimedOut]),
        Event::Unreachable => (State::Terminated, smallvec![Effect::TellUnreachable]),
        // RFC 3261 §9.1: no CANCEL before a provisional response; it waits for one.
        Event::Cancel => (State::Calling { again, cancel: true }, smallvec![]),
        Event::Trying | Event::Provisional if cancel => {
            let (state, cancelling) = cancel_now(timers);
            let mut effects: Effects = smallvec![Effect::Deliver, Effect::Quiet];
            effects.extend(cancelling);
            (state, effects)
        }
        Event::Trying | Event::Provisional => (
            State::Proceeding { cancelled: false },
            smallvec![Effect::Deliver, Effect::Quiet, Effect::Arm(Timer::C, timers.c)],
        ),
        Event::Success => succeed(timers),
        Event::Failure => fail(timers, reliable),
        Event::Fired(_) => (State::Calling { again, cancel }, smallvec![]),
    }
}

fn proceeding(cancelled: bool, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    let stay = State::Proceeding { cancelled };
    match event {
        Event::Trying => (stay, smallvec![Effect::Deliver]),
        // RFC 3261 §16.7 item 2: 101 to 199 reset timer C; a cancelled INVITE gets no more time.
        Event::Provisional if !cancelled => (stay, smallvec![Effect::Deliver, Effect::Arm(Timer::C, timers.c)]),
        Event::Provisional => (stay, smallvec![Effect::Deliver]),
        Event::Success => succeed(timers),
        Event::Failure => fail(timers, reliable),
        Event::Cancel | Event::Fired(Timer::C) if !cancelled => cancel_now(timers),
        // RFC 3261 §9.1: cancelled, and no final response within 64 × T1: consider it cancelled.
        Event::Fired(Timer::Cancelled) => (State::Terminated, smallvec![Effect::TellTimedOut]),
        Event::Unreachable => (State::Terminated, smallvec![Effect::TellUnreachable]),
        Event::Cancel | Event::Fired(_) => (stay, smallvec![]),
    }
}

fn completed(event: Event) -> (State, Effects) {
    match event {
        Event::Failure => (State::Completed, smallvec![Effect::Ack]),
        // A fork's 2xx behind a proxy that answered too early: somebody picked up and must be told BYE.
        Event::Success => (State::Completed, smallvec![Effect::DeliverStray]),
        Event::Fired(Timer::D) => (State::Terminated, smallvec![]),
        _ => (State::Completed, smallvec![]),
    }
}

fn accepted(event: Event) -> (State, Effects) {
    match event {
        // Repeated: the owner's ACK was lost. Other To-tag: a fork; the owner sends ACK and BYE.
        Event::Success => (State::Accepted, smallvec![Effect::Deliver]),
        Event::Fired(Timer::M) => (State::Terminated, smallvec![]),
        _ => (State::Accepted, smallvec![]),
    }
}

fn cancel_now(timers: &Timers) -> (State, Effects) {
    (State::Proceeding { cancelled: true }, smallvec![Effect::Cancel, Effect::Arm(Timer::Cancelled, timers.hope())])
}

fn succeed(timers: &Timers) -> (State, Effects) {
    (State::Accepted, smallvec![Effect::Deliver, Effect::Quiet, Effect::Arm(Timer::M, timers.hope())])
}

fn fail(timers: &Timers, reliable: bool) -> (State, Effects) {
    match timers.d(reliable) {
        Some(d) => (State::Completed, smallvec![Effect::Ack, Effect::Deliver, Effect::Quiet, Effect::Arm(Timer::D, d)]),
        None => (State::Terminated, smallvec![Effect::Ack, Effect::Deliver]),
    }
}

#[cfg(test)]
mod tests {
    use super::Effect::{Ack, Arm, Deliver, DeliverStray, Quiet, Send, TellTimedOut, TellUnreachable};
    use super::Event::*;
    use super::State::*;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn figure_5_on_udp() {
        let timers = Timers::default();
        let (half, one, hope, c) = (MS * 500, MS * 1000, MS * 32_000, timers.c);
        let calling = Calling { again: half, cancel: false };
        let wanted = Calling { again: half, cancel: true };
        let ringing = Proceeding { cancelled: false };
        let leaving = Proceeding { cancelled: true };
        assert_eq!(start(&timers, false), (calling, smallvec![Send, Arm(Timer::B, hope), Arm(Timer::A, half)]));
        let table: &[(State, Event, State, &[Effect])] = &[
            (calling, Fired(Timer::A), Calling { again: one, cancel: false }, &[Send, Arm(Timer::A, one)]),
            (calling, Fired(Timer::B), Terminated, &[TellTimedOut]),
            (calling, Unreachable, Terminated, &[TellUnreachable]),
            (calling, Trying, ringing, &[Deliver, Quiet, Arm(Timer::C, c)]),
            (calling, Provisional, ringing, &[Deliver, Quiet, Arm(Timer::C, c)]),
            (calling, Success, Accepted, &[Deliver, Quiet, Arm(Timer::M, hope)]),
            (calling, Failure, Completed, &[Ack, Deliver, Quiet, Arm(Timer::D, hope)]),
            (calling, Event::Cancel, wanted, &[]),
            (wanted, Provisional, leaving, &[Deliver, Quiet, Effect::Cancel, Arm(Timer::Cancelled, hope)]),
            (wanted, Success, Accepted, &[Deliver, Quiet, Arm(Timer::M, hope)]),
            (wanted, Fired(Timer::B), Terminated, &[TellTimedOut]),
            (ringing, Trying, ringing, &[Deliver]),
            (ringing, Provisional, ringing, &[Deliver, Arm(Timer::C, c)]),
            (ringing, Success, Accepted, &[Deliver, Quiet, Arm(Timer::M, hope)]),
            (ringing, Failure, Completed, &[Ack, Deliver, Quiet, Arm(Timer::D, hope)]),
            (ringing, Event::Cancel, leaving, &[Effect::Cancel, Arm(Timer::Cancelled, hope)]),
            (ringing, Fired(Timer::C), leaving, &[Effect::Cancel, Arm(Timer::Cancelled, hope)]),
            (ringing, Unreachable, Terminated, &[TellUnreachable]),
            (leaving, Event::Cancel, leaving, &[]),
            (leaving, Provisional, leaving, &[Deliver]),
            (leaving, Failure, Completed, &[Ack, Deliver, Quiet, Arm(Timer::D, hope)]),
            (leaving, Success, Accepted, &[Deliver, Quiet, Arm(Timer::M, hope)]),
            (leaving, Fired(Timer::Cancelled), Terminated, &[TellTimedOut]),
            (Completed, Failure, Completed, &[Ack]),
            (Completed, Success, Completed, &[DeliverStray]),
            (Completed, Provisional, Completed, &[]),
            (Completed, Event::Cancel, Completed, &[]),
            (Completed, Fired(Timer::D), Terminated, &[]),
            (Accepted, Success, Accepted, &[Deliver]),
            (Accepted, Failure, Accepted, &[]),
            (Accepted, Provisional, Accepted, &[]),
            (Accepted, Event::Cancel, Accepted, &[]),
            (Accepted, Unreachable, Accepted, &[]),
            (Accepted, Fired(Timer::M), Terminated, &[]),
        ];
        for (from, event, to, effects) in table {
            let (state, done) = step(*from, *event, &timers, false);
            assert_eq!((state, done.as_slice()), (*to, *effects), "{from:?} {event:?}");
        }
    }

    #[test]
    fn on_a_stream_nothing_is_repeated_and_a_failure_ends_it_at_once() {
        let timers = Timers::default();
        let (state, effects) = start(&timers, true);
        assert_eq!(effects.as_slice(), [Send, Arm(Timer::B, timers.hope())]);
        let (state, effects) = step(state, Failure, &timers, true);
        assert_eq!((state, effects.as_slice()), (Terminated, [Ack, Deliver].as_slice()));
    }
}
