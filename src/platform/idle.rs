//! When a thread has nothing left to do: told by its runtime, not guessed.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use actix::{System, SystemRunner};

/// Waits until the thread would go to sleep. Cheap to clone.
#[derive(Clone, Default)]
pub struct Idle(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: Option<Waker>,
    /// How often the thread had nothing to do.
    rests: u64,
}

impl Idle {
    /// An actix system on the calling thread, and what tells when it rests.
    pub fn system() -> io::Result<(SystemRunner, Idle)> {
        let idle = Idle::default();
        let told = idle.clone();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(move || told.rests()).build()?;
        Ok((System::with_tokio_rt(move || runtime), idle))
    }

    /// Until everybody else on this thread waits for something.
    pub async fn wait(&self) {
        let mut before = None;
        poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *before.get_or_insert(state.rests);
            if state.rests > before {
                return Poll::Ready(());
            }
            state.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn rests(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = state.waiting.take() {
            state.rests += 1;
            drop(state);
            waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn it_is_idle_only_when_a_long_chain_of_tasks_has_ended() {
        let (system, idle) = Idle::system().unwrap();
        let done = Rc::new(Cell::new(0));
        system.block_on(async {
            let counted = done.clone();
            actix::spawn(async move {
                for _ in 0..500 {
                    let step = counted.clone();
                    let task = actix::spawn(async move { step.set(step.get() + 1) });
                    task.await.unwrap();
                }
            });
            idle.wait().await;
            assert_eq!(done.get(), 500);
            idle.wait().await;
        });
    }
}
