//! SQLite's one write lock, handed out by priority: the Ledger never queues behind an import.
//!
//! Whoever holds the [`Stroke`] may write. The Ledger's thread waits in front of everybody; the others wait in order, and
//! owe each other to keep a transaction to about 5 ms (an import writes chunks). Without this, SQLite's own busy handler
//! would decide by sleeping, and a hold of money could starve.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// The pen of one database file; clones are the same pen.
#[derive(Clone, Default)]
pub struct Pen(Arc<Desk>);

/// The right to write, until dropped.
pub struct Stroke(Arc<Desk>);

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    ledger_may: Condvar,
}

#[derive(Default)]
struct State {
    taken: bool,
    ledgers_waiting: usize,
    queue: VecDeque<oneshot::Sender<Stroke>>,
}

impl Pen {
    /// The Ledger's turn: waits for the one transaction that is under way, and for nobody else. Blocks its thread.
    pub fn take_first(&self) -> Stroke {
        let mut state = self.0.state.lock();
        state.ledgers_waiting += 1;
        while state.taken {
            self.0.ledger_may.wait(&mut state);
        }
        state.ledgers_waiting -= 1;
        state.taken = true;
        Stroke(self.0.clone())
    }

    /// The same, but for so long at most.
    pub fn try_take_first(&self, patience: Duration) -> Option<Stroke> {
        let until = Instant::now() + patience;
        let mut state = self.0.state.lock();
        state.ledgers_waiting += 1;
        while state.taken && !self.0.ledger_may.wait_until(&mut state, until).timed_out() {}
        state.ledgers_waiting -= 1;
        if !state.taken {
            state.taken = true;
            return Some(Stroke(self.0.clone()));
        }
        None
    }

    /// Everybody else's turn, in order of asking. Dropping the future gives the turn up.
    pub async fn take(&self) -> Stroke {
        let turn = {
            let mut state = self.0.state.lock();
            if !state.taken && state.ledgers_waiting == 0 {
                state.taken = true;
                return Stroke(self.0.clone());
            }
            let (give, turn) = oneshot::channel();
            state.queue.push_back(give);
            turn
        };
        turn.await.expect("a desk keeps the sender of everyone in its queue until their turn")
    }

    /// The same for a thread that may block and is not the Ledger's (a checkpoint, a backup).
    pub fn take_blocking(&self) -> Stroke {
        let turn = {
            let mut state = self.0.state.lock();
            if !state.taken && state.ledgers_waiting == 0 {
                state.taken = true;
                return Stroke(self.0.clone());
            }
            let (give, turn) = oneshot::channel();
            state.queue.push_back(give);
            turn
        };
        turn.blocking_recv().expect("a desk keeps the sender of everyone in its queue until their turn")
    }

    /// Is the Ledger waiting? A long reader of the pen asks this to end its chunk early.
    pub fn ledger_waits(&self) -> bool {
        self.0.state.lock().ledgers_waiting > 0
    }
}

impl Drop for Stroke {
    fn drop(&mut self) {
        let mut next = {
            let mut state = self.0.state.lock();
            state.taken = false;
            if state.ledgers_waiting > 0 {
                self.0.ledger_may.notify_one();
                return;
            }
            let next = state.queue.pop_front();
            state.taken = next.is_some();
            next
        };
        // Someone who left the queue is passed over: the stroke comes back and its own drop goes on with the next.
        if let Some(give) = next.take() {
            drop(give.send(Stroke(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_ledger_goes_before_those_who_wait_longer() {
        let pen = Pen::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = pen.take().await;
        let mut others = Vec::new();
        for name in ["import", "settings"] {
            let (theirs, order) = (pen.clone(), order.clone());
            others.push(tokio::spawn(async move {
                let _stroke = theirs.take().await;
                order.lock().push(name);
            }));
            while pen.0.state.lock().queue.len() < others.len() {
                tokio::task::yield_now().await;
            }
        }
        let ledger = {
            let (pen, order) = (pen.clone(), order.clone());
            thread::spawn(move || {
                let _stroke = pen.take_first();
                order.lock().push("ledger");
            })
        };
        while !pen.ledger_waits() {
            tokio::task::yield_now().await;
        }
        drop(first);
        ledger.join().unwrap();
        for other in others {
            other.await.unwrap();
        }
        assert_eq!(*order.lock(), ["ledger", "import", "settings"]);
    }

    #[tokio::test]
    async fn someone_who_left_the_queue_is_passed_over() {
        let pen = Pen::default();
        let first = pen.take().await;
        let impatient = tokio::time::timeout(Duration::from_millis(5), pen.take()).await;
        assert!(impatient.is_err());
        let next = tokio::spawn({
            let pen = pen.clone();
            async move { drop(pen.take().await) }
        });
        tokio::task::yield_now().await;
        drop(first);
        next.await.unwrap();
        drop(pen.take().await);
    }

    #[test]
    fn only_one_writes_at_a_time() {
        let pen = Pen::default();
        let inside = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for worker in 0..8 {
                let (pen, inside) = (pen.clone(), inside.clone());
                scope.spawn(move || {
                    for _ in 0..500 {
                        let _stroke = if worker == 0 { pen.take_first() } else { pen.take_blocking() };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
