//! Time on one thread: it stands still until its driver moves it, from one deadline to the next, and never while
//! anybody still has something to do.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tollgate_actors::aside::Aside;
use tollgate_actors::relay::Bench;
use tollgate_types::Mono;

use super::chores::{Chore, Steward};
use super::workers::Metronome;
use super::{Idle, Platform};

/// Shortest pause between two turns of a chore.
const PAUSE: Duration = Duration::from_secs(60);

/// What moves the time of a platform on one thread.
pub struct Steps {
    idle: Idle,
    metronome: Metronome,
    steward: Arc<Steward>,
    aside: Aside,
    chores: RefCell<Vec<(Mono, Chore)>>,
}

impl Steps {
    pub(super) fn new(idle: Idle, metronome: Metronome, steward: Arc<Steward>, aside: Aside) -> Steps {
        let now = steward.house.clock.mono();
        let chores = Chore::of(steward.store.engine()).map(|chore| (now + chore.every(), chore)).collect();
        Steps { idle, metronome, steward, aside, chores: RefCell::new(chores) }
    }

    async fn settle(&self) {
        loop {
            let ended = self.aside.ended();
            self.idle.wait().await;
            // Work aside leaves the thread and comes back as a message: what that begins is waited for too.
            if self.aside.rest().await == ended {
                return;
            }
        }
    }

    async fn do_chores(&self, now: Mono) {
        loop {
            let due = self.chores.borrow_mut().iter_mut().find(|(at, _)| *at <= now).map(|due| {
                // Not every second where a minute passes at once: nobody looks meanwhile.
                due.0 = now + due.1.every().max(PAUSE);
                due.1
            });
            let Some(chore) = due else { return };
            self.steward.attend(chore).await;
        }
    }
}

/// These do something on one thread alone: elsewhere time passes by itself.
impl Platform {
    /// Returns when everybody waits for time or for the network.
    pub async fn settle(&self) {
        if let Some(steps) = &self.steps {
            steps.settle().await;
        }
    }

    /// The earliest time at which somebody wants to do something; `None` while nobody does.
    pub async fn next_deadline(&self) -> Option<Mono> {
        match &self.steps {
            Some(steps) => steps.metronome.next_deadline().await,
            None => None,
        }
    }

    /// Moves the clock on to `at`, does what is due then, and settles. Goes to the next deadline at most: what lies between
    /// would be late.
    pub async fn step_to(&self, at: Mono) {
        let Some(steps) = &self.steps else { return };
        self.house.clock.advance(at.since(self.house.clock.mono()));
        steps.metronome.tick();
        steps.settle().await;
        steps.do_chores(self.house.clock.mono()).await;
        steps.settle().await;
    }

    /// Where packets of media are handed in.
    pub fn bench(&self) -> Option<&Bench> {
        self.media.bench()
    }
}
