//! The report of unusual spending: one hour of each account and country against the same hour of the 28 days before, by the
//! clock of UTC. Read from the records; asked by `analyze`, and each hour by the Watcher.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_billing::anomaly::{self, Bounds, DAYS, Finding, Usual};
use tollgate_billing::currency::{RateTable, Rounding};
use tollgate_guard::fraud::{Land, SPIKE_FACTOR, SPIKE_FLOOR};
use tollgate_settings::Values;
use tollgate_store::{Result, Store, accounts, spend};
use tollgate_types::{AccountId, Currency, Money, Wall};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// One account's hour in one country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The account's name.
    pub account: String,
    /// The country, by its code.
    pub country: Option<Land>,
    /// In the account's currency.
    pub spend: Money,
    /// Its currency.
    pub currency: Currency,
    /// Calls that cost something.
    pub calls: u64,
    /// The same hour of the days before.
    pub usual: Usual,
    /// What that comes to.
    pub finding: Finding,
}

/// Where an hour's spend is counted.
type Place = (AccountId, Option<Land>);

/// The hour up to `until`, at most one: `until` itself is the first moment that does not count. Spikes first, then by spend.
pub async fn of_hour(
    store: &Store,
    values: &Values,
    platform: Currency,
    rates: &RateTable,
    until: Wall,
) -> Result<Vec<Row>> {
    let begins = Wall::from_secs((until.secs() - 1).div_euclid(HOUR) * HOUR);
    let now = by_country(store, begins, until).await?;
    let mut usual: BTreeMap<Place, Usual> = BTreeMap::new();
    for day in 1..=i64::from(DAYS) {
        let then = Wall::from_secs(begins.secs() - day * DAY);
        for (place, (amount, _)) in by_country(store, then, then + Duration::from_secs(HOUR as u64)).await? {
            usual.entry(place).or_default().add(amount);
        }
    }
    let accounts: BTreeMap<AccountId, accounts::Account> =
        accounts::list(store).await?.into_iter().map(|account| (account.row.id, account)).collect();
    let factor = values.multiplier_or_off(&SPIKE_FACTOR).map_or(i64::MAX, |factor| factor.millionths());
    let mut rows = Vec::with_capacity(now.len());
    for ((id, country), (spend, calls)) in now {
        let Some(account) = accounts.get(&id) else { continue };
        let currency = account.row.terms.currency;
        let floor = values.money(&SPIKE_FLOOR);
        let floor = rates.at(platform, currency, until).map_or(floor, |exchange| exchange.convert(floor, Rounding::Up));
        let usual = usual.get(&(id, country)).copied().unwrap_or_default();
        let days = u32::try_from(begins.since(account.created_at).as_secs() / DAY as u64).unwrap_or(u32::MAX);
        let finding = anomaly::judge(spend, &usual, days, &Bounds { floor, factor_millionths: factor });
        rows.push(Row { account: account.name.clone(), country, spend, currency, calls, usual, finding });
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.finding.spike, row.spend)));
    Ok(rows)
}

async fn by_country(store: &Store, since: Wall, until: Wall) -> Result<BTreeMap<Place, (Money, u64)>> {
    let mut sums: BTreeMap<Place, (Money, u64)> = BTreeMap::new();
    for spend in spend::by_callee(store, since, until).await? {
        let country = spend.callee.parse().ok().map(|number| Land::of(&number));
        let (amount, calls) = sums.entry((spend.account, country)).or_default();
        *amount = amount.saturating_add(spend.amount);
        *calls += spend.calls;
    }
    Ok(sums)
}

impl Row {
    /// For scripts and tables.
    pub fn to_json(&self) -> Value {
        json!({
            "account": self.account,
            "country": self.country.map(|land| land.to_string()),
            "spend": self.spend,
            "usual": self.finding.mean,
            "highest": self.usual.highest,
            "currency": self.currency,
            "calls": self.calls,
            "spike": self.finding.spike,
        })
    }

    /// The sentence of an alert.
    pub fn to_text(&self) -> String {
        let country = self.country.map_or_else(|| "short codes".to_owned(), |land| land.to_string());
        format!(
            "{} {} on {country} in an hour, usual are {} and at most {}",
            self.spend, self.currency, self.finding.mean, self.usual.highest
        )
    }
}
