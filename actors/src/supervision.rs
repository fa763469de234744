//! Who keeps whom, and what happens when one of us dies.
//!
//! actix closes the mailbox of an actor that panics, for good. So an actor keeps its whole state in an [`Estate`]: when it
//! goes, by a panic or in peace, the estate's drop hands what is inside to the heir that its keeper named, and the keeper
//! finishes what must be finished. Actors that hold many others' state run each event inside [`contain`].

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::Message;

use crate::alerter::{Alerter, Raise, Severity};
use crate::caretaker::Post;

/// What a dead actor left, handed to its keeper exactly once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Died<T: 'static> {
    /// Its state at the moment of death.
    pub remains: T,
    /// It died of a panic; otherwise it stopped in peace.
    pub panicked: bool,
}

/// An actor's state, with the heir who receives it.
pub struct Estate<T: 'static> {
    state: Option<T>,
    heir: Option<Heir<T>>,
}

/// Called once with the remains. It runs while a panic unwinds, so it only sends a message and never panics itself.
pub type Heir<T> = Box<dyn FnOnce(Died<T>)>;

impl<T: 'static> Estate<T> {
    /// `state`, to be left to `heir`.
    pub fn new(state: T, heir: impl FnOnce(Died<T>) + 'static) -> Estate<T> {
        Estate { state: Some(state), heir: Some(Box::new(heir)) }
    }
}

impl<T> Deref for Estate<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.state.as_ref().expect("an estate is empty only after its drop")
    }
}

impl<T> DerefMut for Estate<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.state.as_mut().expect("an estate is empty only after its drop")
    }
}

impl<T> Drop for Estate<T> {
    fn drop(&mut self) {
        if let (Some(remains), Some(heir)) = (self.state.take(), self.heir.take()) {
            heir(Died { remains, panicked: std::thread::panicking() });
        }
    }
}

/// Tells people when its owner dies of a panic. A field of actors whose keeper misses nothing but their work.
pub struct LastWord {
    kind: &'static str,
    subject: String,
    alerter: Post<Alerter>,
}

impl LastWord {
    /// Of an actor of this kind, about this subject.
    pub fn new(kind: &'static str, subject: impl ToString, alerter: &Post<Alerter>) -> LastWord {
        LastWord { kind, subject: subject.to_string(), alerter: alerter.clone() }
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        metrics::counter!("tollgate_actors_died_total", "kind" => self.kind).increment(1);
        let text = format!("a {} died of a fault of ours; a successor takes over", self.kind);
        let subject = std::mem::take(&mut self.subject);
        let raise = Raise { kind: "actor_died", severity: Severity::Critical, subject, text };
        let _ = self.alerter.try_send(raise);
    }
}

/// Runs one event of an actor that holds many others' state: a panic costs this event, not the actor.
/// Returns `None` when it panicked; the caller drops the one key concerned.
pub fn contain<R>(what: &'static str, event: impl FnOnce() -> R) -> Option<R> {
    let event = || {
        #[cfg(feature = "sabotage")]
        crate::sabotage::spring(what);
        event()
    };
    match catch_unwind(AssertUnwindSafe(event)) {
        Ok(result) => Some(result),
        Err(_) => {
            metrics::counter!("tollgate_panics_contained_total", "where" => what).increment(1);
            tracing::error!(where_ = what, "a panic was contained");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use actix::prelude::*;
    use std::sync::mpsc;

    use super::*;

    struct Mortal(Estate<u32>);

    impl Actor for Mortal {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Blow {
        fatal: bool,
    }

    impl Handler<Blow> for Mortal {
        type Result = ();
        fn handle(&mut self, blow: Blow, ctx: &mut Context<Self>) {
            *self.0 += 1;
            assert!(!blow.fatal, "a blow from the test");
            ctx.stop();
        }
    }

    #[test]
    fn remains_reach_the_heir_after_a_panic_and_after_peace() {
        for fatal in [true, false] {
            let (heir, heard) = mpsc::channel();
            let system = System::new();
            system.block_on(async {
                let mortal = Mortal(Estate::new(41, move |died: Died<u32>| {
                    let _ = heir.send((died.remains, died.panicked));
                }))
                .start();
                let _ = mortal.send(Blow { fatal }).await;
                while mortal.connected() {
                    tokio::task::yield_now().await;
                }
                drop(mortal);
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            });
            assert_eq!(heard.try_recv(), Ok((42, fatal)));
        }
    }

    #[test]
    fn a_contained_panic_is_an_event_lost_and_no_more() {
        assert_eq!(contain("test", || 1), Some(1));
        assert_eq!(contain::<u32>("test", || panic!("contained by the test")), None);
    }
}
