//! The INVITE server transaction: RFC 3261 figure 7, as RFC 6026 figure 2 amends it, with the UAS core's repetition of
//! 2xx (RFC 3261 §13.3.1.4) taken in: the owner answers once.

use std::time::Duration;

use smallvec::smallvec;

use super::timers::{Effect, Effects, Timer, Timers};

/// Where an INVITE that we received stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No final response yet. `said`: a provisional one was sent. `cancelled`: the owner knows of a CANCEL.
    Proceeding { said: bool, cancelled: bool },
    /// A failure was sent; its ACK has not come.
    Completed { again: Duration },
    /// Its ACK came; more of them are swallowed.
    Confirmed,
    /// A 2xx was sent; repeated INVITEs are swallowed.
    Accepted { again: Duration, acked: bool },
    /// To be removed.
    Terminated,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The same INVITE again.
    Again,
    /// An ACK: for a failure by its branch, for a 2xx by its dialog.
    Ack,
    /// A CANCEL.
    Cancel,
    /// The owner says 1xx.
    Provisional,
    /// The owner says 2xx.
    Success,
    /// The owner says 300 to 699.
    Failure,
    /// A timer fired.
    Fired(Timer),
}

/// Birth: the owner gets it. 100 is sent when the owner says nothing for 200 ms.
pub(super) fn start(timers: &Timers) -> (State, Effects) {
    (
        State::Proceeding { said: false, cancelled: false },
        smallvec![
            Effect::Deliver,
            Effect::Arm(Timer::Trying, timers.trying),
            Effect::Arm(Timer::Patience, timers.patience)
        ],
    )
}

/// One event in any state.
pub(super) fn step(state: State, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match state {
        State::Proceeding { said, cancelled } => proceeding(said, cancelled, event, timers, reliable),
        State::Completed { again } => completed(again, event, timers, reliable),
        State::Confirmed => confirmed(event),
        State::Accepted { again, acked } => accepted(again, acked, event, timers),
        State::Terminated => (State::Terminated, smallvec![]),
    }
}

fn proceeding(said: bool, cancelled: bool, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    let stay = State::Proceeding { said, cancelled };
    let spoken = State::Proceeding { said: true, cancelled };
    match event {
        Event::Again if said => (stay, smallvec![Effect::Send]),
        Event::Again | Event::Fired(Timer::Trying) if !said => (spoken, smallvec![Effect::Trying, Effect::Quiet]),
        Event::Provisional => (spoken, smallvec![Effect::Send, Effect::Quiet]),
        Event::Success => (
            State::Accepted { again: timers.t1, acked: false },
            smallvec![Effect::Send, Effect::Arm(Timer::Success, timers.t1), Effect::Arm(Timer::L, timers.hope())],
        ),
        Event::Failure => {
            let mut effects: Effects = smallvec![Effect::Send, Effect::Quiet, Effect::Arm(Timer::H, timers.hope())];
            if !reliable {
                effects.push(Effect::Arm(Timer::G, timers.t1));
            }
            (State::Completed { again: timers.t1 }, effects)
        }
        Event::Cancel if !cancelled => (State::Proceeding { said, cancelled: true }, smallvec![Effect::TellCancelled]),
        Event::Fired(Timer::Patience) => (State::Terminated, smallvec![]),
        Event::Again | Event::Cancel | Event::Ack | Event::Fired(_) => (stay, smallvec![]),
    }
}

fn completed(again: Duration, event: Event, timers: &Timers, reliable: bool) -> (State, Effects) {
    match event {
        Event::Again => (State::Completed { again }, smallvec![Effect::Send]),
        Event::Fired(Timer::G) => {
            let again = timers.doubled(again);
            (State::Completed { again }, smallvec![Effect::Send, Effect::Arm(Timer::G, again)])
        }
        Event::Ack => match timers.linger(reliable) {
            Some(i) => (State::Confirmed, smallvec![Effect::Quiet, Effect::Arm(Timer::I, i)]),
            None => (State::Terminated, smallvec![]),
        },
        // A failure nobody acknowledged has still failed: there is nothing to tell.
        Event::Fired(Timer::H) => (State::Terminated, smallvec![]),
        _ => (State::Completed { again }, smallvec![]),
    }
}

fn confirmed(event: Event) -> (State, Effects) {
    match event {
        Event::Fired(Timer::I) => (State::Terminated, smallvec![]),
        _ => (State::Confirmed, smallvec![]),
    }
}

fn accepted(again: Duration, acked: bool, event: Event, timers: &Timers) -> (State, Effects) {
    match event {
        Event::Fired(Timer::Success) if !acked => {
            let again = timers.doubled(again);
            (State::Accepted { again, acked }, smallvec![Effect::Send, Effect::Arm(Timer::Success, again)])
        }
        Event::Ack => (State::Accepted { again, acked: true }, smallvec![Effect::Quiet]),
        Event::Fired(Timer::L) if acked => (State::Terminated, smallvec![]),
        Event::Fired(Timer::L) => (State::Terminated, smallvec![Effect::TellAckMissing]),
        _ => (State::Accepted { again, acked }, smallvec![]),
    }
}

#[cfg(test)]
mod tests {
    use super::Effect::{Arm, Deliver, Quiet, Send, TellAckMissing, TellCancelled};
    use super::Event::*;
    use super::State::*;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn figure_7_on_udp() {
        let timers = Timers::default();
        let (half, one, hope) = (MS * 500, MS * 1000, MS * 32_000);
        let new = Proceeding { said: false, cancelled: false };
        let ringing = Proceeding { said: true, cancelled: false };
        let leaving = Proceeding { said: true, cancelled: true };
        let completed = Completed { again: half };
        let waiting = Accepted { again: half, acked: false };
        let acked = Accepted { again: half, acked: true };
        assert_eq!(
            start(&timers),
            (new, smallvec![Deliver, Arm(Timer::Trying, MS * 200), Arm(Timer::Patience, timers.patience)])
        );
        let table: &[(State, Event, State, &[Effect])] = &[
            (new, Again, ringing, &[Effect::Trying, Quiet]),
            (new, Fired(Timer::Trying), ringing, &[Effect::Trying, Quiet]),
            (new, Provisional, ringing, &[Send, Quiet]),
            (new, Ack, new, &[]),
            (new, Cancel, Proceeding { said: false, cancelled: true }, &[TellCancelled]),
            (new, Fired(Timer::Patience), Terminated, &[]),
            (new, Success, waiting, &[Send, Arm(Timer::Success, half), Arm(Timer::L, hope)]),
            (new, Failure, completed, &[Send, Quiet, Arm(Timer::H, hope), Arm(Timer::G, half)]),
            (ringing, Again, ringing, &[Send]),
            (ringing, Cancel, leaving, &[TellCancelled]),
            (leaving, Cancel, leaving, &[]),
            (leaving, Again, leaving, &[Send]),
            (leaving, Failure, completed, &[Send, Quiet, Arm(Timer::H, hope), Arm(Timer::G, half)]),
            (leaving, Success, waiting, &[Send, Arm(Timer::Success, half), Arm(Timer::L, hope)]),
            (completed, Again, completed, &[Send]),
            (completed, Fired(Timer::G), Completed { again: one }, &[Send, Arm(Timer::G, one)]),
            (completed, Fired(Timer::H), Terminated, &[]),
            (completed, Ack, Confirmed, &[Quiet, Arm(Timer::I, MS * 5000)]),
            (completed, Cancel, completed, &[]),
            (Confirmed, Ack, Confirmed, &[]),
            (Confirmed, Again, Confirmed, &[]),
            (Confirmed, Fired(Timer::I), Terminated, &[]),
            (waiting, Again, waiting, &[]),
            (waiting, Cancel, waiting, &[]),
            (waiting, Fired(Timer::Success), Accepted { again: one, acked: false }, &[Send, Arm(Timer::Success, one)]),
            (waiting, Ack, acked, &[Quiet]),
            (waiting, Fired(Timer::L), Terminated, &[TellAckMissing]),
            (acked, Ack, acked, &[Quiet]),
            (acked, Again, acked, &[]),
            (acked, Failure, acked, &[]),
            (acked, Fired(Timer::L), Terminated, &[]),
        ];
        for (from, event, to, effects) in table {
            let (state, done) = step(*from, *event, &timers, false);
            assert_eq!((state, done.as_slice()), (*to, *effects), "{from:?} {event:?}");
        }
    }

    #[test]
    fn on_a_stream_a_failure_is_not_repeated_but_a_success_is() {
        let timers = Timers::default();
        let new = Proceeding { said: false, cancelled: false };
        let (failed, effects) = step(new, Failure, &timers, true);
        assert_eq!(effects.as_slice(), [Send, Quiet, Arm(Timer::H, timers.hope())]);
        assert_eq!(step(failed, Ack, &timers, true), (Terminated, smallvec![]));
        // RFC 3261 §13.3.1.4: end to end, a hop further on may be UDP.
        let (_, effects) = step(new, Success, &timers, true);
        assert!(effects.contains(&Arm(Timer::Success, timers.t1)));
    }
}
