//! What other settings would have stopped: call records, lived through once more. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_billing::Cdr;
use tollgate_billing::currency::Rounding;
use tollgate_call::replay::{Difference, Replay, Today};
use tollgate_settings::Values;
use tollgate_store::cdrs::{self, CdrRow};
use tollgate_store::{accounts, fraud, ledger};
use tollgate_types::{AccountId, Currency, Money, Rule, Wall};

use super::outcome::{ProgressSink, Refused};
use super::{Answer, Ops, field, shown};

/// `whatif`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct WhatIf {
    /// A setting as it would be; may be said several times
    #[arg(long = "set", value_name = "NAME=VALUE", required = true)]
    pub set: Vec<String>,
    /// Calls from this time on (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub since: String,
    /// And before this time; now unless said
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub until: Option<String>,
}

/// Countries and prices that were usual are read from records of so long before.
const HABITS: Duration = Duration::from_secs(30 * 86_400);
/// Days of an account's history that are read at most: as many as the learned limit may look back on.
const DAYS_MAX: u64 = 3660;
/// Stopped calls that are listed one by one; the first ones.
const CALLS_LISTED: usize = 1000;
const WORK: &str = "living through call records";

/// What was stopped, by account and rule; amounts in the account's currency.
#[derive(Default)]
struct Found {
    rows: BTreeMap<(AccountId, Rule), Row>,
    calls: Vec<Difference>,
    /// Accounts that rules against fraud refused within the time read, or that are blocked now.
    flagged: BTreeSet<AccountId>,
    /// Accounts that are no longer there: nobody can say how they would be judged.
    gone: BTreeSet<AccountId>,
}

struct Row {
    first: Difference,
    last_at: Wall,
    refused: u64,
    cut: u64,
    stopped: Money,
}

impl Ops {
    pub(super) async fn whatif(&self, wanted: WhatIf, progress: &ProgressSink) -> Answer {
        let since = field::time("since", &wanted.since)?;
        let until = wanted.until.as_deref().map_or(Ok(self.clock.wall()), |text| field::time("until", text))?;
        if since >= until {
            return Err(Refused(format!("since {since} is not before {until}")));
        }
        let world = self.world().await?;
        let (what_if, changes) = self.changed(&world.values, &wanted.set)?;
        let prices = world.prices.clone();
        let today = Arc::new(Today {
            directory: world.directory,
            destinations: world.destinations,
            lists: world.lists,
            deck: Box::new(move |id| prices.deck(id).cloned()),
            rates: world.prices.rates.clone(),
            calendar: world.prices.calendar.clone(),
            currency: world.prices.currency,
        });
        let mut replay = Replay::new(today.clone(), world.values, what_if);
        let mut found = Found::default();
        found.flagged.extend(fraud::blocked(&self.store).await?.into_iter().map(|row| row.account));
        let total = cdrs::count(&self.store, since - HABITS, until).await?;
        let (mut done, mut calls, mut last) = (0, 0, None::<CdrRow>);
        loop {
            let page = cdrs::in_order(&self.store, since - HABITS, until, last.as_ref()).await?;
            for CdrRow { cdr, .. } in &page {
                found.look(cdr);
                if cdr.started_at < since {
                    replay.remember(cdr);
                    continue;
                }
                calls += 1;
                self.move_in(&mut replay, &mut found.gone, cdr, since).await?;
                replay.attempt(cdr, &mut |difference| found.note(difference));
            }
            done += page.len() as u64;
            progress.tell(WORK, done, total.max(done));
            last = match page.into_iter().next_back() {
                Some(row) => Some(row),
                None => break,
            };
            // A long history must not hold up who shares the thread.
            tokio::task::yield_now().await;
        }
        replay.finish(&mut |difference| found.note(difference));
        progress.tell(WORK, total, total);
        let mut answer = self.report(found, &today).await?;
        if let Value::Object(fields) = &mut answer {
            fields.insert("settings".into(), changes);
            fields.insert("since".into(), json!(since));
            fields.insert("until".into(), json!(until));
            fields.insert("calls".into(), json!(calls));
        }
        Ok(answer)
    }

    /// The settings with `set` laid over them, and what that changes.
    fn changed(&self, values: &Values, set: &[String]) -> Result<(Values, Value), Refused> {
        let (mut what_if, mut changes) = (values.clone(), Vec::new());
        for one in set {
            let expected = || Refused(format!("{one:?} is not NAME=VALUE, such as credit.dynamic.multiplier=4"));
            let (name, text) = one.split_once('=').ok_or_else(expected)?;
            let (row, value) = self.registry.parse(name.trim(), text.trim()).map_err(Refused::because)?;
            let (was, would_be) = (values.get(row).print(row), value.print(row));
            changes.push(json!({ "name": row.name, "was": was, "would_be": would_be }));
            what_if = what_if.with(row, value);
        }
        Ok((what_if, changes.into()))
    }

    /// Puts in the accounts of a record that are new to the replay, with the days they had before.
    async fn move_in(
        &self,
        replay: &mut Replay,
        gone: &mut BTreeSet<AccountId>,
        cdr: &Cdr,
        since: Wall,
    ) -> Result<(), Refused> {
        for id in replay.missing(cdr) {
            if gone.contains(&id) {
                continue;
            }
            let Ok(account) = accounts::get(&self.store, id).await else {
                gone.insert(id);
                continue;
            };
            let days = ledger::days(&self.store, id, DAYS_MAX).await?;
            replay.put(id, &account.row.terms, &days, since);
        }
        Ok(())
    }

    async fn report(&self, found: Found, today: &Today) -> Answer {
        let platform = |amount: Money, currency: Currency, at: Wall| {
            let exchange = today.rates.at(currency, today.currency, at);
            exchange.map_or(amount, |exchange| exchange.convert(amount, Rounding::Up))
        };
        let (mut rows, mut honest, mut fraud) = (Vec::new(), (0, Money::ZERO), (0, Money::ZERO));
        for ((id, rule), row) in &found.rows {
            let flagged = found.flagged.contains(id);
            let amount = platform(row.stopped, row.first.currency, row.first.at);
            let (calls, sum) = if flagged { &mut fraud } else { &mut honest };
            *calls += row.refused + row.cut;
            *sum = sum.saturating_add(amount);
            let name = accounts::get(&self.store, *id).await.map(|account| account.name);
            let told = json!({
                "account": name.unwrap_or_else(|_| id.to_string()),
                "rule": rule.id(),
                "setting": row.first.refusal.setting,
                "flagged": flagged,
                "refused": row.refused,
                "cut": row.cut,
                "stopped": row.stopped,
                "currency": row.first.currency,
                "first_at": row.first.at,
                "last_at": row.last_at,
                "text": row.first.refusal.text(),
            });
            rows.push((amount, told));
        }
        rows.sort_by_key(|(amount, _)| std::cmp::Reverse(*amount));
        let calls = found.calls.iter().map(|call| {
            json!({
                "call_id": call.call.call,
                "paid_leg": call.call.paid_leg,
                "callee": call.callee,
                "at": call.at,
                "verdict": if call.refused { "refused" } else { "cut" },
                "flagged": found.flagged.contains(&call.account),
                "stopped": call.stopped,
                "currency": call.currency,
                "refusal": shown::refusal(&call.refusal),
            })
        });
        Ok(json!({
            "fraud_calls": fraud.0,
            "fraud_stopped": fraud.1,
            "honest_calls": honest.0,
            "honest_stopped": honest.1,
            "currency": today.currency,
            "accounts_gone": found.gone.len(),
            "stopped": rows.into_iter().map(|(_, row)| row).collect::<Value>(),
            "stopped_calls": calls.collect::<Value>(),
        }))
    }
}

impl Found {
    /// Was it refused as fraud when it was made?
    fn look(&mut self, cdr: &Cdr) {
        let is_fraud = |rule| matches!(rule, Rule::Fraud | Rule::CallerBanned);
        if let (Some(account), Some(refusal)) = (cdr.account, &cdr.refusal)
            && is_fraud(refusal.rule)
        {
            self.flagged.insert(account);
        }
    }

    fn note(&mut self, difference: Difference) {
        let row = self.rows.entry((difference.account, difference.refusal.rule)).or_insert_with(|| Row {
            first: difference.clone(),
            last_at: difference.at,
            refused: 0,
            cut: 0,
            stopped: Money::ZERO,
        });
        row.last_at = row.last_at.max(difference.at);
        row.refused += u64::from(difference.refused);
        row.cut += u64::from(!difference.refused);
        row.stopped = row.stopped.saturating_add(difference.stopped);
        if self.calls.len() < CALLS_LISTED {
            self.calls.push(difference);
        }
    }
}

#[cfg(test)]
mod tests;
