//! Numbers, and ranges of numbers, that reach our users.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
};
use tollgate_routing::did::{Did, DidNumbers, DidUri};
use tollgate_types::{DeckId, DidId, E164, UserId};

use crate::audit::{self, Change};
use crate::column;
use crate::entity::{did, user};
use crate::error::{Error, Result};
use crate::open::{By, Store, Writing};
use crate::versions::{self, Touched};

/// A DID to be added.
#[derive(Clone, Debug)]
pub struct NewDid {
    /// Which numbers.
    pub numbers: DidNumbers,
    /// Whom they reach.
    pub user: UserId,
    /// What the callee pays; none: nothing.
    pub inbound_deck: Option<DeckId>,
    /// What his device finds in the Request-URI.
    pub uri: DidUri,
}

/// All DIDs, newest first.
pub async fn list(store: &Store) -> Result<Vec<Did>> {
    let rows = did::Entity::find().order_by_desc(did::Column::Id).all(store.read()).await?;
    rows.into_iter().map(read).collect()
}

/// Adds DIDs, all or none; numbers that reach somebody already are refused by name.
pub async fn add(store: &Store, by: &By, new: &[NewDid]) -> Result<Vec<DidId>> {
    let writing = store.begin().await?;
    let mut made = Vec::with_capacity(new.len());
    for did in new {
        let (first, last) = did.numbers.ends();
        free(&writing, first, last).await?;
        let user = user::Entity::find_by_id(did.user.0).one(&*writing).await?;
        user.ok_or_else(|| Error::missing("user", did.user))?;
        let row = did::ActiveModel {
            id: NotSet,
            first_number: Set(first.digits().to_owned()),
            last_number: Set(last.digits().to_owned()),
            user_id: Set(did.user.0),
            inbound_deck_id: Set(did.inbound_deck.map(|id| id.0)),
            uri: Set(if did.uri == DidUri::Number { "number" } else { "user" }.to_owned()),
            created_at: Set(by.at.micros()),
        };
        let row = did::Entity::insert(row).exec_with_returning(&*writing).await?;
        let (subject, is_now) = (shown(&row), serde_json::to_value(&row).ok());
        audit::note(&writing, by, Change { action: "add", noun: "did", subject: &subject, was: None, is_now }).await?;
        made.push(DidId(row.id));
    }
    let touched: Vec<Touched> = made.iter().map(|id| Touched::Did(*id)).collect();
    versions::touch(&writing, &touched).await?;
    writing.commit().await?;
    Ok(made)
}

/// Removes the DID that begins with `first`, with its range.
pub async fn remove(store: &Store, by: &By, first: E164) -> Result<DidId> {
    let writing = store.begin().await?;
    let row = did::Entity::find().filter(did::Column::FirstNumber.eq(first.digits())).one(&*writing).await?;
    let row = row.ok_or_else(|| Error::missing("DID", first))?;
    did::Entity::delete_by_id(row.id).exec(&*writing).await?;
    let (subject, was) = (shown(&row), serde_json::to_value(&row).ok());
    audit::note(&writing, by, Change { action: "remove", noun: "did", subject: &subject, was, is_now: None }).await?;
    versions::touch(&writing, &[Touched::Did(DidId(row.id))]).await?;
    writing.commit().await?;
    Ok(DidId(row.id))
}

/// Nobody has a number from `first` to `last`? The nearest range of that length that begins at or before `last` decides,
/// because ranges of one length never overlap.
async fn free(writing: &Writing, first: E164, last: E164) -> Result<()> {
    use sea_orm::ExprTrait;
    use sea_orm::sea_query::{Expr, Func};
    let length = Expr::expr(Func::char_length(Expr::col(did::Column::FirstNumber)));
    let near = did::Entity::find()
        .filter(length.eq(last.digits().len() as i64))
        .filter(did::Column::FirstNumber.lte(last.digits()))
        .order_by_desc(did::Column::FirstNumber)
        .one(&**writing)
        .await?;
    match near {
        Some(row) if row.last_number.as_str() >= first.digits() => Err(Error::exists("DID", shown(&row))),
        _ => Ok(()),
    }
}

fn shown(row: &did::Model) -> String {
    match row.first_number == row.last_number {
        true => row.first_number.clone(),
        false => format!("{}-{}", row.first_number, row.last_number),
    }
}

pub(crate) fn read(row: did::Model) -> Result<Did> {
    let place = format!("DID {}", row.id);
    let (first, last): (E164, E164) =
        (column::read(&row.first_number, &place)?, column::read(&row.last_number, &place)?);
    let numbers = match first == last {
        true => DidNumbers::One(first),
        false => DidNumbers::range(first, last).ok_or_else(|| Error::corrupt(format!("{place}: range")))?,
    };
    Ok(Did {
        id: DidId(row.id),
        numbers,
        user: UserId(row.user_id),
        inbound_deck: row.inbound_deck_id.map(DeckId),
        uri: if row.uri == "number" { DidUri::Number } else { DidUri::User },
        enabled: true,
    })
}
