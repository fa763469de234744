//! The last hour's records, told to the Watcher again at a start: a restart makes nobody's slate clean.

use std::time::Duration;

use tollgate_billing::{AccountKind, Cdr};
use tollgate_guard::fraud::{Attempt, Land};
use tollgate_store::cdrs::{self, Filter};
use tollgate_store::{Result, Store};
use tollgate_types::{Rate, Wall};

use crate::premises::Premises;
use crate::watcher::{Attempted, Recall, read};

/// Older calls say nothing any more.
const BACK: Duration = Duration::from_secs(3600);
/// Records read at a time, and at most.
const PAGE: u64 = 1000;
const MOST: u64 = 200_000;

/// Tells them, oldest first, and returns how many there were. Of a busier hour the beginning is told.
pub async fn last_hour(store: &Store, house: &Premises, now: Wall) -> Result<u64> {
    let (mut since, mut told, mut last_id) = (now - BACK, 0, 0);
    while told < MOST {
        let filter = Filter { since: Some(since), until: Some(now), limit: Some(PAGE), ..Filter::default() };
        let mut page = Vec::new();
        let read_in = cdrs::export(store, &filter, |row| {
            page.push(row);
            Ok(())
        });
        let _ = read_in.await?;
        let full = page.len() as u64 == PAGE;
        let before = last_id;
        for row in page.into_iter().filter(|row| row.id > before) {
            (since, last_id) = (since.max(row.cdr.started_at), row.id);
            told += 1;
            if let Some(recall) = recall(&row.cdr, house) {
                let _ = house.watcher.addr.send(recall).await;
            }
        }
        if !full || last_id == before {
            break;
        }
    }
    Ok(told)
}

fn recall(cdr: &Cdr, house: &Premises) -> Option<Recall> {
    Some(Recall { attempted: attempted(cdr, house), ended: read(cdr, house)? })
}

/// The attempt as far as a record tells: no caller id, and a price only where something was paid.
fn attempted(cdr: &Cdr, house: &Premises) -> Option<Attempted> {
    cdr.trunk_out.as_ref()?;
    let directory = house.directory.load();
    let account = directory.account(cdr.account?)?;
    let callee = cdr.callee.parse().ok()?;
    let owner = cdr.user_id.or(account.owner).and_then(|user| directory.user(user));
    let country = owner.and_then(|user| directory.country_of(user));
    let attempt = Attempt {
        callee,
        home: country.is_some_and(|country| Land::of(&callee) == Land(country.calling_code())),
        price: price(cdr),
        foreign: 0,
        night: !(6..22).contains(&account.terms.zone.hour_of(cdr.started_at)),
        wholesale: account.terms.kind != AccountKind::EndUser,
    };
    Some(Attempted { call: cdr.call_id, account: account.id, attempt, at: cdr.started_at })
}

/// What a minute came to, in the account's currency.
fn price(cdr: &Cdr) -> Rate {
    let Ok(seconds @ 1..) = i64::try_from(cdr.billed_seconds) else { return Rate::ZERO };
    Rate::from_nanos(cdr.sell_cost.micros().saturating_mul(60_000) / seconds)
}
