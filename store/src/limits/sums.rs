//! Each table's sums against what was counted; put right where that is asked.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use tollgate_billing::HoldRow;
use tollgate_billing::calendar::Day;
use tollgate_billing::hold::Holder;
use tollgate_billing::ledger::{recount, recount_spend};
use tollgate_billing::policy::Rules;
use tollgate_types::{Money, Wall};

use super::Drift;
use super::counted::Counted;
use crate::book::{rows, sources};
use crate::entity::{account, account_day, entry, line, source, trunk_day};
use crate::error::{Error, Result};

/// Balances, what is held, days and months that accounts carry.
pub async fn accounts(database: &DatabaseTransaction, counted: &Counted, mend: bool) -> Result<Vec<Drift>> {
    let entries = entries(database).await?;
    let mut of_account: BTreeMap<i64, Vec<&HoldRow>> = BTreeMap::new();
    for hold in &counted.holds {
        hold.levels.iter().for_each(|level| of_account.entry(level.account.0).or_default().push(hold));
    }
    let mut drifts = Vec::new();
    let find = account::Entity::find().order_by_asc(account::Column::Id);
    let find = if mend { find.lock(LockType::NoKeyUpdate) } else { find };
    for row in find.all(database).await? {
        let (of, id) = (format!("account {}", row.name), row.id);
        let mut account = rows::account(row)?;
        let (count, sum) = entries.get(&id).copied().unwrap_or_default();
        let mut found = recount(&mut account, of_account.get(&id).into_iter().flatten().copied());
        found.extend(recount_spend(&mut account, [&counted.charges_of(id)], counted.from));
        let state = &mut account.state;
        let mut of_books = Vec::new();
        if rows::signed(state.entries)? != count {
            // A chain that is shorter or longer than its account knows: which of both is true, no sum can tell.
            let mut drift = Drift::new(&of, "entries", state.entries, count);
            drift.beyond_repair = true;
            of_books.push(drift);
        } else if state.balance.micros() != sum {
            of_books.push(Drift::new(&of, "balance", state.balance, Money::from_micros(sum)));
            state.balance = Money::from_micros(sum);
        }
        let is_wrong = !found.is_empty() || of_books.iter().any(|drift| !drift.beyond_repair);
        if mend && is_wrong {
            let change = account::ActiveModel {
                id: Set(id),
                balance: Set(account.state.balance.micros()),
                held: Set(account.state.held.micros()),
                burning: Set(account.state.burning.nanos()),
                windows: Set(rows::windows(&account.state)?),
                ..<account::ActiveModel as sea_orm::ActiveModelTrait>::default()
            };
            account::Entity::update(change).exec(database).await?;
        }
        drifts.extend(found.into_iter().map(|drift| Drift::new(&of, drift.what, drift.carried, drift.counted)));
        drifts.extend(of_books);
    }
    Ok(drifts)
}

/// How many entries each account has, and their sum.
async fn entries(database: &DatabaseTransaction) -> Result<BTreeMap<i64, (i64, i64)>> {
    // PostgreSQL sums into numeric.
    let sum = Expr::cust("CAST(SUM(amount) AS BIGINT)");
    let found: Vec<(i64, i64, i64)> = entry::Entity::find()
        .select_only()
        .column(entry::Column::AccountId)
        .column_as(entry::Column::Number.count(), "count")
        .column_as(sum, "sum")
        .group_by(entry::Column::AccountId)
        .into_tuple()
        .all(database)
        .await?;
    Ok(found.into_iter().map(|(id, count, sum)| (id, (count, sum))).collect())
}

/// The history of days, as far back as records are read.
pub async fn days(database: &DatabaseTransaction, counted: &Counted, mend: bool) -> Result<Vec<Drift>> {
    let mut left: BTreeMap<(i64, Day), (Money, u64)> =
        counted.days.iter().filter(|((_, day), _)| *day >= counted.from).map(|(key, sums)| (*key, *sums)).collect();
    left.retain(|_, sums| *sums != (Money::ZERO, 0));
    let find = account_day::Entity::find().filter(account_day::Column::Day.gte(i64::from(counted.from.0)));
    let mut drifts = Vec::new();
    let mut wrong = Vec::new();
    for row in find.all(database).await? {
        let day = rows::day(row)?;
        let sums = left.remove(&(day.account.0, day.day)).unwrap_or_default();
        if (day.spend, day.talk_ms) != sums {
            drifts.extend(day_drifts(counted, day.account.0, day.day, (day.spend, day.talk_ms), sums));
            wrong.push((day.account.0, day.day, sums, true));
        }
    }
    for ((id, day), sums) in left {
        drifts.extend(day_drifts(counted, id, day, (Money::ZERO, 0), sums));
        wrong.push((id, day, sums, false));
    }
    for (id, day, (spend, talk_ms), is_there) in wrong.into_iter().filter(|_| mend) {
        let row = account_day::ActiveModel {
            account_id: Set(id),
            day: Set(i64::from(day.0)),
            spend: Set(spend.micros()),
            talk_ms: Set(rows::signed(talk_ms)?),
            ..<account_day::ActiveModel as sea_orm::ActiveModelTrait>::default()
        };
        if is_there {
            account_day::Entity::update(row).exec(database).await?;
        } else {
            let row = account_day::ActiveModel { capped: Set(None), accepted: Set(false), ..row };
            account_day::Entity::insert(row).exec_without_returning(database).await?;
        }
    }
    Ok(drifts)
}

fn day_drifts(
    counted: &Counted,
    account: i64,
    day: Day,
    carried: (Money, u64),
    sums: (Money, u64),
) -> impl Iterator<Item = Drift> {
    let of = match counted.names.get(&account) {
        Some(name) => format!("account {name}"),
        None => format!("account {account}"),
    };
    let drift = |what: &str, carried: String, counted: String| {
        (carried != counted).then(|| Drift::new(&of, format!("history of {day}: {what}"), carried, counted))
    };
    let spend = drift("spent", carried.0.to_string(), sums.0.to_string());
    let talk = drift("milliseconds talked", carried.1.to_string(), sums.1.to_string());
    [spend, talk].into_iter().flatten()
}

/// Lines in use, by live holds.
pub async fn lines(database: &DatabaseTransaction, counted: &Counted, mend: bool) -> Result<Vec<Drift>> {
    let mut in_use: BTreeMap<Holder, i64> = BTreeMap::new();
    for hold in &counted.holds {
        hold.holders.iter().for_each(|holder| *in_use.entry(*holder).or_default() += 1);
    }
    let mut drifts = Vec::new();
    let find = line::Entity::find().order_by_asc(line::Column::Holder).order_by_asc(line::Column::HolderId);
    let find = if mend { find.lock(LockType::Update) } else { find };
    for row in find.all(database).await? {
        let holder = rows::holder(row.holder, row.holder_id)?;
        let counted = in_use.remove(&holder).unwrap_or(0);
        if counted == row.in_use {
            continue;
        }
        drifts.push(Drift::new(holder_name(holder), "lines", row.in_use, counted));
        if mend {
            let change = line::ActiveModel { in_use: Set(counted), ..row.into_active_model() };
            line::Entity::update(change).exec(database).await?;
        }
    }
    for (holder, counted) in in_use {
        drifts.push(Drift::new(holder_name(holder), "lines", 0, counted));
        if mend {
            let (kind, id) = rows::flat_holder(holder);
            let row = line::ActiveModel { holder: Set(kind), holder_id: Set(id), in_use: Set(counted) };
            line::Entity::insert(row).exec_without_returning(database).await?;
        }
    }
    Ok(drifts)
}

fn holder_name(holder: Holder) -> String {
    match holder {
        Holder::User(id) => format!("user {id}"),
        Holder::Account(id) => format!("account {id}"),
        Holder::Trunk(id) => format!("trunk {id}"),
    }
}

/// What addresses used, while that is limited.
pub async fn addresses(
    database: &DatabaseTransaction,
    rules: &Rules,
    now: Wall,
    counted: &Counted,
    mend: bool,
) -> Result<Vec<Drift>> {
    let limits = &rules.policy.ip;
    if !limits.is_on() {
        return Ok(Vec::new());
    }
    let mut left = counted.addresses.clone();
    let mut drifts = Vec::new();
    let mut wrong = Vec::new();
    let find = source::Entity::find().order_by_asc(source::Column::Source);
    let find = if mend { find.lock(LockType::Update) } else { find };
    for row in find.all(database).await? {
        let ip = row.source.parse().map_err(|_| Error::corrupt(format!("source {}", row.source)))?;
        let carried = sources::usage(ip, &row.used)?;
        let usage = left.remove(&ip).unwrap_or_default();
        if !carried.agrees_with(&usage, now, limits.period) {
            wrong.push((ip, carried, usage));
        }
    }
    wrong.extend(left.into_iter().map(|(ip, usage)| (ip, Default::default(), usage)));
    for (ip, carried, usage) in wrong {
        let (was, is) = (carried.sums(now, limits.period), usage.sums(now, limits.period));
        for (what, was, is) in [
            ("calls", was.calls.to_string(), is.calls.to_string()),
            ("milliseconds talked", was.talk_ms.to_string(), is.talk_ms.to_string()),
            ("spent", was.spend.to_string(), is.spend.to_string()),
            ("held", carried.held.to_string(), usage.held.to_string()),
        ] {
            if was != is {
                drifts.push(Drift::new(format!("address {ip}"), what, was, is));
            }
        }
        if mend {
            let row = source::ActiveModel {
                source: Set(ip.to_string()),
                used: Set(sources::flat(&usage)?),
                counted_at: Set(now.micros()),
            };
            source::Entity::delete_by_id(ip.to_string()).exec(database).await?;
            source::Entity::insert(row).exec_without_returning(database).await?;
        }
    }
    Ok(drifts)
}

/// How long egress trunks talked.
pub async fn trunks(database: &DatabaseTransaction, counted: &Counted, mend: bool) -> Result<Vec<Drift>> {
    let mut left = counted.trunk_days.clone();
    left.retain(|(_, day), ms| *day >= counted.from && *ms > 0);
    let mut drifts = Vec::new();
    let mut wrong = Vec::new();
    let find = trunk_day::Entity::find().filter(trunk_day::Column::Day.gte(i64::from(counted.from.0)));
    for row in find.all(database).await? {
        let day = Day(i32::try_from(row.day).map_err(|_| Error::corrupt(format!("day {}", row.day)))?);
        let counted = rows::signed(left.remove(&(row.trunk_id, day)).unwrap_or(0))?;
        if counted != row.talk_ms {
            wrong.push((row.trunk_id, day, row.talk_ms, counted));
        }
    }
    for ((trunk, day), ms) in left {
        wrong.push((trunk, day, 0, rows::signed(ms)?));
    }
    for (trunk, day, carried, counted) in wrong {
        let what = format!("milliseconds talked on {day}");
        drifts.push(Drift::new(format!("trunk {trunk}"), what, carried, counted));
        if mend {
            let row =
                trunk_day::ActiveModel { trunk_id: Set(trunk), day: Set(i64::from(day.0)), talk_ms: Set(counted) };
            trunk_day::Entity::delete_by_id((trunk, i64::from(day.0))).exec(database).await?;
            trunk_day::Entity::insert(row).exec_without_returning(database).await?;
        }
    }
    Ok(drifts)
}
