//! One live call: the shell around [`tollgate_call::Call`].
//!
//! Kept by the caller's [`UserLimiter`](crate::user_limiter::UserLimiter), or the [`IpLimiter`](crate::ip_limiter::IpLimiter)
//! of a trunk's address. Keeps its two [`MediaLeg`]s. Lives on the shard that its Call-ID names.
//! Born when its caller is admitted; stops when the pure call says `Done`.
//! After a crash its keeper gets what it left and ends it properly: see [`crate::undertaker`].

use std::sync::Arc;

use actix::prelude::*;
use serde_json::Value;
use tollgate_billing::Cdr;
use tollgate_billing::ledger::{AskKey, Outcome, What};
use tollgate_call::{Action, Event, MediaOrder, Note, Query, Target};
use tollgate_media::Leg as Side;
use tollgate_sip::transaction::ServerKey;
use tollgate_types::{AccountId, CallId, UserId};

use crate::account::{Enquiry, Letter};
use crate::carrier;
use crate::ledger::{Answer, Order as LedgerOrder};
use crate::media_leg::{self, Media};
use crate::observe::Observe;
use crate::pending::PendingCall;
use crate::premises::Premises;
use crate::rater::{self, PlanCall};
use crate::registration::{Asker, Locate};
use crate::sip_shard::{CallSlot, FindDialog, Order, Orders, SipShard, ToUser, Wake};
use crate::supervision::{Died, Estate};
use crate::trunk_board::TrunkLine;
use crate::user_limiter::Errand;

/// News that may wait for one call.
const MAILBOX: usize = 256;

/// See the module.
pub struct Call(Estate<Line>);

/// What a call is, and what it left when it died.
pub struct Line {
    /// The call itself.
    pub core: tollgate_call::Call,
    /// The house it lives in.
    pub house: Arc<Premises>,
    /// Its shard.
    pub shard: Addr<SipShard>,
    /// Its place there.
    pub slot: CallSlot,
    /// Whose account it asks, while it runs.
    pub payer: Option<(AccountId, UserId)>,
    /// Its media, once there are ports.
    media: Media,
    /// Who asked it to surrender a leg, until it answers.
    askers: Vec<(CallId, Query, Addr<Call>)>,
    /// The carrier's line it takes.
    trunk_line: Option<TrunkLine>,
    /// What it last said to the wheel.
    woken_at: Option<tollgate_types::Mono>,
    /// Somebody calls for help: nothing keeps it out.
    helps: bool,
    /// Until this INVITE has its final answer, the call has a place among those that wait.
    waits: Option<(ServerKey, PendingCall)>,
}

/// Something happened to the call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell(pub Event);

/// Another call takes over a leg; the answer goes straight there.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SurrenderTo {
    /// What is asked.
    pub event: Event,
    /// Who asks.
    pub reply: Addr<Call>,
}

/// The first message: the INVITE.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Begin {
    /// The server transaction to answer.
    pub key: ServerKey,
    /// The INVITE.
    pub message: tollgate_sip::wire::Message,
    /// How it came.
    pub flow: tollgate_types::Flow,
    /// It was cancelled while its caller was being admitted.
    pub cancelled: Option<tollgate_sip::wire::Message>,
    /// Its place among the calls that wait for an answer.
    pub place: PendingCall,
}

/// What a call is made of.
pub struct Cradle {
    /// The pure call.
    pub core: tollgate_call::Call,
    /// The house.
    pub house: Arc<Premises>,
    /// Its shard.
    pub shard: Addr<SipShard>,
    /// Its place there.
    pub slot: CallSlot,
    /// Who gets what it leaves.
    pub keeper: Recipient<Died<Line>>,
    /// Somebody calls for help.
    pub helps: bool,
}

impl Call {
    /// Starts a call on the current thread, which is its shard's.
    pub fn open(cradle: Cradle) -> Addr<Call> {
        Call::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let Cradle { core, house, shard, slot, keeper, helps } = cradle;
            let media = Media::default();
            let line = Line {
                core,
                house,
                shard,
                slot,
                payer: None,
                media,
                askers: Vec::new(),
                trunk_line: None,
                woken_at: None,
                helps,
                waits: None,
            };
            line.house.load.begin();
            if helps {
                line.house.load.begin_emergency(line.house.clock.mono());
            }
            let shard = line.shard.clone();
            Call(Estate::new(line, move |died| match keeper.try_send(died) {
                Ok(()) => {}
                // A dead call that nobody buries keeps its hold: its keeper is told even when its mailbox is full, and
                // the shard when the keeper has died before.
                Err(SendError::Full(died)) => keeper.do_send(died),
                Err(SendError::Closed(died)) => shard.do_send(died),
            }))
        })
    }

    fn happened(&mut self, event: Event, ctx: &mut Context<Call>) {
        let (now, wall) = (self.0.house.clock.mono(), self.0.house.clock.wall());
        let mut out = Vec::new();
        self.0.core.handle(event, now, wall, &mut out);
        self.act(out, ctx);
    }

    fn act(&mut self, actions: Vec<Action>, ctx: &mut Context<Call>) {
        let line = &mut *self.0;
        let mut orders = Vec::new();
        let done = line.perform(actions, &ctx.address(), &mut orders);
        let next = line.core.poll_timeout();
        if done {
            orders.push(Order::Over);
        } else if next != line.woken_at {
            line.woken_at = next;
            orders.push(Order::WakeAt(next));
        }
        if !orders.is_empty() {
            // Its own shard on its own thread: what a call says of its dialogs and deadlines is never lost.
            line.shard.do_send(Orders { slot: line.slot, orders });
        }
        if done {
            ctx.stop();
        }
    }
}

impl Line {
    /// Carries out actions; what concerns the shard is gathered in `orders`. Says whether the call is over.
    pub fn perform(&mut self, actions: Vec<Action>, own: &Addr<Call>, orders: &mut Vec<Order>) -> bool {
        let mut done = false;
        for action in actions {
            match action {
                Action::Plan { query, ask } => self.plan(query, ask, own),
                Action::Locate { query, target } => self.locate(query, target, own),
                Action::Ask(ask) => self.ask(*ask, own),
                Action::Request { client, flow, bytes, in_dialog } => {
                    orders.push(Order::Request { client, flow, bytes, in_dialog, urgent: in_dialog || self.helps })
                }
                Action::Cancel { client, reason } => orders.push(Order::Cancel { client, reason }),
                Action::SendAck { flow, bytes } => orders.push(Order::SendAck { flow, bytes }),
                Action::Respond { key, status, bytes } => {
                    if status >= 200 {
                        self.waits.take_if(|(invite, _)| *invite == key);
                    }
                    orders.push(Order::Respond { key, status, bytes });
                }
                Action::Media(order) => self.media(order, own, orders),
                Action::Listen { call_id } => orders.push(Order::Listen(call_id)),
                Action::Find { query, dialog } => self.find(query, dialog, own),
                Action::HandOver { to, query, handover } => self.hand_over(to, query, handover),
                Action::Note(note) => self.note(note),
                Action::Done => done = true,
            }
        }
        done
    }

    fn plan(&mut self, query: Query, ask: Box<tollgate_call::PlanAsk>, own: &Addr<Call>) {
        let account = ask.payer.account();
        self.payer = account.and_then(|account| Some((account, self.house.directory.load().account(account)?.owner?)));
        let plan = PlanCall { call: self.core.id(), query, ask, reply: own.clone() };
        if let Err(SendError::Full(plan) | SendError::Closed(plan)) = self.house.rater(self.core.shard()).try_send(plan)
        {
            let admission = Box::new(rater::overloaded(&plan.ask));
            let _ = own.try_send(Tell(Event::Planned { query: plan.query, admission }));
        }
    }

    fn locate(&mut self, query: Query, target: Target, own: &Addr<Call>) {
        let shards = self.house.shards();
        let asked = match &target {
            Target::User { user, .. } => {
                self.trunk_line = None;
                shards.of_user(*user).try_send(Locate { query, user: *user, reply: Asker::Call(own.clone()) }).is_ok()
            }
            Target::Trunk { trunk, number, .. } => {
                let peak = self.house.prices.load().is_peak(self.house.clock.wall());
                let most = self.house.directory.load().egress(*trunk).and_then(|trunk| trunk.lines(peak));
                self.trunk_line = self.house.trunks.record(*trunk).take_line(most);
                let find = carrier::Find { query, trunk: *trunk, number: number.clone(), reply: own.clone() };
                self.trunk_line.is_some() && shards.of_trunk(*trunk).try_send(find).is_ok()
            }
        };
        if !asked {
            let _ = own.try_send(Tell(Event::Located { query, places: Vec::new() }));
        }
    }

    /// What a record teaches: of those who call, and of the number called.
    fn learn(&self, cdr: &Cdr) {
        self.house.watcher.ended(cdr, &self.house);
        self.house.reputations.hear(cdr, self.house.clock.wall(), &self.house.settings.load());
    }

    fn ask(&mut self, ask: tollgate_billing::ledger::Ask, own: &Addr<Call>) {
        match &ask.what {
            What::Settle(settle) => {
                self.learn(&settle.cdr);
                // Before the books can know of it, so that their figure never lacks what is added here.
                if let (Some(trunk), Some(at)) = (settle.cdr.trunk_out_id, settle.cdr.answered_at) {
                    self.house.trunks.talked(trunk, at, settle.cdr.talk_ms);
                }
            }
            What::Record(cdr) => self.learn(cdr),
            _ => {}
        }
        let order = LedgerOrder { ask, reply: Some(own.clone().recipient()) };
        let Some((account, owner)) = self.payer else { return self.house.ledger.order(order) };
        let enquiry = Enquiry { account, letter: Letter::new(order, &self.house.ledger), caller: own.clone() };
        let to_user = ToUser { user: owner, errand: Errand::Ask(Box::new(enquiry)) };
        // Where the way round is crowded, money must still be settled: the letter goes straight to the Ledger.
        let _ = self.house.shards().of_user(owner).try_send(to_user);
    }

    fn media(&mut self, order: MediaOrder, own: &Addr<Call>, orders: &mut Vec<Order>) {
        match order {
            MediaOrder::Allocate { lines, families } => {
                self.media.allocate(&self.house, self.core.id(), lines, families, own)
            }
            MediaOrder::Update { plan } => {
                self.media.update(&self.house, self.core.id(), *plan);
                self.media.watch(&self.house, orders);
            }
            MediaOrder::OpenUntil { at } => self.media.open_until(at),
            MediaOrder::Gate { a_to_b, b_to_a } => self.media.gate(&self.house, self.core.id(), a_to_b, b_to_a),
            MediaOrder::Close => self.media.close(&self.house, self.core.id(), own),
        }
    }

    fn find(&mut self, query: Query, dialog: tollgate_call::DialogName, own: &Addr<Call>) {
        let shards = self.house.shards();
        let home = shards.by_index(usize::from(shards.index_of_call(&dialog.call_id)));
        let find = FindDialog { dialog, asker: self.core.id(), query, reply: own.clone() };
        if home.try_send(find).is_err() {
            let _ = own.try_send(Tell(Event::Found { query, handover: None }));
        }
    }

    fn hand_over(&mut self, to: CallId, query: Query, handover: Option<Box<tollgate_call::Handover>>) {
        let Some(index) = self.askers.iter().position(|(call, asked, _)| *call == to && *asked == query) else {
            return;
        };
        let (_, _, reply) = self.askers.swap_remove(index);
        // Money moves with it: it may not get lost in a full mailbox.
        reply.do_send(Tell(Event::Found { query, handover }));
    }

    fn note(&self, note: Note) {
        let call = self.core.id();
        match &note {
            Note::Ringing => tracing::debug!(%call, "ringing"),
            Note::Answered => {
                tracing::debug!(%call, "answered");
                if let Some(line) = &self.trunk_line {
                    line.answered();
                }
            }
            Note::CarrierFailed { trunk, status, rest } => {
                tracing::info!(%call, %trunk, status, "a carrier failed");
                if let Some(rest) = rest {
                    self.house.trunks.record(*trunk).rest(*rest, self.house.clock.mono());
                }
            }
            Note::RealmRefused { trunk, realm } => {
                let realm: String = realm.chars().filter(|char| !char.is_control()).take(64).collect();
                tracing::warn!(%call, %trunk, realm, "a carrier asked for credentials of another realm");
            }
            Note::Stranger { method, from } => {
                let method: String = method.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
                tracing::warn!(%call, method, %from, "a stranger spoke inside a dialog");
            }
            Note::LateAnswer => tracing::debug!(%call, "a late answer was hung up"),
            Note::LedgerLate => tracing::warn!(%call, "the ledger is late with an extension"),
        }
    }

    /// What it left to close when it died: the relay's ports.
    pub fn release_media(&mut self) {
        self.media.abandon(&self.house, self.core.id());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.house.load.end();
    }
}

impl Actor for Call {
    type Context = Context<Self>;
}

impl Handler<Begin> for Call {
    type Result = ();
    fn handle(&mut self, begin: Begin, ctx: &mut Context<Self>) {
        let (now, wall) = (self.0.house.clock.mono(), self.0.house.clock.wall());
        let mut out = Vec::new();
        let Begin { key, message, flow, cancelled, place } = begin;
        self.0.waits = Some((key, place));
        self.0.core.begin(key, message, flow, now, wall, &mut out);
        if let Some(message) = cancelled {
            self.0.core.handle(Event::Cancelled { key, message }, now, wall, &mut out);
        }
        self.act(out, ctx);
    }
}

impl Handler<Tell> for Call {
    type Result = ();
    fn handle(&mut self, tell: Tell, ctx: &mut Context<Self>) {
        self.happened(tell.0, ctx);
    }
}

impl Handler<SurrenderTo> for Call {
    type Result = ();
    fn handle(&mut self, surrender: SurrenderTo, ctx: &mut Context<Self>) {
        if let Event::Surrender { to, query, .. } = &surrender.event {
            self.0.askers.push((*to, *query, surrender.reply));
        }
        self.happened(surrender.event, ctx);
    }
}

impl Handler<Answer> for Call {
    type Result = ();
    fn handle(&mut self, answer: Answer, ctx: &mut Context<Self>) {
        let Answer { key, outcome } = answer;
        self.happened(Event::Ledger { key, outcome }, ctx);
    }
}

impl Handler<media_leg::Opened> for Call {
    type Result = ();
    fn handle(&mut self, opened: media_leg::Opened, ctx: &mut Context<Self>) {
        let line = &mut *self.0;
        let house = line.house.clone();
        let ports = line.media.opened(opened, &house, &ctx.address());
        self.happened(Event::MediaReady { ports }, ctx);
    }
}

impl Handler<media_leg::Closed> for Call {
    type Result = ();
    fn handle(&mut self, closed: media_leg::Closed, ctx: &mut Context<Self>) {
        self.happened(Event::MediaClosed { stats: closed.figures() }, ctx);
    }
}

impl Handler<Wake> for Call {
    type Result = ();
    fn handle(&mut self, _: Wake, ctx: &mut Context<Self>) {
        let (now, wall) = (self.0.house.clock.mono(), self.0.house.clock.wall());
        self.0.woken_at = None;
        let mut out = Vec::new();
        self.0.core.handle_timeout(now, wall, &mut out);
        self.act(out, ctx);
    }
}

impl Handler<Observe> for Call {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let (now, wall) = (self.0.house.clock.mono(), self.0.house.clock.wall());
        MessageResult::<Observe>(serde_json::to_value(self.0.core.observe(now, wall)).unwrap_or(Value::Null))
    }
}

/// The sides, in the order of the relay's arrays.
pub const SIDES: [Side; 2] = [Side::A, Side::B];

/// An outcome for an ask that will never reach the Ledger.
pub fn unavailable(key: AskKey, why: &'static str) -> Answer {
    let refusal = tollgate_types::Refusal::new(tollgate_types::Rule::LedgerUnavailable, None, why, "");
    Answer { key, outcome: Outcome::Refused(refusal) }
}
