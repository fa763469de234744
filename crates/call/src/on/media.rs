//! The relay hears nothing from one side.

use std::time::Duration;

use tollgate_billing::cdr::{Cause, HangupSide};
use tollgate_billing::ledger::{Ask, What};
use tollgate_media::Leg as Side;
use tollgate_types::Mono;

use crate::action::Action;
use crate::call::{Call, Ending, Turn};
use crate::leg::State;
use crate::paid::{PaidLeg, State as Money};
use crate::refusal::Reply;

impl Call {
    /// Should the process die, talk is proven up to the last packet and no further: the ledger is told, and told again when
    /// somebody is heard. What a call costs that ends in order does not depend on it.
    pub(crate) fn on_media_quiet(&mut self, turn: &mut Turn<'_>, since: Option<Mono>) {
        if self.ending.is_some() {
            return;
        }
        let at = since.map(|since| turn.wall - turn.now.since(since));
        let talking = |paid: &&mut PaidLeg| paid.state == Money::Held && paid.answered.is_some();
        for paid in self.paid.iter_mut().filter(talking) {
            if paid.is_quiet != at.is_some() {
                paid.is_quiet = at.is_some();
                let ask = Ask { key: paid.next_key(), give_up_at: Mono::NEVER, what: What::Silent(at) };
                turn.out.push(Action::Ask(Box::new(ask)));
            }
        }
    }

    /// One silent leg may be listening, or muted by its device: it is asked. Two silent legs talk no more, and somebody
    /// pays for it. On hold silence is the point, and only much more of it is told us.
    pub(crate) fn on_media_silent(&mut self, turn: &mut Turn<'_>, side: Side, on_hold: bool, patience: Duration) {
        if self.ending.is_some() || self.hunt.is_some() {
            return;
        }
        let expected = self.media.exchange.as_ref().is_some_and(|exchange| exchange.plan().expects(side));
        let holds =
            self.media.exchange.as_ref().is_some_and(|exchange| exchange.holds(Side::A) || exchange.holds(Side::B));
        // It may have changed while the news was on its way.
        if holds != on_hold || !(expected || on_hold) {
            return;
        }
        let window = patience + patience / 2;
        let now = turn.now;
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.side == side && leg.state == State::Confirmed) else {
            return;
        };
        leg.silent_since = Some(now);
        let id = leg.id;
        let both =
            self.across(id).is_some_and(|other| other.silent_since.is_some_and(|since| now.since(since) <= window));
        if both {
            let reply = Reply { q850: Some(16), ..Reply::plain(408) };
            return self
                .finish(turn, Ending { cause: Cause::MediaTimeout, side: HangupSide::Platform, refusal: None, reply });
        }
        self.probe(turn, id);
    }
}
