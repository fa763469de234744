//! One leg's media, control only: who may send, what was heard, when it fell silent. Packets run in the relay loop.
//!
//! Kept by its [`Call`], on the call's thread. Born with the call's ports; stops with the call.
//! Looks at the relay's record of its leg every [`LOOK`], woken by the shard's wheel.
//! After a crash the call goes on: the relay forwards by itself until the end of what is paid.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::{Value, json};
use tollgate_billing::cdr::LegMedia;
use tollgate_call::Event;
use tollgate_media::relay::Gate;
use tollgate_media::{Families, Leg as Side, Plan, Ports};
use tollgate_types::{CallId, Mono};

use crate::call::{Call, SIDES, Tell};
use crate::observe::Observe;
use crate::premises::Premises;
use crate::relay::{Ask, CallStats, Opened as RelayOpened, RelayError, SharedCall};
use crate::sip_shard::{Order, Wake};
use crate::supervision::LastWord;

/// How often a leg looks whether its party is still heard.
pub const LOOK: Duration = Duration::from_secs(5);
/// Both sides unheard for this long: from then on nothing proves that anybody talks.
const QUIET: Duration = Duration::from_secs(5);
const MAILBOX: usize = 32;

/// See the module.
pub struct MediaLeg {
    side: Side,
    shared: Arc<SharedCall>,
    house: Arc<Premises>,
    call: Addr<Call>,
    /// How it stands with the call, and since when; `None` until something was agreed on.
    watching: Option<(Manner, Mono)>,
    reported: bool,
    /// The call was told that neither is heard; only side A tells.
    is_quiet: bool,
    _last_word: LastWord,
}

/// What silence means now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Manner {
    /// Both parties are expected to send.
    Talk,
    /// One of them is not.
    Hold,
}

/// The relay has answered.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Opened(pub Result<RelayOpened, RelayError>);

/// The relay has closed the call's ports.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Closed(pub Option<CallStats>);

/// A call's media as its shell knows it: the two legs and the relay's record.
#[derive(Default)]
pub struct Media {
    shared: Option<Arc<SharedCall>>,
    legs: Vec<Addr<MediaLeg>>,
    /// When forwarding ends, said before the ports came.
    open_until: Option<Mono>,
    asked: bool,
}

impl Media {
    /// Asks the relay for ports, or for more.
    pub fn allocate(&mut self, house: &Premises, call: CallId, lines: u8, families: [Families; 2], own: &Addr<Call>) {
        self.asked = true;
        let open_until = self.open_until.unwrap_or(Mono::NEVER);
        let own = own.clone();
        let ask = Ask { lines: usize::from(lines), families, open_until };
        house.relay.open(call, ask, move |opened| own.do_send(Opened(opened)));
    }

    /// The relay has answered: the legs are born.
    pub fn opened(&mut self, opened: Opened, house: &Arc<Premises>, own: &Addr<Call>) -> Option<Box<Ports>> {
        let RelayOpened { ports, shared } = match opened.0 {
            Ok(opened) => opened,
            Err(error) => {
                metrics::counter!("tollgate_media_refused_total").increment(1);
                tracing::warn!(%error, "no media ports");
                return None;
            }
        };
        if let Some(at) = self.open_until {
            shared.pay_until(at);
        }
        if self.legs.is_empty() {
            self.legs =
                SIDES.iter().map(|side| MediaLeg::open(*side, shared.clone(), house.clone(), own.clone())).collect();
        }
        self.shared = Some(shared);
        Some(Box::new(ports))
    }

    /// What offer and answer agreed on.
    pub fn update(&mut self, house: &Premises, call: CallId, plan: Plan) {
        let policy = house.tuned.load().media_source;
        let manner = if SIDES.iter().all(|side| plan.expects(*side)) { Manner::Talk } else { Manner::Hold };
        for leg in &self.legs {
            let _ = leg.try_send(manner);
        }
        house.relay.apply(call, plan, [policy; 2]);
    }

    /// Has the wheel wake the legs.
    pub fn watch(&self, house: &Premises, orders: &mut Vec<Order>) {
        if !self.legs.is_empty() {
            orders.push(Order::WakeMedia { legs: self.legs.clone(), at: house.clock.mono() + LOOK });
        }
    }

    /// Forward nothing after this time.
    pub fn open_until(&mut self, at: Mono) {
        self.open_until = Some(at);
        if let Some(shared) = &self.shared {
            shared.pay_until(at);
        }
    }

    /// Which directions are open.
    pub fn gate(&self, house: &Premises, call: CallId, a_to_b: bool, b_to_a: bool) {
        let gate = match (a_to_b, b_to_a) {
            (true, _) => Gate::Open,
            (false, true) => Gate::ToCallerOnly,
            (false, false) => Gate::Closed,
        };
        house.relay.gate(call, gate);
    }

    /// Closes the ports; the figures come back.
    pub fn close(&mut self, house: &Premises, call: CallId, own: &Addr<Call>) {
        self.legs.clear();
        let own = own.clone();
        house.relay.close(call, move |stats| own.do_send(Closed(stats)));
    }

    /// Closes the ports of a call that is no more.
    pub fn abandon(&mut self, house: &Premises, call: CallId) {
        if self.asked {
            house.relay.close(call, |_| {});
        }
    }
}

impl Closed {
    /// As the record keeps it.
    pub fn figures(&self) -> Box<[LegMedia; 2]> {
        Box::new(SIDES.map(|side| {
            let of = |side| self.0.as_ref().map(|stats| stats.leg(side)).unwrap_or_default();
            let heard = of(side);
            LegMedia {
                packets: heard.packets,
                packets_sent: of(side.other()).packets,
                loss_ppm: heard.loss_e4.saturating_mul(100),
                jitter_us: heard.jitter_us,
                mos_hundredths: heard.mos_e2.unwrap_or(0),
            }
        }))
    }
}

impl MediaLeg {
    fn open(side: Side, shared: Arc<SharedCall>, house: Arc<Premises>, call: Addr<Call>) -> Addr<MediaLeg> {
        MediaLeg::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let _last_word = LastWord::new("media leg", format!("{side:?}"), &house.alerter);
            MediaLeg { side, shared, house, call, watching: None, reported: false, is_quiet: false, _last_word }
        })
    }

    /// For how long nothing was heard, as far as it counts in this manner.
    fn silent_for(&self, now: Mono) -> Option<Duration> {
        let (_, since) = self.watching?;
        let heard = self.shared.leg(self.side).last_packet().unwrap_or(Mono::START);
        Some(now.since(heard.max(since)))
    }

    /// How long it may be silent, as the settings say now.
    fn patience(&self) -> Option<Duration> {
        let tuned = self.house.tuned.load();
        match self.watching?.0 {
            Manner::Talk => tuned.media_timeout,
            Manner::Hold => tuned.media_timeout_on_hold,
        }
    }
}

impl MediaLeg {
    /// Tells the call when neither side is heard any more, and when one is again.
    fn tell_quiet(&mut self, now: Mono) {
        let talking = self.watching.filter(|(manner, _)| *manner == Manner::Talk);
        let since = talking.and_then(|(_, expected)| {
            let heard = SIDES.iter().filter_map(|side| self.shared.leg(*side).last_packet()).max();
            let heard = heard.unwrap_or(Mono::START).max(expected);
            (now.since(heard) >= QUIET).then_some(heard)
        });
        if since.is_some() != self.is_quiet && self.call.try_send(Tell(Event::MediaQuiet { since })).is_ok() {
            self.is_quiet = since.is_some();
        }
    }
}

impl Actor for MediaLeg {
    type Context = Context<Self>;
}

impl Handler<Manner> for MediaLeg {
    type Result = ();
    fn handle(&mut self, manner: Manner, _: &mut Context<Self>) {
        if self.watching.is_none_or(|(known, _)| known != manner) {
            self.watching = Some((manner, self.house.clock.mono()));
        }
        self.reported = false;
    }
}

impl Handler<Wake> for MediaLeg {
    type Result = ();
    fn handle(&mut self, _: Wake, _: &mut Context<Self>) {
        let now = self.house.clock.mono();
        let exceeded = self.silent_for(now).zip(self.patience()).filter(|(silence, patience)| silence >= patience);
        self.reported = exceeded.is_some_and(|(_, patience)| {
            let on_hold = self.watching.is_some_and(|(manner, _)| manner == Manner::Hold);
            let news = Event::MediaSilent { side: self.side, on_hold, patience };
            self.reported || self.call.try_send(Tell(news)).is_ok()
        });
        if self.side == Side::A {
            self.tell_quiet(now);
        }
    }
}

impl Handler<Observe> for MediaLeg {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let leg = self.shared.leg(self.side);
        MessageResult::<Observe>(json!({
            "packets": leg.packets(),
            "bytes": leg.bytes(),
            "silent_ms": self.silent_for(self.house.clock.mono()).map(|silence| silence.as_millis() as u64),
        }) as Value)
    }
}
