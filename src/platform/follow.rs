//! What other nodes and commands write: looked for often, read when there is something, row by row where it can be.

use std::time::Duration;

use tollgate_actors::ops::Ops;
use tollgate_actors::ops::outcome::Refused;
use tollgate_actors::snapshots::Snapshots;
use tollgate_store::{Store, versions};

/// A database that says nothing for this long is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the versions, four small numbers, and takes over what is newer than what is known here.
pub async fn take_over(store: &Store, snapshots: &Snapshots, ops: &Ops) {
    match tokio::time::timeout(PATIENCE, read_news(store, snapshots, ops)).await {
        Ok(Ok(())) => {}
        // Asked twice a second: the Ledger says already that the database is away.
        Ok(Err(error)) => tracing::debug!(%error, "what other nodes wrote was not read; it is tried again"),
        Err(_) => tracing::warn!("the database does not say what other nodes wrote"),
    }
}

async fn read_news(store: &Store, snapshots: &Snapshots, ops: &Ops) -> Result<(), Refused> {
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
