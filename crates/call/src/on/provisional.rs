//! 1xx: it rings, or somebody is heard already.

use bytes::Bytes;
use smallvec::smallvec;
use tollgate_media::sdp::exchange::Exchange;
use tollgate_routing::EarlyMedia;
use tollgate_sip::dialog::{Dialog, tags};
use tollgate_sip::header::seconds;
use tollgate_sip::wire::{Message, Method, Name};
use tollgate_types::Flow;

use crate::action::Note;
use crate::call::{Call, Turn};
use crate::errand::Errand;
use crate::event::Client;
use crate::hunt::Early;
use crate::leg::{Abilities, LegId, Reliable, peer};
use crate::say::SDP;
use crate::timers::Timer;

/// How many dialogs a fork further on may open before its answer.
const EARLY_MAX: usize = 8;

impl Call {
    pub(crate) fn on_provisional(&mut self, turn: &mut Turn<'_>, client: Client, message: &Message, flow: Flow) {
        let Some(hunt) = &mut self.hunt else { return };
        let Some(branch) = hunt.branch_mut(client) else { return };
        let status = message.status().unwrap_or(100);
        branch.heard = true;
        self.timers.disarm(Timer::Silence(client));
        let (_, tag) = tags(message);
        if status == 100 || tag.is_empty() {
            return;
        }
        let tag: Box<str> = tag.into();
        let Some(hunt) = &mut self.hunt else { return };
        let Some(branch) = hunt.branch_mut(client) else { return };
        branch.ringing = true;
        let known = branch.early.iter().position(|early| early.dialog.remote_tag == tag);
        let at = match known {
            Some(at) => at,
            None if branch.early.len() < EARLY_MAX => {
                let dialog = Dialog::begin(&branch.sprout, message, flow);
                branch.early.push(Early { dialog, can: Abilities::of(message), rseq: None });
                branch.early.len() - 1
            }
            None => return,
        };
        let reliable =
            message.lists(Name::Require, "100rel").then(|| message.header(Name::RSeq).and_then(seconds)).flatten();
        if let Some(rseq) = reliable {
            let early = &mut branch.early[at];
            // RFC 3262 §4: only the next one in order counts; a repeated one was acknowledged already.
            if early.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
                return;
            }
            early.rseq = Some(rseq);
            early.dialog.refresh(message);
            self.acknowledge_reliable(turn, client, at, rseq, message.cseq().number);
        }
        self.climb(turn, "b", true, format!("{status} {}", tollgate_sip::wire::reason(status)));
        let tones =
            self.hunt.as_mut().and_then(|hunt| hunt.branch_mut(client)).is_some_and(|branch| {
                branch.candidate.early.unwrap_or(self.policy.early_media) == EarlyMedia::TonesOnly
            });
        let body = self.early_answer(turn, client, message, flow);
        // A caller that is told of progress listens for it; one that is told of ringing plays the tone itself.
        let status = if tones && status == 183 { 180 } else { status };
        self.tell_progress(turn, status, body, reliable.is_some());
    }

    /// PRACK, at once: what the caller knows of it is another matter (RFC 3262 §4).
    fn acknowledge_reliable(&mut self, turn: &mut Turn<'_>, client: Client, at: usize, rseq: u32, cseq: u32) {
        let next = self.next_client();
        let Some(early) =
            self.hunt.as_mut().and_then(|hunt| hunt.branch_mut(client)).and_then(|branch| branch.early.get_mut(at))
        else {
            return;
        };
        let bytes = early.dialog.request(Method::Prack).header(Name::RAck, format!("{rseq} {cseq} INVITE")).build();
        let flow = early.dialog.flow;
        self.errands.push((next, Errand::Prack));
        turn.request(next, flow, bytes);
    }

    /// The SDP of a 1xx as the caller may see it. Only one branch is shown: the relay has one far end.
    fn early_answer(&mut self, turn: &mut Turn<'_>, client: Client, message: &Message, flow: Flow) -> Option<Bytes> {
        if !is_sdp(message) || self.hunt.as_ref().is_some_and(|hunt| hunt.is_transfer()) {
            return None;
        }
        let base = self.media.exchange.clone();
        let side = self.callee_side();
        let ours = self.ours(side.other(), self.legs[0].dialog.flow)?;
        let hunt = self.hunt.as_mut()?;
        if hunt.shown.is_some_and(|shown| shown != client) {
            return None;
        }
        let branch = hunt.branch_mut(client).filter(|branch| branch.offered)?;
        let party = branch.candidate.target.party();
        let early = branch.candidate.early.unwrap_or(self.policy.early_media);
        if branch.exchange.is_none() {
            branch.exchange = base;
        }
        let exchange: &mut Exchange = branch.exchange.as_deref_mut()?;
        if exchange.pending().is_none() && exchange.is_joined() {
            // The same answer again.
            return exchange.told(side.other()).cloned();
        }
        exchange.answer(side, message.body(), peer(&party, flow)).ok().filter(|answered| answered.usable)?;
        // Where there is no path before the answer, the caller learns of none: what was said here counts at the answer.
        if !early.has_path() {
            return None;
        }
        let body = exchange.write_answer(&ours)?;
        hunt.shown = Some(client);
        self.plan_media(turn);
        self.gate_early(turn, early);
        Some(body)
    }

    /// Tells whoever waits that something goes on: the caller by 1xx, a transferor by NOTIFY.
    fn tell_progress(&mut self, turn: &mut Turn<'_>, status: u16, body: Option<Bytes>, reliable: bool) {
        let Some(hunt) = &mut self.hunt else { return };
        if hunt.is_transfer() {
            let news = hunt.told != Some(status);
            hunt.told = Some(status);
            if news {
                self.notify_transfer(turn, status, false);
            }
            return;
        }
        // Devices that ring together are one ringing to the caller.
        if hunt.told == Some(status) && body.is_none() {
            return;
        }
        if hunt.told.is_none() {
            turn.note(Note::Ringing);
        }
        hunt.told = Some(status);
        let leg = &mut self.legs[0];
        let must = leg.can.rel100_required || (reliable && leg.can.rel100);
        if must {
            return self.say_reliably(turn, status, body);
        }
        let Some(asking) = leg.asking.clone() else { return };
        let mut builder = leg.answer(&asking.message, &asking.flow, status);
        if let Some(body) = body {
            builder = builder.body(SDP, body);
        }
        self.climb(turn, "a", false, format!("{status} {}", tollgate_sip::wire::reason(status)));
        turn.respond(asking.key, status, builder.build());
    }

    /// A reliable provisional response (RFC 3262 §3): one at a time, repeated until its PRACK.
    pub(crate) fn say_reliably(&mut self, turn: &mut Turn<'_>, status: u16, body: Option<Bytes>) {
        let t1 = self.policy.t1;
        let start = self.tokens.cseq();
        let leg = &mut self.legs[0];
        if let Some(open) = &mut leg.reliable {
            if open.waiting.len() < EARLY_MAX {
                open.waiting.push((status, body));
            }
            return;
        }
        let Some(asking) = leg.asking.clone() else { return };
        leg.rseq = if leg.rseq == 0 { start } else { leg.rseq.wrapping_add(1) };
        let mut builder = leg
            .answer(&asking.message, &asking.flow, status)
            .header(Name::Require, "100rel")
            .header(Name::RSeq, leg.rseq.to_string());
        let has_body = body.is_some();
        if let Some(body) = body {
            builder = builder.body(SDP, body);
        }
        let bytes = builder.build();
        leg.reliable = Some(Reliable {
            key: asking.key,
            rseq: leg.rseq,
            cseq: asking.message.cseq().number,
            status,
            bytes: bytes.clone(),
            has_body,
            interval: t1,
            give_up: turn.now + t1 * 64,
            then: None,
            waiting: smallvec![],
        });
        self.timers.arm(Timer::Repeat(LegId(0)), turn.now + t1);
        self.climb(turn, "a", false, format!("{status} {}", tollgate_sip::wire::reason(status)));
        turn.respond(asking.key, status, bytes);
    }
}

/// Does it carry a session description?
pub(crate) fn is_sdp(message: &Message) -> bool {
    !message.body().is_empty() && message.content_type().is_some_and(|kind| kind.eq_ignore_ascii_case(SDP))
}
