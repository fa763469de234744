//! Sums that are carried beside the holds they are made of, counted again: what an account has held, and lines in use. They are
//! written in one transaction and cannot drift; this is for databases that somebody put a hand in.

use std::collections::BTreeMap;

use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use tollgate_billing::HoldRow;
use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::recount;

use crate::audit::{self, Change};
use crate::book::rows;
use crate::entity::{account, hold, line};
use crate::error::Result;
use crate::open::{By, Store};

/// A sum that was not what its parts say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Whose: `account NAME`, `lines of user 7`.
    pub of: String,
    /// Which sum.
    pub what: String,
    /// As it was carried.
    pub carried: String,
    /// As it is counted.
    pub counted: String,
}

/// Counts everything again and tells what differs; puts it right unless `dry_run`. Calls wait for the moment it takes.
pub async fn repair(store: &Store, by: &By, dry_run: bool) -> Result<Vec<Drift>> {
    let writing = store.begin().await?;
    // In the order in which the books lock, so that nobody waits for each other.
    let find = hold::Entity::find().order_by_asc(hold::Column::Call).order_by_asc(hold::Column::PaidLeg);
    let mut holds = Vec::new();
    for row in find.lock(LockType::Update).all(&*writing).await? {
        holds.push(rows::hold(rows::hold_key(row.call, row.paid_leg)?, &row.hold)?);
    }
    let mut of_account: BTreeMap<i64, Vec<&HoldRow>> = BTreeMap::new();
    let mut in_use: BTreeMap<Holder, i64> = BTreeMap::new();
    for hold in &holds {
        for level in &hold.levels {
            of_account.entry(level.account.0).or_default().push(hold);
        }
        hold.holders.iter().for_each(|holder| *in_use.entry(*holder).or_default() += 1);
    }
    let mut drifts = Vec::new();
    let carrying = Condition::any()
        .add(account::Column::Held.ne(0))
        .add(account::Column::Burning.ne(0))
        .add(account::Column::Windows.is_not_null())
        .add(account::Column::Id.is_in(of_account.keys().copied()));
    let find = account::Entity::find().filter(carrying).order_by_asc(account::Column::Id);
    for row in find.lock(LockType::NoKeyUpdate).all(&*writing).await? {
        let (name, id) = (row.name.clone(), row.id);
        let mut account = rows::account(row)?;
        let found = recount(&mut account, of_account.get(&id).into_iter().flatten().copied());
        if found.is_empty() {
            continue;
        }
        let change = account::ActiveModel {
            id: Set(id),
            held: Set(account.state.held.micros()),
            burning: Set(account.state.burning.nanos()),
            windows: Set(rows::windows(&account.state)?),
            ..<account::ActiveModel as sea_orm::ActiveModelTrait>::default()
        };
        account::Entity::update(change).exec(&*writing).await?;
        drifts.extend(found.into_iter().map(|drift| Drift {
            of: format!("account {name}"),
            what: drift.what,
            carried: drift.carried,
            counted: drift.counted,
        }));
    }
    for row in line::Entity::find().lock(LockType::Update).all(&*writing).await? {
        let holder = rows::holder(row.holder, row.holder_id)?;
        let counted = in_use.remove(&holder).unwrap_or(0);
        if counted != row.in_use {
            drifts.push(lines(holder, row.in_use, counted));
            let change = line::ActiveModel { in_use: Set(counted), ..row.into_active_model() };
            line::Entity::update(change).exec(&*writing).await?;
        }
    }
    for (holder, counted) in in_use {
        let (kind, id) = rows::flat_holder(holder);
        let row = line::ActiveModel { holder: Set(kind), holder_id: Set(id), in_use: Set(counted) };
        line::Entity::insert(row).exec_without_returning(&*writing).await?;
        drifts.push(lines(holder, 0, counted));
    }
    if dry_run || drifts.is_empty() {
        return Ok(drifts);
    }
    let told = drifts.iter().map(|drift| format!("{} {}", drift.of, drift.what)).collect::<Vec<_>>();
    let is_now = Some(told.into());
    audit::note(&writing, by, Change { action: "repair", noun: "limits", subject: "all", was: None, is_now }).await?;
    writing.commit().await?;
    Ok(drifts)
}

fn lines(holder: Holder, carried: i64, counted: i64) -> Drift {
    let of = match holder {
        Holder::User(id) => format!("user {id}"),
        Holder::Account(id) => format!("account {id}"),
        Holder::Trunk(id) => format!("trunk {id}"),
    };
    Drift { of, what: "lines".to_owned(), carried: carried.to_string(), counted: counted.to_string() }
}
