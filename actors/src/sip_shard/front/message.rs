//! MESSAGE between users (RFC 3428): admitted like any request of a user, relayed to every device of the one it is for,
//! answered as the first device that takes it answers.

use actix::prelude::*;
use tollgate_call::{Place, Query};
use tollgate_sip::transaction::{SentBy, ServerKey};
use tollgate_sip::wire::{Message, Method, Name, RequestBuilder};
use tollgate_types::{Flow, Mono, UserId};

use super::Sender;
use crate::registration::Locate;
use crate::sip_shard::SipShard;

/// The largest text relayed, so that it fits a datagram with its headers (RFC 3428 §8).
const BODY_MAX: usize = 1300;
/// Messages being relayed at once on one shard.
const RELAYED_MAX: usize = 4096;
/// Marks an owner in the transaction layer as a relayed message.
const OWNER: u64 = 0b10 << 62;

/// Names one message being relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Relayed(u32);

/// A message on its way.
pub struct OnItsWay {
    key: ServerKey,
    message: Message,
    flow: Flow,
    from: Box<str>,
    /// Devices that have not answered.
    open: usize,
    /// The best refusal so far.
    status: u16,
}

/// Where the devices of the one it is for can be reached.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MessagePlaces {
    /// Which message.
    pub relayed: Relayed,
    /// The devices.
    pub places: Vec<Place>,
}

impl Relayed {
    /// Reads an owner of the transaction layer.
    pub fn of_owner(owner: u64) -> Option<Relayed> {
        (owner >> 62 == 0b10).then_some(Relayed(owner as u32))
    }

    fn owner(self) -> u64 {
        OWNER | u64::from(self.0)
    }
}

impl SipShard {
    /// A MESSAGE outside any dialog.
    pub(super) fn message(
        &mut self,
        key: ServerKey,
        message: Message,
        flow: Flow,
        now: Mono,
        ctx: &mut Context<SipShard>,
    ) {
        let sender = match self.identify(&message, &flow) {
            Sender::User { user, .. } if user.enabled && self.keeps_its_way(&user, &flow) => user,
            Sender::Challenge { stale, offered } => {
                self.layer.forget(key);
                return self.challenge(&message, &flow, stale, &offered);
            }
            _ => return self.answer(key, &message, &flow, 403, now),
        };
        if message.body().len() > BODY_MAX {
            return self.answer(key, &message, &flow, 513, now);
        }
        let Some(to) = self.addressee(&message, &sender) else { return self.answer(key, &message, &flow, 404, now) };
        if self.relays.len() >= RELAYED_MAX {
            return self.answer(key, &message, &flow, 503, now);
        }
        self.next_relay = self.next_relay.wrapping_add(1);
        let relayed = Relayed(self.next_relay);
        let from = sender.name.clone();
        self.relays.insert(relayed, OnItsWay { key, message, flow, from, open: 0, status: 480 });
        let locate =
            Locate { user: to, query: Query(0), reply: crate::registration::Asker::Message(relayed, ctx.address()) };
        if self.house.shards().of_user(to).try_send(locate).is_err() {
            self.finish_relay(relayed, 503, now);
        }
    }

    /// Who it is for: a user by name or extension; numbers outside take no messages.
    fn addressee(&self, message: &Message, sender: &tollgate_routing::user::User) -> Option<UserId> {
        let directory = self.house.directory.load();
        let uri = tollgate_sip::uri::Uri::parse(message.request_uri()).ok()?;
        let name = uri.user()?;
        let user = directory.extension(sender.tenant, &name).or_else(|| directory.user_named(&name, None))?;
        user.enabled.then_some(user.id)
    }

    fn finish_relay(&mut self, relayed: Relayed, status: u16, now: Mono) {
        if let Some(way) = self.relays.remove(&relayed) {
            self.answer(way.key, &way.message, &way.flow, status, now);
        }
    }

    /// A device has answered, or cannot be reached.
    pub(in crate::sip_shard) fn relay_answer(&mut self, relayed: Relayed, answer: Option<Message>) {
        let now = self.house.clock.mono();
        let status = answer.and_then(|answer| answer.status()).unwrap_or(480);
        if status < 200 {
            return;
        }
        let Some(way) = self.relays.get_mut(&relayed) else { return };
        if status < 300 {
            return self.finish_relay(relayed, 200, now);
        }
        way.open = way.open.saturating_sub(1);
        way.status = way.status.min(status);
        if way.open == 0 {
            let status = way.status;
            self.finish_relay(relayed, status, now);
        }
    }

    fn relay_to(&mut self, relayed: Relayed, places: Vec<Place>, now: Mono) {
        let Some(way) = self.relays.get_mut(&relayed) else { return };
        if places.is_empty() {
            return self.finish_relay(relayed, 480, now);
        }
        way.open = places.len();
        let (message, from) = (way.message.clone(), way.from.clone());
        let realm = self.house.directory.load().domains().realm().to_owned();
        for place in places {
            let (call_id, tag, cseq) = (self.tokens.call_id(), self.tokens.tag(), self.tokens.cseq());
            let to = super::identify::user_of(&message.to());
            let request = RequestBuilder::new(&Method::Message, &place.uri)
                .headers(Name::Route, place.routes.iter())
                .header(Name::From, format!("<sip:{from}@{realm}>;tag={tag}"))
                .header(Name::To, format!("<sip:{to}@{realm}>"))
                .header(Name::CallId, call_id)
                .header(Name::CSeq, format!("{cseq} MESSAGE"))
                .header(Name::MaxForwards, "70")
                .body(message.content_type().unwrap_or("text/plain"), message.body().clone())
                .build();
            let reachable = self.house.wires.reachable_at(&place.flow).to_string();
            if self
                .layer
                .request(relayed.owner(), &request, place.flow, SentBy(&reachable), false, now, &mut self.out)
                .is_err()
            {
                self.relay_answer(relayed, None);
            }
        }
    }
}

impl Handler<MessagePlaces> for SipShard {
    type Result = ();
    fn handle(&mut self, found: MessagePlaces, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        crate::supervision::contain("sip_shard.message", || {
            self.relay_to(found.relayed, found.places, now);
            self.settle_down(now, ctx);
        });
        self.out.clear();
    }
}
