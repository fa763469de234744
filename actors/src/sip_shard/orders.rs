//! What the calls of this shard order of its transactions and its wheel.

use actix::prelude::*;
use bytes::Bytes;
use tollgate_billing::Cause;
use tollgate_call::{Client, Event};
use tollgate_sip::transaction::{SentBy, ServerKey};
use tollgate_types::{CallId, Flow, Mono};

use super::SipShard;
use super::call_book::CallSlot;
use super::roster::Due;
use crate::call::{Call, Line};
use crate::media_leg::MediaLeg;
use crate::supervision::{Died, contain};
use crate::undertaker::bury;

/// Orders of one call, carried out in their sequence.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Orders {
    /// Whose.
    pub slot: CallSlot,
    /// What.
    pub orders: Vec<Order>,
}

/// One order.
pub enum Order {
    /// Send a request in a transaction of its own.
    Request {
        /// Comes back with each response.
        client: Client,
        /// Where to.
        flow: Flow,
        /// Without the top Via.
        bytes: Bytes,
        /// It serves a dialog that exists.
        in_dialog: bool,
        /// It goes before others when there is little room.
        urgent: bool,
    },
    /// Cancel an INVITE.
    Cancel {
        /// Which.
        client: Client,
        /// A Reason value (RFC 3326).
        reason: Option<&'static str>,
    },
    /// Send an ACK outside any transaction.
    SendAck {
        /// Where to.
        flow: Flow,
        /// Without the top Via.
        bytes: Bytes,
    },
    /// Answer a request.
    Respond {
        /// Which.
        key: ServerKey,
        /// The status in `bytes`.
        status: u16,
        /// The response.
        bytes: Bytes,
    },
    /// Requests with this Call-ID are this call's.
    Listen(Box<str>),
    /// Wake the call then, and not earlier; `None` for not at all.
    WakeAt(Option<Mono>),
    /// Wake these legs then.
    WakeMedia {
        /// Whom; they stay known.
        legs: Vec<Addr<MediaLeg>>,
        /// When.
        at: Mono,
    },
    /// The call is over.
    Over,
}

/// All calls that live here.
#[derive(Message)]
#[rtype(result = "Vec<Addr<Call>>")]
pub struct LiveCalls {
    /// This one alone.
    pub only: Option<CallId>,
    /// No emergency calls.
    pub ordinary: bool,
}

impl Handler<Orders> for SipShard {
    type Result = ();
    fn handle(&mut self, batch: Orders, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        for order in batch.orders {
            let (over, asked) = match &order {
                Order::Over => (true, None),
                Order::Request { client, .. } => (false, Some(*client)),
                _ => (false, None),
            };
            let obeyed = contain("sip_shard.order", || {
                self.obey(batch.slot, order, now);
                self.settle_down(now, ctx);
            });
            self.out.clear();
            match obeyed {
                Some(()) => {}
                None if over => self.dismiss(batch.slot),
                // The call does not know what was lost of it: it ends in order, and nobody waits for a lost request.
                None => {
                    if let Some(client) = asked {
                        self.calls.tell(batch.slot, Event::Unreachable { client });
                    }
                    self.calls.tell(batch.slot, Event::HangUp { cause: Cause::Internal });
                }
            }
        }
    }
}

impl SipShard {
    fn obey(&mut self, slot: CallSlot, order: Order, now: Mono) {
        match order {
            Order::Request { client, flow, bytes, in_dialog, urgent } => {
                let flow = if in_dialog { self.way_of(flow, &bytes) } else { flow };
                let owner = slot.owner(client);
                let reachable = self.house.wires.reachable_at(&flow).to_string();
                match self.layer.request(owner, &bytes, flow, SentBy(&reachable), urgent, now, &mut self.out) {
                    Ok(key) => self.calls.note_client(slot, client, key),
                    Err(full) => {
                        tracing::warn!(%full, "a request of ours was not sent");
                        self.calls.tell(slot, Event::Unreachable { client });
                    }
                }
            }
            Order::Cancel { client, reason } => {
                let key = self
                    .calls
                    .get(slot)
                    .and_then(|entry| entry.clients.iter().find(|(known, _)| *known == client).map(|(_, key)| *key));
                if let Some(key) = key {
                    self.layer.cancel(key, reason, now, &mut self.out);
                }
            }
            Order::SendAck { flow, bytes } => {
                let flow = self.way_of(flow, &bytes);
                let reachable = self.house.wires.reachable_at(&flow).to_string();
                self.layer.send_bare(&bytes, flow, SentBy(&reachable), &mut self.out);
            }
            Order::Respond { key, status, bytes } => {
                self.layer.respond(key, bytes, status, now, &mut self.out);
            }
            Order::Listen(call_id) => self.calls.listen(slot, &call_id),
            Order::WakeAt(at) => {
                let Some(entry) = self.calls.get(slot) else { return };
                if let Some(timer) = entry.timer.take() {
                    self.wheel.cancel(timer);
                }
                entry.timer = at.map(|at| self.wheel.insert(at, Due::Call(slot)));
            }
            Order::WakeMedia { legs, at } => {
                let Some(entry) = self.calls.get(slot) else { return };
                if let Some(timer) = entry.media_timer.take() {
                    self.wheel.cancel(timer);
                }
                entry.legs = legs;
                entry.media_timer = Some(self.wheel.insert(at, Due::Media(slot)));
            }
            Order::Over => self.dismiss(slot),
        }
    }

    fn dismiss(&mut self, slot: CallSlot) {
        if let Some(entry) = self.calls.remove(slot) {
            for timer in [entry.timer, entry.media_timer].into_iter().flatten() {
                self.wheel.cancel(timer);
            }
        }
    }
}

impl SipShard {
    /// The way of a request inside a dialog: what the dialog knows, or, when that connection has ended, a new one to where the
    /// peer said it can be reached. Where that does not help either, the request fails as unreachable.
    fn way_of(&self, flow: Flow, bytes: &[u8]) -> Flow {
        if self.house.wires.is_open(&flow) {
            return flow;
        }
        tollgate_sip::dialog::reconnect(bytes, flow).unwrap_or(flow)
    }
}

/// A call whose keeper died before it.
impl Handler<Died<Line>> for SipShard {
    type Result = ();
    fn handle(&mut self, died: Died<Line>, _: &mut Context<Self>) {
        contain("sip_shard.bury", || bury(died));
    }
}

impl Handler<LiveCalls> for SipShard {
    type Result = MessageResult<LiveCalls>;
    fn handle(&mut self, which: LiveCalls, _: &mut Context<Self>) -> Self::Result {
        MessageResult(match which.only {
            None => self.calls.all(which.ordinary).cloned().collect(),
            Some(id) => {
                let slot = self.calls.by_id(id);
                slot.and_then(|slot| self.calls.get(slot)).map(|entry| entry.addr.clone()).into_iter().collect()
            }
        })
    }
}

impl Handler<crate::carrier::SendFor> for SipShard {
    type Result = ();
    fn handle(&mut self, send: crate::carrier::SendFor, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        contain("sip_shard.send_for", || {
            let reachable = self.house.wires.reachable_at(&send.flow).to_string();
            let _ =
                self.layer.request(send.owner, &send.bytes, send.flow, SentBy(&reachable), false, now, &mut self.out);
            self.settle_down(now, ctx);
        });
        self.out.clear();
    }
}

impl Handler<crate::carrier::Find> for SipShard {
    type Result = ();
    fn handle(&mut self, find: crate::carrier::Find, ctx: &mut Context<Self>) {
        let (query, reply) = (find.query, find.reply.clone());
        let carrier = match self.roster.carrier(find.trunk) {
            Some(carrier) => Some(carrier.clone()),
            None => {
                let trunk = self.house.directory.load().egress(find.trunk).cloned();
                trunk.map(|trunk| crate::carrier::Carrier::open(trunk, self.index, ctx.address(), self.house.clone()))
            }
        };
        if carrier.is_none_or(|carrier| carrier.try_send(find).is_err()) {
            let _ = reply.try_send(crate::call::Tell(Event::Located { query, places: Vec::new() }));
        }
    }
}

impl Handler<crate::carrier::Changed> for SipShard {
    type Result = ();
    fn handle(&mut self, changed: crate::carrier::Changed, ctx: &mut Context<Self>) {
        match (self.roster.carrier(changed.trunk), &changed.now) {
            (Some(carrier), _) => carrier.do_send(changed),
            (None, Some(trunk)) => {
                crate::carrier::Carrier::open(trunk.clone(), self.index, ctx.address(), self.house.clone());
            }
            (None, None) => {}
        }
    }
}

impl Handler<crate::registration::Lost> for SipShard {
    type Result = ();
    fn handle(&mut self, lost: crate::registration::Lost, _: &mut Context<Self>) {
        if let Some(registration) = self.roster.registration(lost.user) {
            registration.do_send(lost);
        }
    }
}

impl Handler<crate::registration::Locate> for SipShard {
    type Result = ();
    fn handle(&mut self, locate: crate::registration::Locate, _: &mut Context<Self>) {
        let (query, reply) = (locate.query, locate.reply.clone());
        let asked =
            self.roster.registration(locate.user).is_some_and(|registration| registration.try_send(locate).is_ok());
        if !asked {
            reply.tell(query, Vec::new());
        }
    }
}
