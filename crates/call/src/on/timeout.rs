//! Deadlines, each sent to whom it concerns.

use tollgate_billing::cdr::{Cause, HangupSide};

use crate::call::{Call, Ending, Turn};
use crate::refusal::Reply;
use crate::timers::Timer;

impl Call {
    pub(crate) fn on_timer(&mut self, turn: &mut Turn<'_>, timer: Timer) {
        match timer {
            Timer::HoldLate(place) => self.on_hold_late(turn, place),
            Timer::AnswerLate => self.on_answer_late(turn),
            Timer::Ring => self.on_rung_out(turn),
            Timer::Silence(client) => self.on_carrier_silent(turn, client),
            Timer::Setup => self.on_setup_over(turn),
            Timer::PaidEnd(place) => self.on_paid_end(turn, place),
            Timer::Extend(place) => self.on_extend_due(turn, place),
            Timer::DurationMax => {
                let reply = Reply { q850: Some(16), ..Reply::plain(408) };
                self.finish(
                    turn,
                    Ending { cause: Cause::MaxDuration, side: HangupSide::Platform, refusal: None, reply },
                );
            }
            Timer::Repeat(leg) => self.on_repeat(turn, leg),
            Timer::Session(leg) => self.on_session_due(turn, leg),
            Timer::Glare(leg) => self.on_glare_over(turn, leg),
            Timer::FiguresLate => self.settle_all(turn),
            Timer::Linger => self.on_lingered(turn),
        }
    }

    /// Not answered in all the time that a call may take.
    fn on_setup_over(&mut self, turn: &mut Turn<'_>) {
        let reply = Reply { q850: Some(19), ..Reply::plain(480) };
        self.finish(turn, Ending { cause: Cause::NoAnswer, side: HangupSide::Platform, refusal: None, reply });
    }
}
