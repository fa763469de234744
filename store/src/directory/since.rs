//! What changed since a version, row by row: a change of one user costs one user.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tollgate_routing::directory::Change;
use tollgate_types::{AccountId, DidId, TrunkId, UserId};

use super::{read_account, read_trunk, read_user};
use crate::entity::{account, deck, did, route, trunk, user};
use crate::error::Result;
use crate::open::Store;
use crate::users::UserRow;
use crate::versions::{self, Touched};
use crate::{dids, routes, secrets};

/// Resellers above each other, at most; a circle ends here too.
const LEVELS: usize = 16;

/// The way from one version to a later one.
#[derive(Debug)]
pub struct Delta {
    /// Where it leads.
    pub version: i64,
    /// In any order.
    pub changes: Vec<Change>,
}

/// What was written after version `known`; `None` where everything must be read anew. Each row is read as it is now, which may
/// be later than the version it leads to: then it comes once more.
pub async fn since(store: &Store, realm: &str, health_every: Option<Duration>, known: i64) -> Result<Option<Delta>> {
    let Some((version, touched)) = versions::touched_since(store, known).await? else { return Ok(None) };
    let mut changes = Vec::with_capacity(touched.len());
    for touched in touched {
        changes.push(match touched {
            Touched::User(id) => user_now(store, realm, id).await?,
            Touched::Account(id) => account_now(store, id).await?,
            Touched::Trunk(id) => trunk_now(store, health_every, id).await?,
            Touched::Did(id) => match did::Entity::find_by_id(id.0).one(store.read()).await? {
                Some(row) => Change::Did(dids::read(row)?),
                None => Change::DidGone(DidId(id.0)),
            },
            Touched::Routes => {
                let table = route::Entity::find().all(store.read()).await?;
                Change::Routes(table.into_iter().map(routes::read).collect::<Result<_>>()?)
            }
            Touched::All => return Ok(None),
        });
    }
    Ok(Some(Delta { version, changes }))
}

async fn user_now(store: &Store, realm: &str, id: UserId) -> Result<Change> {
    let Some(row) = user::Entity::find_by_id(id.0).one(store.read()).await? else { return Ok(Change::UserGone(id)) };
    let row = UserRow::try_from(row)?;
    let mut people = BTreeMap::new();
    let mut above = row.terms.parent;
    while let Some(parent) = above.filter(|parent| people.len() < LEVELS && !people.contains_key(parent)) {
        let Some(found) = user::Entity::find_by_id(parent.0).one(store.read()).await? else { break };
        let found = UserRow::try_from(found)?;
        above = found.terms.parent;
        people.insert(parent, found);
    }
    let tenant = super::tenant(&people, &row);
    let ha1 = secrets::get(store, id, realm).await?;
    Ok(Change::User(read_user(&row, tenant, ha1)))
}

async fn account_now(store: &Store, id: AccountId) -> Result<Change> {
    let Some(row) = account::Entity::find_by_id(id.0).one(store.read()).await? else {
        return Ok(Change::AccountGone(id));
    };
    let oldest = user::Entity::find().filter(user::Column::AccountId.eq(id.0)).order_by_asc(user::Column::Id);
    let owner = oldest.one(store.read()).await?.map(|user| UserId(user.id));
    Ok(Change::Account(read_account(row, owner, &mut Vec::new())?))
}

async fn trunk_now(store: &Store, health_every: Option<Duration>, id: TrunkId) -> Result<Change> {
    let Some(row) = trunk::Entity::find_by_id(id.0).one(store.read()).await? else { return Ok(Change::TrunkGone(id)) };
    let decks = deck::Entity::find().all(store.read()).await?;
    let currencies = decks.into_iter().map(|deck| (deck.id, deck.currency)).collect();
    read_trunk(store, &row, &currencies, health_every)
}
