//! One verified source address that is active: the calls of trunks that are known by it.
//!
//! Kept by the shard that the address names, on the [`Gatekeeper`](crate::gatekeeper::Gatekeeper)'s behalf. Keeps those
//! trunks' [`Call`](crate::call::Call)s. Born at the first call from a trunk's address; retires after [`IDLE`] without one.
//! After a crash it is born anew; living calls are buried by their shard.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_types::Mono;

use crate::call::Line;
use crate::observe::Observe;
use crate::premises::Premises;
use crate::sip_shard::{Enrol, Leave, Retire, Wake};
use crate::supervision::{Died, LastWord};
use crate::undertaker::bury;
use crate::user_limiter::MayCall;

const IDLE: Duration = Duration::from_secs(30);
const MAILBOX: usize = 4096;

/// See the module.
pub struct IpLimiter {
    source: IpAddr,
    shard: u16,
    house: Arc<Premises>,
    calls: u32,
    last_used: Mono,
    _last_word: LastWord,
}

/// May a trunk's call from this address begin?
#[derive(Message)]
#[rtype(result = "()")]
pub struct MayEnter(pub MayCall);

impl IpLimiter {
    /// Starts it on the current thread.
    pub fn open(source: IpAddr, shard: u16, house: Arc<Premises>) -> Addr<IpLimiter> {
        IpLimiter::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let last_used = house.clock.mono();
            let _last_word = LastWord::new("source limiter", source, &house.alerter);
            IpLimiter { source, shard, house, calls: 0, last_used, _last_word }
        })
    }
}

impl Actor for IpLimiter {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        let home = self.house.shards().by_index(usize::from(self.shard));
        home.do_send(Enrol::Source { source: self.source, after: IDLE });
    }
}

impl Handler<MayEnter> for IpLimiter {
    type Result = ();
    fn handle(&mut self, ask: MayEnter, ctx: &mut Context<Self>) {
        self.last_used = self.house.clock.mono();
        self.calls += 1;
        let MayEnter(ask) = ask;
        ask.answer(Ok(ctx.address().recipient()));
    }
}

impl Handler<Died<Line>> for IpLimiter {
    type Result = ();
    fn handle(&mut self, died: Died<Line>, _: &mut Context<Self>) {
        self.calls = self.calls.saturating_sub(1);
        self.last_used = self.house.clock.mono();
        bury(died);
    }
}

impl Handler<Wake> for IpLimiter {
    type Result = ();
    fn handle(&mut self, _: Wake, _: &mut Context<Self>) {
        let home = self.house.shards().by_index(usize::from(self.shard));
        let idle = self.calls == 0 && self.house.clock.mono().since(self.last_used) >= IDLE;
        if idle {
            home.do_send(Leave::Source(self.source));
        } else {
            home.do_send(Enrol::Source { source: self.source, after: IDLE });
        }
    }
}

impl Handler<Retire> for IpLimiter {
    type Result = ();
    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) {
        if self.calls == 0 {
            ctx.stop();
        }
    }
}

impl Handler<Observe> for IpLimiter {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "source": self.source.to_string(), "calls": self.calls }) as Value)
    }
}
