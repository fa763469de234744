//! The end, once: everybody is told, ports are closed, money is settled; then the call waits until nobody is owed an answer.

use std::time::Duration;

use tollgate_billing::cdr::{Cause, HangupSide, LegMedia, Status};
use tollgate_billing::ledger::{Ask, Settle, What};
use tollgate_sip::wire::{Method, Name};
use tollgate_types::{Mono, Wall};

use crate::action::Action;
use crate::call::{Call, Ending, Turn};
use crate::errand::Errand;
use crate::leg::{LegId, State};
use crate::paid::State as Money;
use crate::refusal::{Reply, cause_of, q850_of};
use crate::timers::Timer;

/// How long the relay may take to tell its figures; the record does not wait longer.
const FIGURES_WAIT: Duration = Duration::from_millis(500);
/// Beyond 64 × T1 nobody answers any more.
const LINGER: Duration = Duration::from_secs(40);

impl Call {
    /// An operator, a disabled account, the platform's end.
    pub(crate) fn on_hang_up(&mut self, turn: &mut Turn<'_>, cause: Cause) {
        let reply = Reply::plain(if cause == Cause::Shutdown { 503 } else { 480 });
        self.finish(turn, Ending { cause, side: HangupSide::Platform, refusal: None, reply });
    }

    /// Ends the call at once and for good, as its keeper does when it died: both sides are told, money is settled, nothing is
    /// waited for.
    pub fn abandon(&mut self, cause: Cause, now: Mono, wall: Wall, out: &mut Vec<Action>) {
        if self.over {
            return;
        }
        let turn = &mut Turn { now, wall, out };
        self.on_hang_up(turn, cause);
        for id in self.legs.iter().filter(|leg| leg.state == State::Leaving).map(|leg| leg.id).collect::<Vec<_>>() {
            self.send_bye(turn, id);
        }
        self.settle_all(turn);
        self.be_over(turn);
    }

    /// Ends the call. The first ending counts.
    pub(crate) fn finish(&mut self, turn: &mut Turn<'_>, ending: Ending) {
        if self.ending.is_some() {
            return;
        }
        self.transfer = None;
        if let Some(mut hunt) = self.hunt.take() {
            self.cancel_branches(turn, &mut hunt, None);
        }
        self.timers.retain(|timer| matches!(timer, Timer::Linger));
        for paid in &mut self.paid {
            if paid.answered.is_some() && paid.ended.is_none() {
                paid.ended = Some((turn.now, turn.wall));
            }
        }
        let ids: Vec<LegId> = self.legs.iter().map(|leg| leg.id).collect();
        self.ending = Some(ending);
        for id in ids {
            self.part(turn, id);
        }
        self.close_media(turn);
        if self.media.closing {
            self.timers.arm(Timer::FiguresLate, turn.now + FIGURES_WAIT);
        } else {
            self.settle_all(turn);
        }
        self.timers.arm(Timer::Linger, turn.now + LINGER);
    }

    /// Parts from one leg: a refusal to who still waits, a BYE to who talks.
    fn part(&mut self, turn: &mut Turn<'_>, id: LegId) {
        self.abandon_requests(turn, id);
        let reply = self.ending.as_ref().map_or(Reply::plain(480), |ending| ending.reply.clone());
        let Some(leg) = self.leg_mut(id) else { return };
        leg.reliable = None;
        match leg.state {
            State::Early => {
                leg.state = State::Gone;
                let Some(asking) = leg.asking.take() else { return };
                let status = if reply.status < 300 { 480 } else { reply.status };
                let bytes = leg.refuse(&asking, &Reply { status, ..reply });
                self.climb(turn, super::request::ladder_name(id), false, status.to_string());
                turn.respond(asking.key, status, bytes);
            }
            State::Confirmed if leg.unacked.is_some() => leg.state = State::Leaving,
            State::Confirmed => self.send_bye(turn, id),
            State::Leaving | State::Gone => {}
        }
    }

    /// BYE with our own words for why.
    pub(crate) fn send_bye(&mut self, turn: &mut Turn<'_>, id: LegId) {
        // RFC 3261 §13.2.2.4: a 2xx that still waits for its ACK gets one first.
        let delayed =
            self.leg(id).filter(|leg| leg.inviting.is_some() && leg.acked.is_none()).map(|leg| leg.dialog.local_seq);
        if let Some(seq) = delayed {
            self.acknowledge(turn, id, seq, None);
        }
        let reason = self.ending.as_ref().and_then(|ending| ending.reply.reason());
        let client = self.next_client();
        let Some(leg) = self.leg_mut(id) else { return };
        leg.state = State::Gone;
        let mut builder = leg.dialog.request(Method::Bye);
        if let Some(reason) = reason {
            builder = builder.header(Name::Reason, reason);
        }
        let bytes = builder.build();
        self.climb(turn, super::request::ladder_name(id), false, "BYE".to_owned());
        self.send(turn, id, client, Errand::Bye, bytes);
    }

    /// Requests of this leg's that were carried across will not be answered from there (RFC 3261 §15.1.2: 487).
    pub(crate) fn abandon_requests(&mut self, turn: &mut Turn<'_>, id: LegId) {
        let mut abandoned = Vec::new();
        for (client, errand) in &mut self.errands {
            if let Errand::Relayed(relayed) = errand
                && (relayed.from == id || relayed.to == crate::errand::To::Leg(id))
                && !relayed.abandoned
            {
                relayed.abandoned = true;
                abandoned.push((*client, (**relayed).clone()));
            }
        }
        if let Some(parked) = self.parked.take_if(|parked| parked.from == id || parked.to == crate::errand::To::Leg(id))
        {
            self.refuse_relayed(turn, &parked, 487);
        }
        for (client, relayed) in abandoned {
            if relayed.method == Method::Invite {
                turn.out.push(Action::Cancel { client, reason: None });
            }
            self.refuse_relayed(turn, &relayed, 487);
        }
    }

    pub(crate) fn on_media_closed(&mut self, turn: &mut Turn<'_>, stats: Box<[LegMedia; 2]>) {
        self.media.stats = Some(stats);
        if self.ending.is_some() {
            self.timers.disarm(Timer::FiguresLate);
            self.settle_all(turn);
        }
    }

    pub(crate) fn settle_all(&mut self, turn: &mut Turn<'_>) {
        for place in 0..self.paid.len() {
            self.settle(turn, u8::try_from(place).unwrap_or(u8::MAX));
        }
    }

    /// Charges one paid leg, frees what it holds and leaves its record; once.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>, place: u8) {
        let ending = self.ending.clone();
        let ladder = if place == 0 { std::mem::take(&mut self.ladder) } else { Vec::new() };
        let media = self.media.stats.as_ref().map(|stats| stats.to_vec());
        let Some(paid) = self.paid.get_mut(usize::from(place)).filter(|paid| paid.is_open()) else { return };
        let held = matches!(paid.state, Money::Holding | Money::Doubtful | Money::Held);
        let unsure = matches!(paid.state, Money::Holding | Money::Doubtful);
        let talk_ms = paid.talk_ms(turn.now);
        let mut cdr = paid.cdr.clone();
        cdr.ended_at = paid.ended.map_or(turn.wall, |(_, wall)| wall);
        cdr.answered_at = paid.answered.map(|(_, wall)| wall);
        cdr.talk_ms = talk_ms;
        cdr.talk_seconds = talk_ms / 1000;
        cdr.ladder = ladder;
        cdr.media = media.unwrap_or_default();
        if let Some(ending) = ending {
            let refused = cdr.refusal.is_some();
            if paid.answered.is_some() {
                cdr.status = Status::Answered;
                cdr.sip_status = Some(200);
                cdr.refusal = paid.refused.clone().or(ending.refusal);
                cdr.q850 = ending.reply.q850.or(Some(16));
                cdr.cause = ending.cause;
                cdr.hangup_side = Some(ending.side);
            } else if !refused {
                match ending.refusal {
                    Some(refusal) if place == 0 => cdr.refuse(refusal),
                    _ => cdr.status = Status::Failed,
                }
                cdr.sip_status = Some(ending.reply.status);
                cdr.q850 = ending.reply.q850;
                cdr.cause = ending.cause;
                cdr.hangup_side = Some(ending.side);
            }
        } else if cdr.refusal.is_none() && paid.answered.is_none() {
            // A redirect or transfer that led nowhere while the call itself goes on.
            cdr.status = Status::Failed;
            cdr.sip_status = Some(480);
            cdr.q850 = q850_of(480);
            cdr.cause = cause_of(480);
            cdr.hangup_side = Some(HangupSide::Callee);
        }
        paid.state = Money::Closed;
        paid.unsure = unsure.then(|| cdr.clone());
        let buy = paid.buy.clone();
        let what = if held { What::Settle(Box::new(Settle { cdr, buy })) } else { What::Record(cdr) };
        let ask = Ask { key: paid.next_key(), give_up_at: Mono::NEVER, what };
        turn.out.push(Action::Ask(Box::new(ask)));
    }

    /// Nothing is owed to anybody any more? Then the call is over.
    pub(crate) fn wind_up(&mut self, turn: &mut Turn<'_>) {
        if self.over || self.ending.is_none() {
            return;
        }
        let owed = self.paid.iter().any(|paid| paid.is_open() || paid.unsure.is_some())
            || self.finding.is_some()
            || self.errands.iter().any(|(_, errand)| errand.is_awaited())
            || self.legs.iter().any(|leg| leg.state == State::Leaving || leg.unacked.is_some());
        if !owed {
            self.be_over(turn);
        }
    }

    /// Whoever has not answered by now never will.
    pub(crate) fn on_lingered(&mut self, turn: &mut Turn<'_>) {
        self.settle_all(turn);
        if self.paid.iter().any(|paid| paid.unsure.is_some()) {
            // The ledger owes an answer still, and gives it when it can: the record hangs on it.
            return self.timers.arm(Timer::Linger, turn.now + LINGER);
        }
        self.be_over(turn);
    }

    fn be_over(&mut self, turn: &mut Turn<'_>) {
        self.over = true;
        self.errands.clear();
        self.timers.retain(|_| false);
        turn.out.push(Action::Done);
    }
}
