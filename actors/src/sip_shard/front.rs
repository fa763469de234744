//! The front door: who sends this, and to whom does it go. No Registration or Call is born for a stranger.
//!
//! Challenges keep nothing: their nonce and their To-tag prove themselves when they come back (RFC 3261 §8.2.7).

mod identify;
mod message;
mod waiting;

use actix::prelude::*;
use tollgate_call::{Birth, Caller, Party, admission, replies};
use tollgate_routing::emergency;
use tollgate_routing::trunk::Ingress;
use tollgate_routing::user::User;
use tollgate_sip::digest::Algorithm;
use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name, ResponseBuilder};
use tollgate_types::{Flow, Mono};

use super::SipShard;
use crate::call::{Begin, Call, Cradle, Line};
use crate::gate::Note;
use crate::ip_limiter::MayEnter;
use crate::pending::Most;
use crate::registration::Register;
use crate::supervision::Died;
use crate::user_limiter::{Errand, MayCall};

pub use identify::{Proof, Sender, of_routing};
pub use message::{MessagePlaces, OnItsWay, Relayed};
use waiting::Expected;
pub use waiting::{Pending, Waiting};

/// By how many bytes a challenge may be larger than what an unverified datagram asked with.
const CHALLENGE_MORE: usize = 300;

/// The keeper's answer to [`MayCall`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct Admitted {
    /// The INVITE's transaction.
    pub key: ServerKey,
    /// Who keeps the call, or the status it is turned away with.
    pub verdict: Result<Recipient<Died<Line>>, u16>,
}

impl SipShard {
    /// A REGISTER: challenged, refused, or brought to its user. It keeps no transaction here; the registration remembers
    /// what it answered last.
    pub(super) fn register(&mut self, message: Message, flow: Flow, _now: Mono) {
        if !self.serves(&message) {
            return self.answer_alone(&message, &flow, 404);
        }
        // RFC 3261 §10.3 item 2.
        if let Some(fault) = replies::register_fault(&message) {
            let tag = self.layer.stateless_tag(&message);
            return self.send(&flow, fault.answer(&message, &flow, &tag));
        }
        match self.identify(&message, &flow) {
            Sender::User { user, proof } => {
                let own = identify::user_of(&message.to()).eq_ignore_ascii_case(&user.name);
                if !own {
                    metrics::counter!("tollgate_register_hijacks_total").increment(1);
                    return self.answer_alone(&message, &flow, 403);
                }
                if !user.enabled {
                    return self.answer_alone(&message, &flow, 403);
                }
                let id = user.id;
                self.bring_to_user(id, Errand::Register(Box::new(Register { message, flow, proof })));
            }
            Sender::Challenge { stale, offered } => self.challenge(&message, &flow, stale, &offered),
            Sender::Trunk { .. } | Sender::Refused(_) => self.answer_alone(&message, &flow, 403),
        }
    }

    /// An INVITE that begins something: its sender is known before a transaction is kept.
    pub(super) fn knock(&mut self, message: Message, flow: Flow, now: Mono) {
        let open = self.house.accepts_calls();
        let may_help = self.may_be_for_help(&message, &flow);
        let taken = open || (may_help && self.house.load.takes_emergencies());
        if !taken {
            return self.refuse_overloaded(&message, &flow);
        }
        // A number of help is taken with whatever domain it is written.
        if !may_help && !self.serves(&message) {
            return self.answer_alone(&message, &flow, 404);
        }
        match self.identify(&message, &flow) {
            Sender::Challenge { stale, offered } => self.challenge(&message, &flow, stale, &offered),
            Sender::Refused(status) => self.answer_alone(&message, &flow, status),
            sender if !self.comes_as_registered(&sender, &message, &flow) => self.answer_alone(&message, &flow, 403),
            sender => {
                let helps = may_help && self.asks_for_help(&sender, &message);
                if !helps && !open {
                    return self.refuse_overloaded(&message, &flow);
                }
                self.waiting.expect(&message, Expected { sender, helps });
                match helps {
                    true => self.layer.handle_urgent(message, flow, now, &mut self.out),
                    false => self.layer.handle_message(message, flow, now, &mut self.out),
                }
            }
        }
    }

    /// Does a registered user call by a way that his registrations allow? Help is called by any.
    fn comes_as_registered(&self, sender: &Sender, message: &Message, flow: &Flow) -> bool {
        match sender {
            Sender::User { user, .. } => self.keeps_its_way(user, flow) || self.asks_for_help(sender, message),
            _ => true,
        }
    }

    /// Is the way one that the user's registrations allow (`registrar.strict_transport`)?
    fn keeps_its_way(&self, user: &User, flow: &Flow) -> bool {
        let strict = self.house.tuned.load().strict_transport;
        let keeps = self.house.presence.allows(user.id, flow, strict);
        if !keeps {
            metrics::counter!("tollgate_other_ways_refused_total").increment(1);
        }
        keeps
    }

    /// A request outside any dialog, in a transaction of its own.
    pub(super) fn outside(
        &mut self,
        key: ServerKey,
        message: Message,
        flow: Flow,
        now: Mono,
        ctx: &mut Context<SipShard>,
    ) {
        // What is wrong with an INVITE is the call's to say: its attempt leaves a record.
        if message.method() == Some(&Method::Invite) {
            return self.let_in(key, message, flow, now, ctx);
        }
        if message.method() != Some(&Method::Message) {
            self.note_probe(&message, &flow);
        }
        if let Some(fault) = replies::outside_fault(&message) {
            // For no dialog of ours, or unknown.
            if matches!(fault.status, 481 | 501) {
                self.house.gate.note(&flow, Note::Wrong);
            }
            return self.answer_fault(key, &message, &flow, &fault, now);
        }
        match message.method() {
            Some(Method::Options) => self.answer(key, &message, &flow, 200, now),
            Some(Method::Message) => self.message(key, message, flow, now, ctx),
            _ => {
                self.house.gate.note(&flow, Note::Wrong);
                self.answer(key, &message, &flow, 501, now)
            }
        }
    }

    /// The INVITE has its transaction: its keeper is asked whether the call may begin.
    fn let_in(&mut self, key: ServerKey, message: Message, flow: Flow, now: Mono, ctx: &mut Context<SipShard>) {
        let Some(Expected { sender, helps }) = self.waiting.expected(&message) else {
            return self.answer(key, &message, &flow, 403, now);
        };
        let reply = ctx.address();
        match &sender {
            Sender::User { user, proof } => {
                if !user.enabled {
                    return self.answer(key, &message, &flow, 403, now);
                }
                let (id, proof) = (user.id, *proof);
                // Trunks have lines of their own to keep to; an emergency is never turned away.
                let most = if helps { Most::default() } else { self.house.tuned.load().pending };
                let Some(place) = self.house.pending.enter(flow.peer.ip(), most) else {
                    metrics::counter!("tollgate_pending_refused_total").increment(1);
                    return self.answer(key, &message, &flow, 503, now);
                };
                self.waiting.put(key, Pending { sender, message, flow, cancelled: None, place, helps });
                self.bring_to_user(id, Errand::MayCall(Box::new(MayCall::new(key, proof, reply))));
            }
            Sender::Trunk { .. } => {
                let source = flow.peer.ip();
                let most = if helps { Most::default() } else { self.house.tuned.load().pending.of_all() };
                let Some(place) = self.house.pending.enter(source, most) else {
                    metrics::counter!("tollgate_pending_refused_total").increment(1);
                    return self.answer(key, &message, &flow, 503, now);
                };
                self.waiting.put(key, Pending { sender, message, flow, cancelled: None, place, helps });
                let limiter = self.ip_limiter(source);
                // One that finds no room is answered 503 as it is dropped.
                let _ = limiter.try_send(MayEnter(MayCall::new(key, None, reply)));
            }
            Sender::Challenge { .. } | Sender::Refused(_) => self.answer(key, &message, &flow, 403, now),
        }
    }

    fn turn_away(&mut self, key: ServerKey, status: u16, now: Mono) {
        if let Some(pending) = self.waiting.take(key) {
            self.answer(key, &pending.message, &pending.flow, status, now);
        }
    }

    /// A call is born.
    fn begin(&mut self, key: ServerKey, keeper: Recipient<Died<Line>>, ctx: &mut Context<SipShard>) {
        let Some(pending) = self.waiting.take(key) else { return };
        let Some(party) = party_of(&pending.sender) else { return };
        let caller = Caller { party, source: pending.flow.peer.ip() };
        let helps = pending.helps;
        let id = self.house.call_ids.mint(self.house.clock.wall());
        let birth = Birth {
            id,
            policy: self.house.call_policy(),
            caller,
            seed: self.house.seed.child(id.to_i64() as u64),
            shard: self.index,
        };
        let slot = self.calls.reserve();
        let core = tollgate_call::Call::new(birth);
        let addr = Call::open(Cradle { core, house: self.house.clone(), shard: ctx.address(), slot, keeper, helps });
        self.calls.settle(slot, id, helps, addr.clone());
        self.calls.listen(slot, pending.message.call_id());
        self.layer.claim(key, slot.owner(tollgate_call::Client(u32::MAX)));
        metrics::counter!("tollgate_calls_total").increment(1);
        tracing::debug!(call = %id, sip_call_id = %crate::sip_shard::reply::loggable(pending.message.call_id()), "a call begins");
        let Pending { message, flow, cancelled, place, .. } = pending;
        addr.do_send(Begin { key, message, flow, cancelled, place });
    }

    /// Could it be a call for help, for all that is known before its sender is? Cheap, for it is asked of every INVITE of a
    /// flood. What a trunk dials may begin with its own prefix and stand in To.
    fn may_be_for_help(&self, message: &Message, flow: &Flow) -> bool {
        emergency::may_be(message.request_uri()) || self.house.directory.load().ingresses().knows(flow.peer.ip())
    }

    /// Does the sender call for help?
    fn asks_for_help(&self, sender: &Sender, message: &Message) -> bool {
        let Some(party) = party_of(sender) else { return false };
        let (directory, tuned, to) = (self.house.directory.load(), self.house.tuned.load(), message.to());
        admission::asks_for_help(&directory, &tuned.emergencies, &party, message.request_uri(), to.uri_raw)
    }

    /// Is the request for a domain of ours? The guide's `blockotherdomains`.
    fn serves(&self, message: &Message) -> bool {
        match tollgate_sip::uri::Uri::parse(message.request_uri()) {
            Ok(uri) if uri.is_sip() => {
                self.house.directory.load().domains().serves(uri.host()) || self.house.is_own_host(uri.host())
            }
            // A tel: URI names no domain (RFC 3966).
            _ => true,
        }
    }
}

impl Handler<Admitted> for SipShard {
    type Result = ();
    fn handle(&mut self, admitted: Admitted, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        crate::supervision::contain("sip_shard.admitted", || {
            match admitted.verdict {
                Ok(keeper) => self.begin(admitted.key, keeper, ctx),
                Err(401) => {
                    // The same proof twice: a replay, or a phone that forgot to count. It is asked again.
                    if let Some(pending) = self.waiting.take(admitted.key) {
                        let offered = self.offered(pending.sender.user(), pending.flow.peer.ip());
                        let response = self.challenge_bytes(&pending.message, &pending.flow, true, &offered);
                        self.layer.respond(admitted.key, response, 401, now, &mut self.out);
                    }
                }
                Err(status) => self.turn_away(admitted.key, status, now),
            }
            self.settle_down(now, ctx);
        });
        self.out.clear();
    }
}

fn party_of(sender: &Sender) -> Option<Party> {
    match sender {
        Sender::User { user, .. } => Some(party_of_user(user)),
        Sender::Trunk { trunk, .. } => Some(party_of_trunk(trunk)),
        Sender::Challenge { .. } | Sender::Refused(_) => None,
    }
}

fn party_of_user(user: &User) -> Party {
    Party::User { user: user.id, account: user.account, name: user.name.clone() }
}

fn party_of_trunk(trunk: &Ingress) -> Party {
    Party::Trunk { trunk: trunk.id, account: trunk.account, name: trunk.name.clone() }
}

impl SipShard {
    /// Challenges without keeping anything.
    fn challenge(&mut self, message: &Message, flow: &Flow, stale: bool, offered: &[Algorithm]) {
        if !self.house.gate.may_challenge(flow) {
            return metrics::counter!("tollgate_challenges_withheld_total").increment(1);
        }
        metrics::counter!("tollgate_challenges_total").increment(1);
        if !stale {
            self.house.gate.note(flow, Note::Challenged);
        }
        let most = message.as_bytes().len() + CHALLENGE_MORE;
        let mut bytes = self.challenge_bytes(message, flow, stale, offered);
        if bytes.len() > most && offered.len() > 1 && !self.house.gate.is_verified(flow) {
            // What phones hardly know gives way first, then all but what every phone knows.
            let usual: Vec<_> =
                offered.iter().copied().filter(|algorithm| *algorithm != Algorithm::Sha512_256).collect();
            bytes = self.challenge_bytes(message, flow, stale, &usual);
            if bytes.len() > most {
                bytes = self.challenge_bytes(message, flow, stale, &usual[usual.len().saturating_sub(1)..]);
            }
        }
        self.send_at_most(flow, bytes, most);
    }

    fn challenge_bytes(&mut self, message: &Message, flow: &Flow, stale: bool, offered: &[Algorithm]) -> bytes::Bytes {
        let mut random = [0u8; 6];
        self.tokens.fill(&mut random);
        let nonce = self.house.nonces.mint(self.house.clock.wall(), flow.peer.ip(), random);
        let directory = self.house.directory.load();
        let challenges = tollgate_sip::digest::challenges(directory.domains().realm(), &nonce, offered, stale);
        let tag = self.layer.stateless_tag(message);
        // We are the callee's side of everything (a B2BUA), so 401 and not a proxy's 407.
        ResponseBuilder::to(message, flow, 401, None).tag(&tag).headers(Name::WwwAuthenticate, challenges).build()
    }
}
