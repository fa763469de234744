//! What other nodes and commands write: looked for often, read when there is something, row by row where it can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tollgate_actors::ops::Ops;
use tollgate_actors::ops::outcome::Refused;
use tollgate_actors::snapshots::Snapshots;
use tollgate_store::{Engine, Store, versions};

/// How often the versions are read: four small numbers.
const LOOK: Duration = Duration::from_millis(500);
/// A database that says nothing for this long is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes over what others write, on a database that others can write to.
pub fn follow(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    snapshots: Arc<Snapshots>,
    ops: Arc<Ops>,
    stop: &Arc<AtomicBool>,
) {
    if store.engine() != Engine::Postgres {
        return;
    }
    let (store, stop) = (store.clone(), stop.clone());
    runtime.spawn(async move {
        let mut every = tokio::time::interval(LOOK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            match tokio::time::timeout(PATIENCE, take_over(&store, &snapshots, &ops)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "what other nodes wrote was not read; it is tried again"),
                Err(_) => tracing::warn!("the database does not say what other nodes wrote"),
            }
        }
    });
}

async fn take_over(store: &Store, snapshots: &Snapshots, ops: &Ops) -> Result<(), Refused> {
    let now = versions::read(store).await?;
    let seen = *snapshots.seen.lock().await;
    if now.settings != seen.settings {
        ops.settings_changed().await?;
    }
    if now.prices != seen.prices {
        ops.prices_changed().await?;
    }
    if now.destinations != seen.destinations {
        ops.destinations_changed().await?;
    }
    if now.directory != seen.directory {
        ops.directory_changed().await?;
    }
    Ok(())
}
