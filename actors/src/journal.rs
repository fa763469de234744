//! What is written behind: bindings, so that devices are found again after a restart.
//!
//! Kept by the [`Caretaker`]. Holds what is not written yet, one row a binding, the latest word wins; writes it once a second,
//! aside. Words are laid into an inbox, which wakes nobody: it looks there when a second is over, on [`Tick`]. After a crash of
//! the process at most the last second is lost, and phones register again by themselves.

use std::sync::Arc;

use actix::prelude::*;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tollgate_sip::binding::Binding;
use tollgate_store::Store;
use tollgate_store::registrations::{self, Row};
use tollgate_types::{Map, Mono, Seed, UserId, Wall};

use crate::aside::Aside;
use crate::caretaker::{Bequest, Caretaker, Post};
use crate::clock::Clock;
use crate::observe::{NextDeadline, Observe};
use crate::premises::Premises;
use crate::sip_shard::Tick;
use crate::supervision::Estate;

/// Words laid down and not yet looked at. What is lost here costs a device one registration interval after a restart.
const INBOX_MAX: usize = 65_536;
const MAILBOX: usize = 64;
/// Rows in one transaction.
const BATCH_MAX: usize = 512;
/// Rows waiting for the database; the newest are dropped beyond it.
const WAITING_MAX: usize = 500_000;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// See the module.
pub struct Journal(Estate<Pages>);

/// What it holds, and its successor too.
pub struct Pages {
    /// Its door.
    post: Post<Journal>,
    clock: Clock,
    store: Store,
    aside: Aside,
    inbox: Inbox,
    waiting: Map<(UserId, u32), Word>,
    busy: bool,
    next: Mono,
    dropped: u64,
}

/// What became of one binding.
#[derive(Clone, Debug)]
pub struct Written {
    user: UserId,
    number: u32,
    word: Word,
}

#[derive(Clone, Debug)]
enum Word {
    Whole(Arc<Row>),
    Expiry(Wall),
    Gone,
}

/// The way to the Journal.
#[derive(Clone)]
pub struct JournalDoor {
    /// Where it is.
    pub post: Post<Journal>,
    inbox: Inbox,
}

type Inbox = Arc<Mutex<Vec<Written>>>;

impl JournalDoor {
    /// Lays down a word; where too many lie it is dropped and counted.
    pub fn write(&self, written: Written) {
        let mut inbox = self.inbox.lock();
        if inbox.len() < INBOX_MAX {
            return inbox.push(written);
        }
        drop(inbox);
        metrics::counter!("tollgate_journal_dropped_total").increment(1);
    }
}

impl Written {
    /// The binding is new, or reached otherwise now.
    pub fn whole(user: UserId, binding: &Binding, house: &Premises) -> Written {
        let (now, wall) = (house.clock.mono(), house.clock.wall());
        let row = Row {
            user,
            number: binding.number,
            flow: binding.flow,
            contact: binding.contact().into(),
            instance: binding.instance().into(),
            reg_id: binding.reg_id,
            call_id: binding.call_id().into(),
            cseq: binding.cseq,
            user_agent: binding.user_agent().into(),
            paths: binding.parts().paths.into(),
            q: binding.q,
            since: wall - now.since(binding.since),
            refreshed_at: wall - now.since(binding.refreshed_at),
            expires_at: wall + binding.expires_at.since(now),
        };
        Written { user, number: binding.number, word: Word::Whole(Arc::new(row)) }
    }

    /// Only its time is new.
    pub fn expiry(user: UserId, binding: &Binding, house: &Premises) -> Written {
        let expires_at = house.clock.wall() + binding.expires_at.since(house.clock.mono());
        Written { user, number: binding.number, word: Word::Expiry(expires_at) }
    }

    /// It is gone.
    pub fn gone(user: UserId, binding: &Binding) -> Written {
        Written { user, number: binding.number, word: Word::Gone }
    }
}

impl Journal {
    /// Starts it on the current thread, in the care of `caretaker`.
    pub fn open(store: Store, aside: Aside, clock: Clock, seed: Seed, caretaker: Addr<Caretaker>) -> JournalDoor {
        let (post, waiting, next) = (Post::empty(), seed.map(), clock.mono() + PAUSE);
        let door = JournalDoor { post: post.clone(), inbox: Inbox::default() };
        let inbox = door.inbox.clone();
        let pages = Pages { post, clock, store, aside, inbox, waiting, busy: false, next, dropped: 0 };
        pages.succeed(caretaker);
        door
    }
}

impl Bequest for Pages {
    const KIND: &'static str = "journal";

    fn succeed(mut self, caretaker: Addr<Caretaker>) {
        // The end of a write that is under way may have been told to the dead.
        self.busy = false;
        let post = self.post.clone();
        post.fill(Journal::create(move |ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            Journal(Estate::new(self, move |died| caretaker.do_send(died)))
        }));
    }
}

impl Pages {
    /// Words not yet on their way to the database.
    fn unwritten(&self) -> usize {
        self.waiting.len() + self.inbox.lock().len()
    }

    fn take(&mut self, written: Written) {
        let key = (written.user, written.number);
        if self.waiting.len() >= WAITING_MAX && !self.waiting.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let word = match (written.word, self.waiting.get(&key)) {
            // The whole row waits already: it goes with its new time.
            (Word::Expiry(at), Some(Word::Whole(row))) => {
                let mut row = Row::clone(row);
                row.expires_at = at;
                Word::Whole(Arc::new(row))
            }
            (word, _) => word,
        };
        self.waiting.insert(key, word);
    }

    fn flush(&mut self) {
        let laid_down = std::mem::take(&mut *self.inbox.lock());
        laid_down.into_iter().for_each(|written| self.take(written));
        if self.busy || self.waiting.is_empty() {
            return;
        }
        self.busy = true;
        let keys: Vec<_> = self.waiting.keys().take(BATCH_MAX).copied().collect();
        let batch: Vec<_> =
            keys.into_iter().filter_map(|key| self.waiting.remove(&key).map(|word| (key, word))).collect();
        let (store, post) = (self.store.clone(), self.post.clone());
        self.aside.spawn(async move {
            let changes: Vec<registrations::Change> = batch
                .iter()
                .map(|((user, number), word)| match word {
                    Word::Whole(row) => registrations::Change::Put(Row::clone(row)),
                    Word::Expiry(expires_at) => {
                        registrations::Change::Expiry { user: *user, number: *number, expires_at: *expires_at }
                    }
                    Word::Gone => registrations::Change::Gone { user: *user, number: *number },
                })
                .collect();
            let failed = registrations::write(&store, &changes).await.err().map(|error| error.to_string());
            // Whoever is the journal by now: a successor takes back what was not written.
            if let Some(journal) = post.addr() {
                journal.do_send(Flushed { batch: if failed.is_some() { batch } else { Vec::new() }, failed });
            }
        });
    }
}

/// A batch is written, or comes back.
#[derive(Message)]
#[rtype(result = "()")]
struct Flushed {
    batch: Vec<((UserId, u32), Word)>,
    failed: Option<String>,
}

/// Is everything written? Asked again until it is, before the platform closes.
#[derive(Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct IsWritten;

impl Actor for Journal {
    type Context = Context<Self>;
}

impl Handler<Tick> for Journal {
    type Result = ();
    fn handle(&mut self, tick: Tick, _: &mut Context<Self>) {
        if tick.0 >= self.0.next {
            self.0.next = tick.0 + PAUSE;
            self.0.flush();
        }
    }
}

impl Handler<Flushed> for Journal {
    type Result = ();
    fn handle(&mut self, flushed: Flushed, _: &mut Context<Self>) {
        self.0.busy = false;
        match flushed.failed {
            Some(error) => {
                tracing::warn!(%error, "registrations are not written; they are tried again");
                for (key, word) in flushed.batch {
                    self.0.waiting.entry(key).or_insert(word);
                }
                self.0.next = self.0.clock.mono() + PAUSE;
            }
            // More than one batch: the next follows at once.
            None => self.0.flush(),
        }
    }
}

impl Handler<IsWritten> for Journal {
    type Result = bool;
    fn handle(&mut self, _: IsWritten, _: &mut Context<Self>) -> bool {
        self.0.flush();
        self.0.waiting.is_empty() && !self.0.busy
    }
}

impl Handler<NextDeadline> for Journal {
    type Result = Option<Mono>;
    fn handle(&mut self, _: NextDeadline, _: &mut Context<Self>) -> Option<Mono> {
        (!self.0.busy && self.0.unwritten() > 0).then_some(self.0.next)
    }
}

impl Handler<Observe> for Journal {
    type Result = MessageResult<Observe>;
    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        MessageResult::<Observe>(json!({ "waiting": self.0.unwritten(), "dropped": self.0.dropped }) as Value)
    }
}
