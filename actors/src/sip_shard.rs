//! One shard of the platform's SIP: its transactions, its timer wheel, and the roster of everybody who lives on its thread.
//!
//! Kept by the platform. Keeps nobody's state but the transactions'; it knows the addresses of the shard's
//! [`UserLimiter`]s, [`Registration`]s, [`Call`]s and [`Carrier`]s and brings each what is theirs.
//! Wakes on what the edges read, on [`Tick`], and on the orders of those who live here.
//! Each event runs contained: a panic costs one message.

mod call_book;
mod census;
mod dispatch;
mod front;
mod orders;
mod reply;
mod roster;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_sip::token::Tokens;
use tollgate_sip::transaction::{self, Layer};
use tollgate_sip::wheel::Wheel;
use tollgate_types::{Flow, Map, Mono, UserId};

use crate::edge::Raw;
use crate::ip_limiter::IpLimiter;
use crate::observe::{NextDeadline, Observe};
use crate::premises::Premises;
use crate::supervision::contain;
use crate::user_limiter::{Errand, UserLimiter};

pub use call_book::{CallSlot, FindDialog};
pub use census::LiveRegistrations;
pub use front::{Admitted, MessagePlaces, Proof, Relayed, of_routing};
pub use orders::{LiveCalls, Order, Orders};
pub use roster::{Enrol, Leave, Remember, Retire, Wake};

/// Batches of messages that may wait; each holds at most 64.
const MAILBOX: usize = 4096;
/// How often the clock drives the wheel; also how late a timer may be.
pub const TICK: Duration = Duration::from_millis(10);

/// After so long a wake-up that met a fault is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// How often the gauges of operators are set.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub struct SipShard {
    index: u16,
    house: Arc<Premises>,
    layer: Layer,
    tokens: Tokens,
    wheel: Wheel<roster::Due>,
    roster: roster::Roster,
    calls: call_book::CallBook,
    waiting: front::Waiting,
    relays: Map<front::Relayed, front::OnItsWay>,
    next_relay: u32,
    /// When the gauges were set last.
    shown_at: Mono,
    /// What the layer wants done; empty between events.
    out: Vec<transaction::Action>,
}

/// Messages in, framed and not yet parsed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Inbound(pub Vec<Raw>);

/// A connection has ended, or could not be made.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FlowGone(pub Flow);

/// It is so late. Fires what is due.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Tick(pub Mono);

/// Something for a user who lives here: his limiter is born if it is not there.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ToUser {
    /// Who.
    pub user: UserId,
    /// What.
    pub errand: Errand,
}

impl SipShard {
    /// Starts shard `index` on the current thread.
    pub fn open(index: u16, house: Arc<Premises>) -> Addr<SipShard> {
        SipShard::create(move |ctx| SipShard::born(index, house, ctx))
    }

    /// Starts shard `index` on another thread.
    pub fn open_in(arbiter: &ArbiterHandle, index: u16, house: Arc<Premises>) -> Addr<SipShard> {
        SipShard::start_in_arbiter(arbiter, move |ctx| SipShard::born(index, house, ctx))
    }

    fn born(index: u16, house: Arc<Premises>, ctx: &mut Context<SipShard>) -> SipShard {
        ctx.set_mailbox_capacity(MAILBOX);
        let seed = house.seed.child(u64::from(index) + 1);
        SipShard {
            index,
            layer: Layer::new(house.tuned.load().timers, seed.child(1)),
            tokens: Tokens::new(seed.child(2), index),
            wheel: Wheel::new(),
            roster: roster::Roster::new(seed.child(3)),
            calls: call_book::CallBook::new(seed.child(4)),
            waiting: front::Waiting::new(seed.child(5)),
            relays: seed.child(6).map(),
            next_relay: 0,
            shown_at: Mono::START,
            out: Vec::new(),
            house,
        }
    }

    /// Does what the layer wants, until it wants nothing more.
    fn settle_down(&mut self, now: Mono, ctx: &mut Context<SipShard>) {
        while !self.out.is_empty() {
            for action in std::mem::take(&mut self.out) {
                self.dispatch(action, now, ctx);
            }
        }
    }
}

impl Actor for SipShard {
    type Context = Context<Self>;
}

impl Handler<Inbound> for SipShard {
    type Result = ();
    fn handle(&mut self, batch: Inbound, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        for raw in batch.0 {
            contain("sip_shard.inbound", || {
                self.take_in(raw, now);
                self.settle_down(now, ctx);
            });
            self.out.clear();
        }
    }
}

impl Handler<FlowGone> for SipShard {
    type Result = ();
    fn handle(&mut self, gone: FlowGone, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        contain("sip_shard.flow_gone", || {
            self.layer.handle_unreachable(&gone.0, now, &mut self.out);
            self.settle_down(now, ctx);
        });
        self.out.clear();
    }
}

impl Handler<Tick> for SipShard {
    type Result = ();
    fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) {
        self.layer.tune(self.house.tuned.load().timers);
        contain("sip_shard.tick", || {
            self.layer.handle_timeout(tick.0, &mut self.out);
            self.settle_down(tick.0, ctx);
        });
        self.out.clear();
        let own = ctx.address();
        if tick.0.since(self.shown_at) >= SHOW_EVERY {
            self.shown_at = tick.0;
            self.show_gauges();
        }
        while let Some(due) = self.wheel.pop(tick.0) {
            // A wake-up that met a fault comes again: a call that is not woken would overrun its paid time.
            if contain("sip_shard.due", || self.wake(due, &own)).is_none() {
                self.wheel.insert(tick.0 + AGAIN, due);
            }
        }
    }
}

impl Handler<ToUser> for SipShard {
    type Result = ();
    fn handle(&mut self, to: ToUser, _: &mut Context<Self>) {
        contain("sip_shard.to_user", || self.bring_to_user(to.user, to.errand));
    }
}

impl SipShard {
    /// Hands an errand to a user's limiter, here or on the user's own shard. What cannot be delivered is dropped and
    /// counted: whoever waits for its answer has a timer.
    fn bring_to_user(&mut self, user: UserId, errand: Errand) {
        let home = self.house.shards().of_user(user);
        if self.house.shards().by_index(usize::from(self.index)) != home {
            if home.try_send(ToUser { user, errand }).is_err() {
                metrics::counter!("tollgate_mailbox_full_total", "of" => "sip_shard").increment(1);
            }
            return;
        }
        let registration = self.roster.registration(user).cloned();
        let (index, house) = (self.index, self.house.clone());
        let limiter = self.roster.limiter(user, || UserLimiter::open(user, index, registration, house));
        if limiter.try_send(errand).is_err() {
            metrics::counter!("tollgate_mailbox_full_total", "of" => "user_limiter").increment(1);
        }
    }

    /// The limiter of a source that lives on this shard.
    fn ip_limiter(&mut self, source: std::net::IpAddr) -> Addr<IpLimiter> {
        self.roster.ip_limiter(source, || IpLimiter::open(source, self.index, self.house.clone()))
    }
}

impl Handler<NextDeadline> for SipShard {
    type Result = Option<Mono>;
    fn handle(&mut self, _: NextDeadline, _: &mut Context<Self>) -> Option<Mono> {
        self.layer.poll_timeout().into_iter().chain(self.wheel.next_deadline()).min()
    }
}

impl SipShard {
    fn show_gauges(&self) {
        let (stats, shard) = (self.layer.stats(), self.index.to_string());
        for (side, method, count) in [
            ("client", "INVITE", stats.invite_clients),
            ("client", "other", stats.other_clients),
            ("server", "INVITE", stats.invite_servers),
            ("server", "other", stats.other_servers),
        ] {
            let labels = [("shard", shard.clone()), ("side", side.to_owned()), ("method", method.to_owned())];
            metrics::gauge!("tollgate_transactions", &labels).set(count as f64);
        }
    }
}

impl Handler<Observe> for SipShard {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let stats = self.layer.stats();
        MessageResult::<Observe>(json!({
            "index": self.index,
            "transactions": serde_json::to_value(stats).unwrap_or(Value::Null),
            "timers": self.wheel.len(),
            "calls": self.calls.len(),
            "waiting": self.waiting.len(),
            "limiters": self.roster.limiters(),
            "registrations": self.roster.registrations(),
        }))
    }
}
