//! A call: its legs, its hunt for a callee, what is paid, and where each happening is sent to.
//!
//! Nothing happens in this file: each event has a file in [`on`](crate::on).

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use tollgate_billing::cdr::{Cause, HangupSide, LadderRow};
use tollgate_sip::token::Tokens;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::Message;
use tollgate_types::{CallId, Flow, Mono, Refusal, Seed, Wall};

use crate::action::{Action, Note};
use crate::errand::{Errand, Relayed};
use crate::event::{Client, Event, Query};
use crate::hunt::Hunt;
use crate::leg::{Leg, LegId};
use crate::media::Media;
use crate::on::refer::Transfer;
use crate::paid::PaidLeg;
use crate::party::{Caller, Claim};
use crate::policy::Policy;
use crate::refusal::Reply;
use crate::timers::Timers;

/// One call of ours.
pub struct Call {
    pub(crate) id: CallId,
    pub(crate) policy: Arc<Policy>,
    pub(crate) shard: u16,
    pub(crate) tokens: Tokens,
    pub(crate) caller: Caller,
    /// What the caller says of itself, for the legs that come later.
    pub(crate) claim: Claim,
    pub(crate) started: (Mono, Wall),
    /// Leg 0 is the caller's. Legs are not removed before the end: they have to be told of it.
    pub(crate) legs: SmallVec<[Leg; 2]>,
    /// The search for somebody who answers: of the call itself, or of a transfer.
    pub(crate) hunt: Option<Box<Hunt>>,
    /// What each request of ours is for.
    pub(crate) errands: SmallVec<[(Client, Errand); 2]>,
    /// Requests to trunks that may want our proof, until they are answered.
    pub(crate) provable: Vec<(Client, LegId, Bytes)>,
    pub(crate) paid: SmallVec<[PaidLeg; 1]>,
    pub(crate) media: Media,
    pub(crate) timers: Timers,
    pub(crate) transfer: Option<Box<Transfer>>,
    /// Another call may still give up a leg to this one.
    pub(crate) finding: Option<Query>,
    /// Forwards and transfers so far.
    pub(crate) hops: u8,
    /// An offer that waits for ports.
    pub(crate) parked: Option<Box<Relayed>>,
    pub(crate) ladder: Vec<LadderRow>,
    pub(crate) ending: Option<Ending>,
    pub(crate) over: bool,
    pub(crate) counter: u32,
}

/// What a call is born with.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Its id.
    pub id: CallId,
    /// The settings it keeps for life.
    pub policy: Arc<Policy>,
    /// Who calls, proven.
    pub caller: Caller,
    /// Randomness of the shard; the call takes a child of its own.
    pub seed: Seed,
    /// The shard, which the Call-IDs minted here will name.
    pub shard: u16,
}

/// How the call ended.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub cause: Cause,
    pub side: HangupSide,
    pub refusal: Option<Refusal>,
    /// What an unanswered caller heard, and the cause that goes into a BYE.
    pub reply: Reply,
}

/// One handling: the times it happens at, and what comes of it.
pub(crate) struct Turn<'a> {
    pub now: Mono,
    pub wall: Wall,
    pub out: &'a mut Vec<Action>,
}

impl Call {
    /// Its id.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// The shard whose number its Call-IDs carry.
    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// The last action was `Done`: nothing more will come, and events are ignored.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// When [`Call::handle_timeout`] wants to be called; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now: Mono, wall: Wall, out: &mut Vec<Action>) {
        let turn = &mut Turn { now, wall, out };
        if self.over {
            return self.on_too_late(turn, event);
        }
        match event {
            Event::Planned { query, admission } => self.on_planned(turn, query, *admission),
            Event::Located { query, places } => self.on_located(turn, query, places),
            Event::Ledger { key, outcome } => self.on_ledger(turn, key, outcome),
            Event::Response { client, message, flow } => self.on_response(turn, client, message, flow),
            Event::StrayAnswer { message, flow } => self.on_repeated_answer(turn, &message, flow),
            Event::TimedOut { client } => self.on_silence(turn, client, 408),
            Event::Unreachable { client } => self.on_silence(turn, client, 503),
            Event::Request { key, message, flow } => self.on_request(turn, key, message, flow),
            Event::Cancelled { key, message } => self.on_cancel(turn, key, &message),
            Event::Ack { message, flow } => self.on_ack(turn, &message, flow),
            Event::AckMissing { key } => self.on_ack_missing(turn, key),
            Event::MediaReady { ports } => self.on_media_ready(turn, ports),
            Event::MediaSilent { side, on_hold, patience } => self.on_media_silent(turn, side, on_hold, patience),
            Event::MediaQuiet { since } => self.on_media_quiet(turn, since),
            Event::MediaClosed { stats } => self.on_media_closed(turn, stats),
            Event::Found { query, handover } => self.on_found(turn, query, handover),
            Event::Surrender { to, query, dialog } => self.on_surrender(turn, to, query, &dialog),
            Event::Funds => self.on_funds(turn),
            Event::HangUp { cause } => self.on_hang_up(turn, cause),
        }
        self.wind_up(turn);
    }

    /// Deadlines came.
    pub fn handle_timeout(&mut self, now: Mono, wall: Wall, out: &mut Vec<Action>) {
        let turn = &mut Turn { now, wall, out };
        while !self.over
            && let Some(timer) = self.timers.due(now)
        {
            self.on_timer(turn, timer);
            self.wind_up(turn);
        }
    }

    /// The leg by its name.
    pub(crate) fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    /// The leg by its name, to change it.
    pub(crate) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    /// The live leg on the other side.
    pub(crate) fn across(&self, id: LegId) -> Option<&Leg> {
        let side = self.leg(id)?.side;
        self.legs.iter().find(|leg| leg.id != id && leg.side != side && leg.is_live())
    }

    /// The leg whose dialog this request belongs to.
    pub(crate) fn leg_of(&self, request: &Message) -> Option<LegId> {
        self.legs.iter().find(|leg| leg.dialog.fits(request)).map(|leg| leg.id)
    }

    /// A name for the next leg.
    pub(crate) fn next_leg(&self) -> LegId {
        LegId(self.legs.iter().map(|leg| leg.id.0).max().map_or(0, |last| last.saturating_add(1)))
    }

    /// A name for the next request of ours.
    pub(crate) fn next_client(&mut self) -> Client {
        self.counter += 1;
        Client(self.counter)
    }

    /// A name for the next question of ours.
    pub(crate) fn next_query(&mut self) -> Query {
        self.counter += 1;
        Query(self.counter)
    }

    /// What the request was for; forgets it.
    pub(crate) fn take_errand(&mut self, client: Client) -> Option<Errand> {
        let index = self.errands.iter().position(|(known, _)| *known == client)?;
        Some(self.errands.swap_remove(index).1)
    }

    /// Writes a row of the ladder; the first [`LADDER_MAX`] are kept.
    pub(crate) fn climb(&mut self, turn: &Turn<'_>, leg: &'static str, inbound: bool, text: String) {
        if self.ladder.len() < LADDER_MAX {
            let at_ms = u64::try_from(turn.now.since(self.started.0).as_millis()).unwrap_or(u64::MAX);
            self.ladder.push(LadderRow { at_ms, leg: leg.to_owned(), inbound, text });
        }
    }
}

/// Rows of a ladder.
const LADDER_MAX: usize = 48;

impl Turn<'_> {
    /// News for logs and counters.
    pub fn note(&mut self, note: Note) {
        self.out.push(Action::Note(note));
    }

    /// Sends a final or provisional response.
    pub fn respond(&mut self, key: ServerKey, status: u16, bytes: Bytes) {
        self.out.push(Action::Respond { key, status, bytes });
    }

    /// Sends a request of a dialog in a transaction.
    pub fn request(&mut self, client: Client, flow: Flow, bytes: Bytes) {
        self.out.push(Action::Request { client, flow, bytes, in_dialog: true });
    }

    /// Sends an INVITE that begins a dialog.
    pub fn invite(&mut self, client: Client, flow: Flow, bytes: Bytes) {
        self.out.push(Action::Request { client, flow, bytes, in_dialog: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tens of thousands live at once: what a call is made of stays small, what is rare is boxed.
    #[test]
    fn a_call_is_small() {
        assert!(size_of::<Call>() < 4096, "{} bytes", size_of::<Call>());
        assert!(size_of::<Leg>() < 1024, "{} bytes", size_of::<Leg>());
    }
}
