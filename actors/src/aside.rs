//! Work done aside: what an actor lets the database's runtime do, and hears of by a message.
//!
//! It is counted, so that whoever moves the time by hand can wait until none is under way.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Aside {
    runtime: Handle,
    count: Arc<watch::Sender<Count>>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    under_way: u64,
    ended: u64,
}

/// One piece of work; its end is counted whatever becomes of it.
struct UnderWay(Arc<watch::Sender<Count>>);

impl Aside {
    /// On that runtime.
    pub fn new(runtime: Handle) -> Aside {
        Aside { runtime, count: Arc::new(watch::Sender::new(Count::default())) }
    }

    /// Begins a piece of work.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.count.send_modify(|count| count.under_way += 1);
        let under_way = UnderWay(self.count.clone());
        self.runtime.spawn(async move {
            let _under_way = under_way;
            work.await;
        });
    }

    /// How many pieces have ended so far.
    pub fn ended(&self) -> u64 {
        self.count.borrow().ended
    }

    /// Waits until none is under way, and says how many have ended by then.
    pub async fn rest(&self) -> u64 {
        let mut count = self.count.subscribe();
        // The sender is here: it does not go away meanwhile.
        let _ = count.wait_for(|count| count.under_way == 0).await;
        self.ended()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| {
            count.under_way -= 1;
            count.ended += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_rests_when_all_has_ended_well_or_not() {
        let aside = Aside::new(Handle::current());
        assert_eq!(aside.rest().await, 0);
        let (told, waits) = tokio::sync::oneshot::channel::<()>();
        aside.spawn(async move {
            let _ = waits.await;
        });
        aside.spawn(async { panic!("a fault from the test") });
        assert_eq!(aside.ended(), 0);
        let _ = told.send(());
        assert_eq!(aside.rest().await, 2);
    }
}
