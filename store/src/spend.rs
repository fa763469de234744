//! What accounts spent over a time, by the numbers they called: for reports.

use sea_orm::{ConnectionTrait, Statement};
use tollgate_types::{AccountId, Money, Wall};

use crate::error::Result;
use crate::open::Store;

/// What one account spent on one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Who paid.
    pub account: AccountId,
    /// What was called.
    pub callee: String,
    /// In the account's currency.
    pub amount: Money,
    /// Calls that cost something.
    pub calls: u64,
}

/// Spend of calls begun in `[since, until)`. Free calls are left out.
pub async fn by_callee(store: &Store, since: Wall, until: Wall) -> Result<Vec<Spend>> {
    let sql = "SELECT account_id, callee, CAST(SUM(sell_cost) AS BIGINT) AS amount, COUNT(*) AS calls FROM cdrs
        WHERE started_at >= $1 AND started_at < $2 AND sell_cost > 0 AND account_id IS NOT NULL
        GROUP BY account_id, callee ORDER BY account_id, callee";
    let backend = store.read().get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [since.micros().into(), until.micros().into()]);
    let mut spends = Vec::new();
    for row in store.read().query_all_raw(statement).await? {
        spends.push(Spend {
            account: AccountId(row.try_get("", "account_id")?),
            callee: row.try_get("", "callee")?,
            amount: Money::from_micros(row.try_get("", "amount")?),
            calls: u64::try_from(row.try_get::<i64>("", "calls")?).unwrap_or(0),
        });
    }
    Ok(spends)
}
