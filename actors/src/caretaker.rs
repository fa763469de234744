//! Keeps those whom everybody knows by one door: Alerter, Journal, Raters. When one dies of a panic, its state comes here and
//! a successor moves in behind the same [`Post`].
//!
//! Kept by the platform. The first successor comes at once; one who dies again soon is waited with, longer each time, at
//! most [`PAUSE_MAX`]. Wakes on [`Died`] and on [`Tick`].

use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use arc_swap::ArcSwapOption;
use serde_json::{Value, json};
use tollgate_types::Mono;

use crate::alerter::{Alerter, Raise, Severity};
use crate::clock::Clock;
use crate::observe::{NextDeadline, Observe};
use crate::sip_shard::Tick;
use crate::supervision::{Died, contain};

const MAILBOX: usize = 256;
/// Between the second death in a row and its successor; doubled for each further one.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest wait for a successor.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Who lived so long died of something new.
const QUIET: Duration = Duration::from_secs(60);

/// A door that stays while those behind it change. Cheap to clone.
pub struct Post<A: Actor>(Arc<ArcSwapOption<Addr<A>>>);

impl<A: Actor> Clone for Post<A> {
    fn clone(&self) -> Post<A> {
        Post(self.0.clone())
    }
}

impl<A: Actor> Post<A> {
    /// Nobody is behind it yet.
    pub fn empty() -> Post<A> {
        Post(Arc::new(ArcSwapOption::empty()))
    }

    /// Who is behind it now.
    pub fn addr(&self) -> Option<Addr<A>> {
        self.0.load().as_deref().cloned()
    }

    /// From now on it is `addr`.
    pub fn fill(&self, addr: Addr<A>) {
        self.0.store(Some(Arc::new(addr)));
    }

    /// Says something, if there is room and somebody.
    pub fn try_send<M>(&self, message: M) -> Result<(), SendError<M>>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        match &*self.0.load() {
            Some(addr) => addr.try_send(message),
            None => Err(SendError::Closed(message)),
        }
    }
}

/// What an actor leaves, from which a successor is made.
pub trait Bequest: Send + 'static {
    /// What kind of actor that is, for people.
    const KIND: &'static str;
    /// A successor moves in behind the same door. On any thread.
    fn succeed(self, caretaker: Addr<Caretaker>);
}

/// Opens a successor.
type Successor = Box<dyn FnOnce(Addr<Caretaker>) + Send>;

/// See the module.
pub struct Caretaker {
    clock: Clock,
    alerter: Option<Post<Alerter>>,
    /// Deaths in a row, and when the last was.
    deaths: u32,
    last_death: Mono,
    waiting: Vec<(Mono, Successor)>,
    succeeded: u64,
}

/// Whom to tell of deaths.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Confide(pub Post<Alerter>);

impl Caretaker {
    /// Starts it on the current thread.
    pub fn open(clock: Clock) -> Addr<Caretaker> {
        Caretaker::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            let last_death = clock.mono();
            Caretaker { clock, alerter: None, deaths: 0, last_death, waiting: Vec::new(), succeeded: 0 }
        })
    }

    fn pause(&mut self, now: Mono) -> Duration {
        if now.since(self.last_death) > QUIET {
            self.deaths = 0;
        }
        self.deaths += 1;
        self.last_death = now;
        match self.deaths {
            1 => Duration::ZERO,
            deaths => PAUSE_MIN.saturating_mul(1 << (deaths - 2).min(16)).min(PAUSE_MAX),
        }
    }

    fn install(&mut self, successor: Successor, ctx: &mut Context<Caretaker>) {
        let own = ctx.address();
        if contain("caretaker", || successor(own)).is_some() {
            self.succeeded += 1;
        }
    }
}

impl Actor for Caretaker {
    type Context = Context<Self>;
}

impl Handler<Confide> for Caretaker {
    type Result = ();
    fn handle(&mut self, confide: Confide, _: &mut Context<Self>) {
        self.alerter = Some(confide.0);
    }
}

impl<T: Bequest> Handler<Died<T>> for Caretaker {
    type Result = ();
    fn handle(&mut self, died: Died<T>, ctx: &mut Context<Self>) {
        if !died.panicked {
            return;
        }
        metrics::counter!("tollgate_actors_died_total", "kind" => T::KIND).increment(1);
        let now = self.clock.mono();
        let pause = self.pause(now);
        let successor = Box::new(move |own| died.remains.succeed(own));
        match pause.is_zero() {
            true => self.install(successor, ctx),
            false => self.waiting.push((now + pause, successor)),
        }
        if let Some(alerter) = &self.alerter {
            let text = match pause.is_zero() {
                true => "it died of a fault of ours; its successor is at work".to_owned(),
                false => format!("it died of a fault of ours again; its successor begins in {} ms", pause.as_millis()),
            };
            let subject = T::KIND.to_owned();
            let _ = alerter.try_send(Raise { kind: "actor_died", severity: Severity::Critical, subject, text });
        }
    }
}

impl Handler<Tick> for Caretaker {
    type Result = ();
    fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(at, _)| *at <= tick.0);
        self.waiting = later;
        for (_, successor) in due {
            self.install(successor, ctx);
        }
    }
}

impl Handler<NextDeadline> for Caretaker {
    type Result = Option<Mono>;
    fn handle(&mut self, _: NextDeadline, _: &mut Context<Self>) -> Option<Mono> {
        self.waiting.iter().map(|(at, _)| *at).min()
    }
}

impl Handler<Observe> for Caretaker {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "succeeded": self.succeeded, "waiting": self.waiting.len() }) as Value)
    }
}
