//! What live holds, entries and records say when they are counted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::TryStreamExt;
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use tollgate_billing::HoldRow;
use tollgate_billing::calendar::{Day, Month, Zone};
use tollgate_billing::cdr::LevelCharge;
use tollgate_billing::charge::talk_by_utc_day;
use tollgate_billing::policy::Rules;
use tollgate_billing::source::{Past, Usage, recount};
use tollgate_types::{Money, Wall};

use crate::book::rows;
use crate::entity::{account, cdr, hold};
use crate::error::{Error, Result};

const DAY: Duration = Duration::from_secs(86_400);

/// See the module.
pub struct Counted {
    /// Every live hold.
    pub holds: Vec<HoldRow>,
    /// The oldest day that is counted from records: the first of last month.
    pub from: Day,
    /// Spend and milliseconds by account and day, from `from` on and a little before.
    pub days: BTreeMap<(i64, Day), (Money, u64)>,
    /// Names of accounts.
    pub names: BTreeMap<i64, String>,
    /// What addresses used within the period; nothing while nothing is limited.
    pub addresses: BTreeMap<IpAddr, Usage>,
    /// Milliseconds by egress trunk and day of UTC.
    pub trunk_days: BTreeMap<(i64, Day), u64>,
}

/// The columns of a record that are counted.
#[derive(FromQueryResult)]
struct Record {
    paid_leg: i64,
    kind: String,
    started_at: i64,
    answered_at: Option<i64>,
    ended_at: i64,
    user_name: Option<String>,
    account_id: Option<i64>,
    source_ip: Option<String>,
    trunk_out_id: Option<i64>,
    talk_ms: i64,
    sell_cost: i64,
    currency: String,
    levels: String,
}

impl Counted {
    /// Reads holds first, locked where something is to be written, then records as far back as sums of them are carried.
    pub async fn read(database: &DatabaseTransaction, rules: &Rules, now: Wall, lock: bool) -> Result<Counted> {
        let find = hold::Entity::find().order_by_asc(hold::Column::Call).order_by_asc(hold::Column::PaidLeg);
        let find = if lock { find.lock(LockType::Update) } else { find };
        let mut holds = Vec::new();
        for row in find.all(database).await? {
            holds.push(rows::hold(rows::hold_key(row.call, row.paid_leg)?, &row.hold)?);
        }
        let names: Vec<(i64, String)> = account::Entity::find()
            .select_only()
            .columns([account::Column::Id, account::Column::Name])
            .into_tuple()
            .all(database)
            .await?;
        let last_month = Month(Zone::UTC.day_of(now).month().0 - 1);
        let mut counted = Counted {
            holds,
            from: last_month.first_day(),
            days: BTreeMap::new(),
            names: names.into_iter().collect(),
            addresses: BTreeMap::new(),
            trunk_days: BTreeMap::new(),
        };
        let past = counted.read_records(database, rules, now).await?;
        if rules.policy.ip.is_on() {
            counted.addresses = recount(past, &counted.holds, rules, now);
        }
        Ok(counted)
    }

    async fn read_records(&mut self, database: &DatabaseTransaction, rules: &Rules, now: Wall) -> Result<Vec<Past>> {
        let limits = &rules.policy.ip;
        let mut since = Zone::UTC.start_of(self.from) - DAY * 2;
        if limits.is_on() {
            since = since.min(now - limits.period - limits.period / 12);
        }
        let find = cdr::Entity::find()
            .filter(cdr::Column::EndedAt.gte(since.micros()))
            // A call of a month is none; the index is by its beginning.
            .filter(cdr::Column::StartedAt.gte((since - DAY * 31).micros()))
            // Only what was held has levels.
            .filter(cdr::Column::Levels.ne("[]"));
        let mut stream = find.into_model::<Record>().stream(database).await?;
        let mut past = Vec::new();
        while let Some(record) = stream.try_next().await? {
            self.add(&record)?;
            if limits.is_on() {
                past.extend(self.past(&record, rules)?);
            }
        }
        Ok(past)
    }

    fn add(&mut self, record: &Record) -> Result<()> {
        let levels: Vec<LevelCharge> = serde_json::from_str(&record.levels).map_err(Error::corrupt)?;
        for level in levels {
            for (day, money) in &level.by_day {
                let spend = &mut self.days.entry((level.account.0, *day)).or_default().0;
                *spend = spend.saturating_add(*money);
            }
            for (day, ms) in &level.talk_by_day {
                self.days.entry((level.account.0, *day)).or_default().1 += ms;
            }
        }
        if let (Some(trunk), Some(at)) = (record.trunk_out_id, record.answered_at) {
            for (day, ms) in talk_by_utc_day(Wall::from_micros(at), talk_ms(record)?) {
                *self.trunk_days.entry((trunk, day)).or_default() += ms;
            }
        }
        Ok(())
    }

    fn past(&self, record: &Record, rules: &Rules) -> Result<Option<Past>> {
        let Some(ip) = &record.source_ip else { return Ok(None) };
        let account = record.account_id.and_then(|id| self.names.get(&id));
        let concerned = rules.policy.ip.scope.includes(record.user_name.as_deref(), account.map(String::as_str));
        if !concerned || record.kind == tollgate_billing::CallKind::Emergency.id() {
            return Ok(None);
        }
        let wrong = |what: &str| Error::corrupt(format!("a record: {what}"));
        Ok(Some(Past {
            ip: ip.parse().map_err(|_| wrong("source_ip"))?,
            paid_leg: u8::try_from(record.paid_leg).map_err(|_| wrong("paid_leg"))?,
            started_at: Wall::from_micros(record.started_at),
            ended_at: Wall::from_micros(record.ended_at),
            talk_ms: talk_ms(record)?,
            cost: Money::from_micros(record.sell_cost),
            currency: record.currency.parse().map_err(|_| wrong("currency"))?,
        }))
    }

    /// All charges of an account as one, for [`tollgate_billing::ledger::recount_spend`].
    pub fn charges_of(&self, account: i64) -> LevelCharge {
        let mut all = LevelCharge {
            account: tollgate_types::AccountId(account),
            amount: Money::ZERO,
            currency: tollgate_types::Currency::USD,
            billed_seconds: 0,
            by_day: BTreeMap::new(),
            talk_by_day: BTreeMap::new(),
        };
        for ((_, day), (spend, ms)) in self.days.range((account, Day(i32::MIN))..=(account, Day(i32::MAX))) {
            all.by_day.insert(*day, *spend);
            all.talk_by_day.insert(*day, *ms);
        }
        all
    }
}

fn talk_ms(record: &Record) -> Result<u64> {
    u64::try_from(record.talk_ms).map_err(|_| Error::corrupt("a record: talk_ms"))
}
