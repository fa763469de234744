//! After a crash: what earlier lives held is settled up to the last proven second, both legs get their BYE, and devices
//! are remembered.

use std::time::Duration;

use actix::prelude::*;
use tollgate_actors::ledger::{Answer, IsDrained, Order};
use tollgate_actors::premises::Premises;
use tollgate_actors::sip_shard::Remember;
use tollgate_billing::ledger::{Ask, AskKey, Recover, What};
use tollgate_call::recover;
use tollgate_sip::transaction::{SentBy, with_via};
use tollgate_store::recovery::{self, Orphan};
use tollgate_store::{Store, nodes::Life, registrations};
use tollgate_types::{ConnId, Flow, Map, Mono, UserId};

use super::NoStart;

/// Clocks of nodes differ by less.
const SKEW: Duration = Duration::from_secs(10);

/// What an earlier process could only write into the spool goes into the books first: its settlements are exact, what is
/// settled by proof of life is not.
pub async fn bring_what_was_spooled(house: &Premises) -> Result<(), NoStart> {
    let spooled = house.ledger.spooled();
    for _ in 0..2400 {
        if house.ledger.spooled() == 0 && house.ledger.addr.send(IsDrained).await.unwrap_or(false) {
            if spooled > 0 {
                tracing::info!(spooled, "what was spooled is in the books");
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(NoStart("what was spooled could not be brought into the books; see the log".into()))
}

/// Settles what earlier lives of this node left, and returns when that is durable.
pub async fn settle_earlier_lives(store: &Store, life: &Life, house: &Premises) -> Result<(), NoStart> {
    let orphans = recovery::of_earlier_lives(store, life).await?;
    if !orphans.is_empty() {
        tracing::warn!(calls = orphans.len(), "calls of an earlier life are settled up to its last proof and hung up");
    }
    for orphan in &orphans {
        settle(orphan, house);
    }
    for _ in 0..600 {
        if recovery::of_earlier_lives(store, life).await?.is_empty() {
            recovery::close_earlier_lives(store, life).await?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(NoStart("calls of an earlier life could not be settled; see the log".into()))
}

/// Settles what nodes left that died elsewhere, once nobody there can be talking any more.
pub async fn settle_dead_nodes(store: &Store, life: &Life, house: &Premises) -> Result<(), tollgate_store::Error> {
    for orphan in recovery::of_dead_nodes(store, life, SKEW).await? {
        settle(&orphan, house);
    }
    Ok(())
}

fn settle(orphan: &Orphan, house: &Premises) {
    let hold = &orphan.hold;
    let key = AskKey { call: hold.key.call, paid_leg: hold.key.paid_leg, sequence: hold.sequence.saturating_add(1) };
    let what = What::Recover(Recover { proven_until: orphan.proven_until });
    house.ledger.order(Order { ask: Ask { key, give_up_at: Mono::NEVER, what }, reply: None::<Recipient<Answer>> });
    for (flow, request) in recover::byes(&hold.dialogs) {
        // Connections did not outlive the process: a new one is made, or it is given up.
        let flow = Flow { conn: ConnId(0), ..flow };
        let reachable = house.wires.reachable_at(&flow).to_string();
        let branch = format!("z9hG4bK{}{:x}", hold.key.call, house.seed.child(flow.peer.port().into()).0[0]);
        let bye = with_via(&request, flow.transport, SentBy(&reachable), &branch);
        if house.wires.send(&flow, bye).is_err() {
            tracing::debug!(call = %hold.key.call, "a peer of an earlier life could not be told");
        }
    }
}

/// Brings back the bindings that the journal wrote.
pub async fn remember_registrations(store: &Store, house: &std::sync::Arc<Premises>) -> Result<(), NoStart> {
    let now = house.clock.wall();
    let mut rows: Map<UserId, Vec<registrations::Row>> = house.seed.map();
    let count = registrations::load(store, now, |row| rows.entry(row.user).or_default().push(row)).await?;
    for (user, rows) in rows {
        house.shards().of_user(user).do_send(Remember { user, rows });
    }
    if count > 0 {
        tracing::info!(count, "registrations remembered");
    }
    Ok(())
}
