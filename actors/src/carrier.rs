//! One egress trunk: where it is, whether it is well, and our registration with it.
//!
//! Kept by the platform, on the shard that the trunk's id names. Born with the trunk; leaves with it.
//! Woken by calls that look for its address, by the wheel for health checks and registration, by answers to both.
//! After a crash it is born anew at the next call; the trunk counts as well until it is seen not to be.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_call::{Event, Place, Query};
use tollgate_routing::trunk::Egress;
use tollgate_sip::digest::{Challenge, Login as DigestLogin, Realms};
use tollgate_sip::locate::{Target, Wanted};
use tollgate_sip::token::Tokens;
use tollgate_sip::wire::{Message as SipMessage, Method, Name, RequestBuilder};
use tollgate_types::{Flow, Mono, TrunkId};

use crate::alerter::{Raise, Severity};
use crate::call::{Call, Tell};
use crate::observe::Observe;
use crate::premises::Premises;
use crate::sip_shard::{Enrol, SipShard, Wake};
use crate::supervision::{Died, Estate, LastWord};
use crate::trunk_board::TrunkRecord;

const MAILBOX: usize = 4096;
/// Addresses are looked up again no sooner, whatever DNS says.
const ADDRESSES_AGE_MIN: Duration = Duration::from_secs(1);
/// A failed registration is tried again after so long.
const REGISTER_RETRY: Duration = Duration::from_secs(30);
const REGISTER_EXPIRES: u32 = 600;

/// See the module.
pub struct Carrier {
    trunk: Arc<Egress>,
    record: Arc<TrunkRecord>,
    shard: Addr<SipShard>,
    house: Arc<Premises>,
    tokens: Tokens,
    targets: Vec<Target>,
    targets_until: Mono,
    looking_up: bool,
    /// Calls that wait for the address.
    askers: Vec<Find>,
    next_check: Option<Mono>,
    next_register: Option<Mono>,
    register: Registering,
    failures: u32,
    /// Its shard hears of its death.
    _heir: Estate<TrunkId>,
    _last_word: LastWord,
}

/// Our registration with the trunk.
struct Registering {
    call_id: String,
    tag: String,
    cseq: u32,
    /// Challenges answered since the last final word: a second one only when the nonce was stale, a third never.
    proofs: u8,
}

/// Where can the trunk be reached? Asked by a call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Find {
    /// The call's question.
    pub query: Query,
    /// Which trunk.
    pub trunk: TrunkId,
    /// The user part of the Request-URI.
    pub number: Box<str>,
    /// The call.
    pub reply: Addr<Call>,
}

/// What a request of ours was answered; 408 and 503 also stand for silence and unreachable.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Heard {
    /// Which request.
    pub errand: u32,
    /// With what.
    pub status: u16,
    /// The answer, if there was one.
    pub message: Option<SipMessage>,
}

/// A trunk's carrier died; it wants a successor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Vacant(pub TrunkId);

/// The look-up is done.
#[derive(Message)]
#[rtype(result = "()")]
struct Found(Vec<Target>, Duration);

/// The trunk was changed or removed.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Changed {
    /// Which.
    pub trunk: TrunkId,
    /// As it is from now on.
    pub now: Option<Arc<Egress>>,
}

/// A request of a carrier, for the shard's transactions.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SendFor {
    /// Comes back with the answer.
    pub owner: u64,
    /// Where to.
    pub flow: Flow,
    /// Without the top Via.
    pub bytes: Bytes,
}

const OWNER: u64 = 0b11 << 62;
const OPTIONS: u32 = 1;
const REGISTER: u32 = 2;

fn owner(trunk: TrunkId, errand: u32) -> u64 {
    OWNER | ((trunk.0 as u64 & 0x3fff_ffff) << 32) | u64::from(errand)
}

/// Reads an owner of the transaction layer.
pub fn of_owner(owner: u64) -> Option<(TrunkId, u32)> {
    (owner >> 62 == 0b11).then_some((TrunkId(((owner >> 32) & 0x3fff_ffff) as i64), owner as u32))
}

impl Carrier {
    /// Starts it on the current thread, which is that of its shard, number `index`: answers to its requests find it by that number in
    /// their Call-ID.
    pub fn open(trunk: Arc<Egress>, index: u16, shard: Addr<SipShard>, house: Arc<Premises>) -> Addr<Carrier> {
        let seed = house.seed.child(trunk.id.0 as u64 ^ 0x0063_6172);
        Carrier::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let mut tokens = Tokens::new(seed, index);
            let register = Registering { call_id: tokens.call_id(), tag: tokens.tag(), cseq: tokens.cseq(), proofs: 0 };
            let now = house.clock.mono();
            let (id, home) = (trunk.id, shard.clone());
            let heir = Estate::new(id, move |died: Died<TrunkId>| {
                if died.panicked {
                    home.do_send(Vacant(died.remains));
                }
            });
            Carrier {
                _last_word: LastWord::new("carrier", &trunk.name, &house.alerter),
                _heir: heir,
                record: house.trunks.record(trunk.id),
                next_check: trunk.health_every.map(|_| now),
                next_register: trunk.register.then_some(now),
                trunk,
                shard,
                house,
                tokens,
                targets: Vec::new(),
                targets_until: Mono::START,
                looking_up: false,
                askers: Vec::new(),
                register,
                failures: 0,
            }
        })
    }

    fn find(&mut self, find: Find, ctx: &mut Context<Carrier>) {
        let now = self.house.clock.mono();
        if self.targets_until > now {
            return self.tell(&find);
        }
        if self.askers.len() >= MAILBOX {
            let _ = find.reply.try_send(Tell(Event::Located { query: find.query, places: Vec::new() }));
            return;
        }
        self.askers.push(find);
        self.look_up(now, ctx);
    }

    fn look_up(&mut self, now: Mono, ctx: &mut Context<Carrier>) {
        let wanted = Wanted {
            host: self.trunk.uri.host.to_string(),
            port: self.trunk.uri.port,
            transport: self.trunk.uri.transport,
            secure: false,
        };
        if let Some(targets) = self.house.resolver.at_once(&wanted) {
            return self.found(targets, Duration::MAX, now);
        }
        if !self.looking_up {
            self.looking_up = true;
            let own = ctx.address();
            self.house.resolver.look_up(wanted, move |targets, age| own.do_send(Found(targets, age)));
        }
    }

    fn found(&mut self, targets: Vec<Target>, age: Duration, now: Mono) {
        self.looking_up = false;
        // A name that is gone for a moment does not take a trunk down that was found before.
        if !targets.is_empty() || self.targets.is_empty() {
            self.targets = targets;
        }
        let age = age.min(self.house.tuned.load().dns_max_age).max(ADDRESSES_AGE_MIN);
        self.targets_until = now + if self.targets.is_empty() { Duration::from_secs(2) } else { age };
        for find in std::mem::take(&mut self.askers) {
            self.tell(&find);
        }
    }

    fn tell(&self, find: &Find) {
        let login = Option::clone(&self.record.login.load());
        let host = host_text(&self.trunk.uri.host);
        let port = self.trunk.uri.port.map(|port| format!(":{port}")).unwrap_or_default();
        let places = self
            .flows()
            .map(|flow| Place {
                uri: format!("sip:{}@{host}{port}", find.number).into(),
                flow,
                routes: Box::default(),
                login: login.clone(),
            })
            .collect();
        let _ = find.reply.try_send(Tell(Event::Located { query: find.query, places }));
    }

    fn flows(&self) -> impl Iterator<Item = Flow> {
        self.targets.iter().filter_map(|target| self.house.wires.flow_to(target.transport, target.address))
    }

    fn enrol(&self, ctx: &mut Context<Carrier>) {
        let wake_at = self.next_check.into_iter().chain(self.next_register).min();
        self.shard.do_send(Enrol::Carrier { trunk: self.trunk.id, addr: ctx.address(), wake_at });
    }

    /// OPTIONS to the first address.
    fn check(&mut self) {
        let Some(flow) = self.flows().next() else { return self.heard_check(503) };
        let us = self.house.wires.reachable_at(&flow);
        let request = RequestBuilder::new(&Method::Options, &format!("sip:{}", host_text(&self.trunk.uri.host)))
            .header(Name::From, format!("<sip:tollgate@{us}>;tag={}", self.tokens.tag()))
            .header(Name::To, format!("<sip:{}>", host_text(&self.trunk.uri.host)))
            .header(Name::CallId, self.tokens.call_id())
            .header(Name::CSeq, "1 OPTIONS")
            .header(Name::MaxForwards, "70")
            .header(Name::Contact, format!("<sip:{us}>"))
            .build();
        self.shard.do_send(SendFor { owner: owner(self.trunk.id, OPTIONS), flow, bytes: request });
    }

    fn heard_check(&mut self, status: u16) {
        // Whatever it answers, it is there; silence, an unreachable address and a plain 503 are not.
        let well = !matches!(status, 408 | 503);
        self.failures = if well { 0 } else { self.failures + 1 };
        let was = self.record.is_well();
        // One lost answer takes no carrier down.
        let now_well = well || (was && self.failures < 2);
        self.record.set_well(now_well);
        if was != now_well {
            let (severity, text) = match now_well {
                true => (Severity::Notice, "the carrier answers again"),
                false => (Severity::Warning, "the carrier does not answer; its calls go elsewhere"),
            };
            let raise =
                Raise { kind: "carrier_health", severity, subject: self.trunk.name.to_string(), text: text.into() };
            let _ = self.house.alerter.try_send(raise);
        }
    }

    fn send_register(&mut self, challenge: Option<&Challenge>) {
        let Some(flow) = self.flows().next() else {
            self.next_register = Some(self.house.clock.mono() + REGISTER_RETRY);
            return;
        };
        let Some(login) = Option::clone(&self.record.login.load()) else { return };
        self.register.cseq += 1;
        let host = host_text(&self.trunk.uri.host);
        let uri = format!("sip:{host}");
        let us = self.house.wires.reachable_at(&flow);
        let transport = flow.transport.uri_token();
        let mut builder = RequestBuilder::new(&Method::Register, &uri)
            .header(Name::From, format!("<sip:{}@{host}>;tag={}", login.username, self.register.tag))
            .header(Name::To, format!("<sip:{}@{host}>", login.username))
            .header(Name::CallId, &self.register.call_id)
            .header(Name::CSeq, format!("{} REGISTER", self.register.cseq))
            .header(Name::MaxForwards, "70")
            .header(Name::Contact, format!("<sip:{}@{us};transport={transport}>", login.username))
            .header(Name::Expires, REGISTER_EXPIRES.to_string());
        if let Some(challenge) = challenge {
            let realms = realms(&login);
            let digest = Carrier::digest_login(&login, &realms);
            let (name, value) = challenge.answer(&digest, "REGISTER", &uri, &self.tokens.cnonce(), 1);
            builder = builder.header(name, value);
        }
        self.shard.do_send(SendFor { owner: owner(self.trunk.id, REGISTER), flow, bytes: builder.build() });
    }

    fn digest_login<'a>(login: &'a tollgate_call::Login, realms: &'a [&'a str]) -> DigestLogin<'a> {
        let realms = if realms.is_empty() { Realms::FromTrustedHost } else { Realms::Only(realms) };
        DigestLogin { username: &login.username, password: &login.secret, realms }
    }

    fn heard_register(&mut self, status: u16, message: Option<&SipMessage>) {
        let now = self.house.clock.mono();
        match (status, message) {
            (401 | 407, Some(message)) if self.register.proofs < 2 => {
                let login = Option::clone(&self.record.login.load());
                let challenges = Challenge::read(message);
                let chosen = login.as_ref().and_then(|login| {
                    Challenge::choose(&challenges, &Carrier::digest_login(login, &realms(login))).cloned()
                });
                let proofs = self.register.proofs;
                if let Some(chosen) = chosen.filter(|chosen| proofs == 0 || chosen.stale) {
                    self.register.proofs += 1;
                    return self.send_register(Some(&chosen));
                }
                self.lost_registration(status, now);
            }
            (200..300, Some(message)) => {
                self.register.proofs = 0;
                self.record.set_registered(true);
                let granted = message.expires().unwrap_or(REGISTER_EXPIRES).clamp(30, 86_400);
                self.next_register = Some(now + Duration::from_secs(u64::from(granted / 2)));
            }
            _ => self.lost_registration(status, now),
        }
    }

    fn lost_registration(&mut self, status: u16, now: Mono) {
        self.register.proofs = 0;
        self.next_register = Some(now + REGISTER_RETRY);
        if self.record.is_registered() || self.failures == 0 {
            let text = format!("our registration with the carrier was answered {status}; it is tried again");
            let raise = Raise {
                kind: "carrier_register",
                severity: Severity::Warning,
                subject: self.trunk.name.to_string(),
                text,
            };
            let _ = self.house.alerter.try_send(raise);
        }
        self.record.set_registered(false);
    }
}

/// The realms that our login may be shown to.
fn realms(login: &tollgate_call::Login) -> Vec<&str> {
    login.realms.iter().map(|realm| &**realm).collect()
}

fn host_text(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl Actor for Carrier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.look_up(self.house.clock.mono(), ctx);
        self.enrol(ctx);
    }
}

impl Handler<Find> for Carrier {
    type Result = ();
    fn handle(&mut self, find: Find, ctx: &mut Context<Self>) {
        self.find(find, ctx);
    }
}

impl Handler<Found> for Carrier {
    type Result = ();
    fn handle(&mut self, found: Found, _: &mut Context<Self>) {
        self.found(found.0, found.1, self.house.clock.mono());
    }
}

impl Handler<Changed> for Carrier {
    type Result = ();
    fn handle(&mut self, changed: Changed, ctx: &mut Context<Self>) {
        let Some(trunk) = changed.now else { return ctx.stop() };
        let now = self.house.clock.mono();
        self.trunk = trunk;
        self.targets.clear();
        self.targets_until = Mono::START;
        self.next_check = self.trunk.health_every.map(|_| now);
        self.next_register = self.trunk.register.then_some(now);
        self.record.set_well(true);
        self.look_up(now, ctx);
        self.enrol(ctx);
    }
}

impl Handler<Wake> for Carrier {
    type Result = ();
    fn handle(&mut self, _: Wake, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        if self.targets_until <= now {
            self.look_up(now, ctx);
        }
        if self.next_check.is_some_and(|at| at <= now) {
            self.next_check = self.trunk.health_every.map(|pause| now + pause);
            self.check();
        }
        if self.next_register.is_some_and(|at| at <= now) {
            self.next_register = Some(now + REGISTER_RETRY);
            self.send_register(None);
        }
        self.enrol(ctx);
    }
}

impl Handler<Heard> for Carrier {
    type Result = ();
    fn handle(&mut self, heard: Heard, ctx: &mut Context<Self>) {
        if heard.status < 200 {
            return;
        }
        match heard.errand {
            OPTIONS => self.heard_check(heard.status),
            REGISTER => {
                self.heard_register(heard.status, heard.message.as_ref());
                self.enrol(ctx);
            }
            _ => {}
        }
    }
}

impl Handler<Observe> for Carrier {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let health = self.record.health();
        let (attempts, answered, failed) = self.record.totals();
        MessageResult::<Observe>(json!({
            "trunk": self.trunk.name,
            "well": health.well,
            "lines_in_use": health.in_use,
            "registered": self.record.is_registered(),
            "addresses": self.targets.iter().map(|target| target.address.to_string()).collect::<Vec<_>>(),
            "attempts": attempts,
            "answered": answered,
            "failed": failed,
        }) as Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read_back() {
        assert_eq!(of_owner(owner(TrunkId(77), REGISTER)), Some((TrunkId(77), REGISTER)));
        assert_eq!(of_owner(5), None);
    }
}
