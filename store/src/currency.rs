//! Dated exchange rates.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait, QueryOrder,
};
use tollgate_billing::currency::{ExchangeRate, RateTable};
use tollgate_types::{Currency, Wall};

use crate::audit::{self, Change};
use crate::column;
use crate::entity::currency_rate;
use crate::error::{Error, Result};
use crate::open::{By, Store};
use crate::versions::{self, Topic};

/// What a unit of one currency is worth in another, from a time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateRow {
    /// What is given.
    pub from: Currency,
    /// What is got.
    pub to: Currency,
    /// How many of `to` for one of `from`.
    pub rate: ExchangeRate,
    /// Since when.
    pub since: Wall,
    /// Who said so.
    pub set_by: String,
}

/// All rates, newest first.
pub async fn list(store: &Store) -> Result<Vec<RateRow>> {
    let find = currency_rate::Entity::find().order_by_desc(currency_rate::Column::ValidFrom);
    find.order_by_desc(currency_rate::Column::Id).all(store.read()).await?.into_iter().map(read).collect()
}

/// All rates, as billing asks them.
pub async fn table(store: &Store) -> Result<RateTable> {
    let mut table = RateTable::default();
    for row in list(store).await? {
        table.set(row.from, row.to, row.since, row.rate);
    }
    Ok(table)
}

/// Sets a rate from now on; earlier calls keep theirs.
pub async fn set(store: &Store, by: &By, from: Currency, to: Currency, rate: ExchangeRate) -> Result<()> {
    let writing = store.begin().await?;
    let row = currency_rate::ActiveModel {
        id: NotSet,
        base: Set(from.to_string()),
        quote: Set(to.to_string()),
        rate: Set(rate.nanos()),
        valid_from: Set(by.at.micros()),
        set_by: Set(by.who.clone()),
    };
    use currency_rate::Column::{Base, Quote, Rate, SetBy, ValidFrom};
    let replaced = OnConflict::columns([Base, Quote, ValidFrom]).update_columns([Rate, SetBy]).to_owned();
    currency_rate::Entity::insert(row).on_conflict(replaced).exec_without_returning(&*writing).await?;
    let (subject, is_now) = (format!("{from} {to}"), Some(rate.to_string().into()));
    audit::note(&writing, by, Change { action: "set", noun: "currency rate", subject: &subject, was: None, is_now })
        .await?;
    versions::bump(&writing, Topic::Prices).await?;
    writing.commit().await
}

fn read(row: currency_rate::Model) -> Result<RateRow> {
    let place = format!("currency rate {}", row.id);
    Ok(RateRow {
        from: column::read(&row.base, &place)?,
        to: column::read(&row.quote, &place)?,
        rate: ExchangeRate::from_nanos(row.rate).ok_or_else(|| Error::corrupt(&place))?,
        since: Wall::from_micros(row.valid_from),
        set_by: row.set_by,
    })
}
