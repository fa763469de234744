//! One address of record: where a user's devices can be reached, and until when.
//!
//! Kept by the user's [`UserLimiter`](crate::user_limiter::UserLimiter), and by the shard's roster while that rests.
//! Born at the user's first REGISTER, or at start from what the journal wrote. Woken by REGISTERs, by who looks for the user,
//! by expiry and for keep-alives. Leaves when the last binding is gone. After a crash its shard
//! opens a successor with the same bindings.

use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_call::{Event, Place, Query};
use tollgate_sip::binding::{Binding, Bindings, Change, Outcome, Parts, Register as Wishes, Road};
use tollgate_sip::dialog::next_hop;
use tollgate_sip::uri::Uri;
use tollgate_sip::wire::{Message as SipMessage, Name, ResponseBuilder};
use tollgate_store::registrations::Row;
use tollgate_types::{Flow, Mono, Transport, UserId};

use crate::call::{Call, Tell};
use crate::journal::Written;
use crate::observe::Observe;
use crate::premises::Premises;
use crate::sip_shard::{Enrol, Leave, MessagePlaces, Proof, Relayed, Retire, SipShard, Wake};
use crate::supervision::{Died, Estate, LastWord};
use crate::tuning::RewriteContact;

const MAILBOX: usize = 64;
/// What keeps a NAT's mapping open: no SIP server and no phone answers it (RFC 5626 §3.5.1's ping, on UDP a blank datagram).
const PING: &[u8] = b"\r\n\r\n";

/// See the module.
pub struct Registration {
    user: UserId,
    shard: u16,
    house: Arc<Premises>,
    bindings: Estate<Bindings>,
    /// The next ping of devices behind NAT.
    ping_at: Option<Mono>,
    _last_word: LastWord,
}

/// A REGISTER that proved itself.
pub struct Register {
    /// The request.
    pub message: SipMessage,
    /// How it came.
    pub flow: Flow,
    /// Its proof.
    pub proof: Option<Proof>,
}

/// A REGISTER at its registration.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Arrival {
    /// The request.
    pub register: Register,
    /// Its proof was spent before: only a repeat of the last answer is served.
    pub replayed: bool,
}

/// Where can the user's devices be reached? Asked of the user's shard.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Locate {
    /// Whose.
    pub user: UserId,
    /// The asker's question.
    pub query: Query,
    /// Who asks.
    pub reply: Asker,
}

/// Who looks for a user.
#[derive(Clone)]
pub enum Asker {
    /// A call.
    Call(Addr<Call>),
    /// A message on its way.
    Message(Relayed, Addr<SipShard>),
}

/// The bindings of a registration that died.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Orphaned {
    /// Whose.
    pub user: UserId,
    /// Where the devices are.
    pub bindings: Bindings,
}

/// Forget every binding: the user is disabled.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Clear;

/// Forget one binding.
#[derive(Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Forget {
    /// Which.
    pub number: u32,
}

/// A connection is gone, and what was reached by it. A device that has come back by another one keeps its binding.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Lost {
    /// Whose device.
    pub user: UserId,
    /// The connection.
    pub flow: Flow,
}

impl Registration {
    /// Starts it on the current thread, with bindings remembered from before.
    pub fn open(user: UserId, shard: u16, remembered: &[Row], house: Arc<Premises>) -> Addr<Registration> {
        let mut bindings = Bindings::new();
        let (now, wall) = (house.clock.mono(), house.clock.wall());
        for row in remembered {
            bindings.restore(Parts {
                flow: row.flow,
                contact: &row.contact,
                instance: &row.instance,
                reg_id: row.reg_id,
                call_id: &row.call_id,
                cseq: row.cseq,
                user_agent: &row.user_agent,
                paths: &row.paths,
                q: row.q,
                since: now - wall.since(row.since),
                refreshed_at: now - wall.since(row.refreshed_at),
                expires_at: now + row.expires_at.since(wall),
            });
        }
        Registration::succeed(user, shard, bindings, house)
    }

    /// Starts it with these bindings; should it die of a panic, its shard gets them back.
    pub fn succeed(user: UserId, shard: u16, bindings: Bindings, house: Arc<Premises>) -> Addr<Registration> {
        Registration::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let home = house.shards().by_index(usize::from(shard)).clone();
            let bindings = Estate::new(bindings, move |died: Died<Bindings>| {
                if died.panicked {
                    home.do_send(Orphaned { user, bindings: died.remains });
                }
            });
            let _last_word = LastWord::new("registration", user, &house.alerter);
            Registration { user, shard, house, bindings, ping_at: None, _last_word }
        })
    }

    fn arrive(&mut self, arrival: Arrival, ctx: &mut Context<Registration>) {
        let Arrival { register: Register { message, flow, .. }, replayed } = arrival;
        let now = self.house.clock.mono();
        let wishes = match Wishes::read(&message, &flow) {
            Ok(wishes) => wishes,
            Err(bad) => return self.reply(&message, &flow, 400, Some(&bad.to_string()), |builder| builder),
        };
        if replayed && !self.bindings.is_repeat(&wishes, now) {
            return self.challenge_again(&message, &flow);
        }
        match self.bindings.apply(&wishes, now, &self.house.registrar_policy()) {
            Outcome::Answer { contacts, changes } => {
                let date = self.house.clock.wall().to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                self.reply(&message, &flow, 200, None, |builder| {
                    builder.headers(Name::Contact, contacts).copy(&message, Name::Path).header(Name::Date, date)
                });
                self.changed(&changes, now, ctx);
            }
            Outcome::IntervalTooBrief { min, .. } => {
                self.reply(&message, &flow, 423, None, |builder| builder.header(Name::MinExpires, min.to_string()));
            }
            Outcome::TooMany { .. } => self.reply(&message, &flow, 403, Some("Too many devices"), |builder| builder),
            Outcome::StaleCSeq { .. } => self.reply(&message, &flow, 500, Some("CSeq out of order"), |builder| builder),
        }
    }

    fn reply(
        &self,
        message: &SipMessage,
        flow: &Flow,
        status: u16,
        reason: Option<&str>,
        more: impl FnOnce(ResponseBuilder) -> ResponseBuilder,
    ) {
        // A registrar's answers make no dialog; the tag only has to be there.
        let tag = format!("r{:x}", self.user.0);
        let bytes = more(ResponseBuilder::to(message, flow, status, reason).tag(&tag)).build();
        if self.house.wires.send(flow, bytes).is_err() {
            metrics::counter!("tollgate_sip_unsent_total").increment(1);
        }
    }

    fn challenge_again(&self, message: &SipMessage, flow: &Flow) {
        let wall = self.house.clock.wall();
        let mut random = [0u8; 6];
        let draw = self.house.seed.child(wall.micros() as u64 ^ self.user.0 as u64).0[0];
        random.copy_from_slice(&draw.to_be_bytes()[..6]);
        let nonce = self.house.nonces.mint(wall, flow.peer.ip(), random);
        let directory = self.house.directory.load();
        let user = directory.user(self.user);
        let allowed = user.map_or(self.house.algorithms(), |user| user.algorithms.and(self.house.algorithms()));
        let offered: Vec<_> = allowed.in_order(None).map(crate::sip_shard::of_routing).collect();
        let challenges: Vec<String> =
            tollgate_sip::digest::challenges(directory.domains().realm(), &nonce, &offered, true).collect();
        self.reply(message, flow, 401, None, |builder| builder.headers(Name::WwwAuthenticate, challenges));
    }

    fn tell_presence(&self) {
        self.house.presence.set(self.user, self.bindings.iter().map(|binding| Road::from(&binding.flow)).collect());
    }

    /// Tells the journal, and has the wheel wake us at the next deadline.
    fn changed(&mut self, changes: &[Change], now: Mono, ctx: &mut Context<Registration>) {
        for change in changes {
            self.write(change);
        }
        // The connection may have ended while its REGISTER was on the way here: then nobody brings the news any more.
        let lost: Vec<Flow> = changes.iter().filter_map(|change| self.rely_on(change)).collect();
        for flow in lost {
            for change in self.bindings.lose(&flow) {
                self.write(&change);
            }
        }
        self.tell_presence();
        self.settle();
        if self.bindings.is_empty() {
            let home = self.house.shards().by_index(usize::from(self.shard));
            home.do_send(Leave::Registration(self.user));
            ctx.stop();
            return;
        }
        self.enrol(now, ctx);
    }

    fn write(&self, change: &Change) {
        let written = match change {
            Change::Added(number) | Change::Moved(number) => {
                self.bindings.get(*number).map(|binding| Written::whole(self.user, binding, &self.house))
            }
            Change::Refreshed(number) => {
                self.bindings.get(*number).map(|binding| Written::expiry(self.user, binding, &self.house))
            }
            Change::Removed(binding, _) => Some(Written::gone(self.user, binding)),
        };
        if let Some(written) = written {
            self.house.journal.write(written);
        }
    }

    /// Has the edge tell us when the device's connection ends; returns it when it has ended already.
    fn rely_on(&self, change: &Change) -> Option<Flow> {
        match change {
            Change::Added(number) | Change::Moved(number) | Change::Refreshed(number) => {
                let flow = self.bindings.get(*number)?.flow;
                (!self.house.wires.rely(&flow, self.user)).then_some(flow)
            }
            Change::Removed(binding, _) => {
                let flow = binding.flow;
                if !self.bindings.iter().any(|other| other.flow == flow) {
                    self.house.wires.release(&flow, self.user);
                }
                None
            }
        }
    }

    fn enrol(&mut self, now: Mono, ctx: &mut Context<Registration>) {
        let keepalive = self.house.tuned.load().keepalive;
        self.ping_at = match (self.has_device_behind_nat(), keepalive) {
            (true, Some(pause)) => Some(self.ping_at.filter(|at| *at > now).unwrap_or(now + pause)),
            _ => None,
        };
        let wake_at = self.bindings.next_expiry().into_iter().chain(self.ping_at).min();
        let home = self.house.shards().by_index(usize::from(self.shard));
        home.do_send(Enrol::Registration { user: self.user, addr: ctx.address(), wake_at });
    }

    /// Tells the gate where the devices are.
    fn settle(&self) {
        let devices = self.bindings.iter().map(|binding| binding.flow.peer).collect();
        self.house.gate.residents.settle(self.user, devices, self.house.clock.wall());
    }

    fn has_device_behind_nat(&self) -> bool {
        self.bindings.iter().any(|binding| is_behind_nat(binding.contact(), &binding.flow))
    }

    fn places(&self, now: Mono) -> Vec<Place> {
        self.bindings
            .targets(now)
            .into_iter()
            .map(|binding| Place {
                uri: binding.contact().into(),
                flow: way_to(binding, self.house.tuned.load().rewrite_contact),
                routes: binding.paths().map(Box::from).collect(),
                login: None,
            })
            .collect()
    }
}

/// What reaches the device. Where the operator wants the Contact followed, it is, as far as a stranger's word may lead.
fn way_to(binding: &Binding, rewrite: RewriteContact) -> Flow {
    match rewrite {
        RewriteContact::Never => next_hop(binding.contact(), binding.flow),
        RewriteContact::Nat if !binding.is_behind_nat() => next_hop(binding.contact(), binding.flow),
        RewriteContact::Nat | RewriteContact::Always => binding.flow,
    }
}

/// Does the device write another address than its packets come from?
fn is_behind_nat(contact: &str, flow: &Flow) -> bool {
    let written = Uri::parse(contact).ok().and_then(|uri| uri.host_ip());
    flow.transport == Transport::Udp && written != Some(flow.peer.ip())
}

impl Actor for Registration {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if !self.bindings.is_empty() {
            self.tell_presence();
            self.settle();
            self.enrol(self.house.clock.mono(), ctx);
        }
    }
}

impl Handler<Arrival> for Registration {
    type Result = ();
    fn handle(&mut self, arrival: Arrival, ctx: &mut Context<Self>) {
        self.arrive(arrival, ctx);
    }
}

impl Handler<Locate> for Registration {
    type Result = ();
    fn handle(&mut self, locate: Locate, _: &mut Context<Self>) {
        locate.reply.tell(locate.query, self.places(self.house.clock.mono()));
    }
}

impl Asker {
    /// Tells what was found; an asker that is gone does not miss it.
    pub fn tell(&self, query: Query, places: Vec<Place>) {
        match self {
            Asker::Call(call) => {
                let _ = call.try_send(Tell(Event::Located { query, places }));
            }
            Asker::Message(relayed, shard) => {
                let _ = shard.try_send(MessagePlaces { relayed: *relayed, places });
            }
        }
    }
}

impl Handler<Retire> for Registration {
    type Result = ();
    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<Clear> for Registration {
    type Result = ();
    fn handle(&mut self, _: Clear, ctx: &mut Context<Self>) {
        let numbers: Vec<u32> = self.bindings.iter().map(|binding| binding.number).collect();
        let changes: Vec<Change> = numbers.into_iter().flat_map(|number| self.bindings.remove(number)).collect();
        self.changed(&changes, self.house.clock.mono(), ctx);
    }
}

impl Handler<Forget> for Registration {
    type Result = bool;
    fn handle(&mut self, forget: Forget, ctx: &mut Context<Self>) -> bool {
        let changes = self.bindings.remove(forget.number);
        self.changed(&changes, self.house.clock.mono(), ctx);
        !changes.is_empty()
    }
}

impl Handler<Lost> for Registration {
    type Result = ();
    fn handle(&mut self, lost: Lost, ctx: &mut Context<Self>) {
        let changes = self.bindings.lose(&lost.flow);
        if !changes.is_empty() {
            self.changed(&changes, self.house.clock.mono(), ctx);
        }
    }
}

impl Handler<Wake> for Registration {
    type Result = ();
    fn handle(&mut self, _: Wake, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        if self.ping_at.is_some_and(|at| at <= now) {
            for binding in self.bindings.iter().filter(|binding| is_behind_nat(binding.contact(), &binding.flow)) {
                let _ = self.house.wires.send(&binding.flow, Bytes::from_static(PING));
            }
        }
        let changes = self.bindings.expire(now);
        self.changed(&changes, now, ctx);
    }
}

impl Handler<Observe> for Registration {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let (now, wall) = (self.house.clock.mono(), self.house.clock.wall());
        let directory = self.house.directory.load();
        let user = directory.user(self.user).map(|user| user.name.to_string());
        let rows: Vec<Value> = self
            .bindings
            .iter()
            .map(|binding| {
                json!({
                    "id": format!("{}-{}", self.user.0, binding.number),
                    "user": user,
                    "contact": binding.contact(),
                    "source": binding.flow.peer.to_string(),
                    "transport": binding.flow.transport,
                    "user_agent": binding.user_agent(),
                    "registered_at": wall - now.since(binding.since),
                    "expires_at": wall + binding.expires_at.since(now),
                })
            })
            .collect();
        MessageResult::<Observe>(Value::Array(rows))
    }
}

#[cfg(test)]
mod tests {
    use tollgate_types::ConnId;

    use super::*;

    #[test]
    fn a_device_behind_nat_writes_another_address() {
        let flow = |peer: &str, transport| Flow {
            transport,
            local: "198.51.100.1:5060".parse().unwrap(),
            peer: peer.parse().unwrap(),
            conn: ConnId(0),
        };
        for (contact, peer, transport, verdict) in [
            ("sip:anna@192.168.1.5:5060", "203.0.113.9:40000", Transport::Udp, true),
            ("sip:anna@203.0.113.9:40000", "203.0.113.9:40000", Transport::Udp, false),
            ("sip:anna@phone.local", "203.0.113.9:40000", Transport::Udp, true),
            ("sip:anna@192.168.1.5:5060", "203.0.113.9:40000", Transport::Tcp, false),
        ] {
            assert_eq!(is_behind_nat(contact, &flow(peer, transport)), verdict, "{contact}");
        }
    }
}
