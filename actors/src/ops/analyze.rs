//! Unusual spending: an hour against the same hour of the 28 days before, by account and country.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Ops, field};
use crate::analysis;

/// `analyze`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Analyze {
    /// The hour up to this moment (RFC 3339); now unless said
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub at: Option<String>,
    /// Only what is out of the ordinary
    #[arg(long)]
    #[serde(default)]
    pub spikes: bool,
}

impl Ops {
    pub(super) async fn analyze(&self, wanted: Analyze) -> Answer {
        let at = wanted.at.as_deref().map_or(Ok(self.clock.wall()), |text| field::time("at", text))?;
        let values = self.values().await?;
        let rates = tollgate_store::currency::table(&self.store).await?;
        let rows = analysis::of_hour(&self.store, &values, self.snapshots.currency, &rates, at).await?;
        let wanted = rows.iter().filter(|row| row.finding.spike || !wanted.spikes);
        Ok(Value::Array(wanted.map(analysis::Row::to_json).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_billing::cdr::{CallKind, Cdr, Status};
    use tollgate_billing::ledger::What;
    use tollgate_store::users;
    use tollgate_types::{CallId, Wall};

    use super::super::testing::Desk;

    const DAY: u64 = 86_400;

    /// A call of `user` that cost `amount`, on the books.
    async fn spent(desk: &Desk, user: &str, callee: &str, at: Wall, amount: &str) {
        let user = users::named(&desk.ops.store, user).await.unwrap();
        let mut cdr = Cdr::begin(CallId::from_i64(at.micros() + user.id.0), 0, CallKind::Outbound, at);
        (cdr.account, cdr.user_id, cdr.status) = (Some(user.account), Some(user.id), Status::Answered);
        (cdr.callee, cdr.sell_cost) = (callee.to_owned(), amount.parse().unwrap());
        desk.ops.ask_one(What::Record(Box::new(cdr))).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_hour_out_of_the_ordinary_stands_out() {
        let desk = Desk::new().await;
        desk.ask("user add anna --prepaid").await.unwrap();
        desk.ops.clock.advance(Duration::from_secs(29 * DAY + 1800));
        desk.ask("user add newcomer --prepaid").await.unwrap();
        let now = desk.ops.clock.wall();
        for day in 1..=28u64 {
            spent(&desk, "anna", "3612345678", now - Duration::from_secs(day * DAY), "2.00").await;
        }
        spent(&desk, "anna", "3612345678", now - Duration::from_secs(1), "8.00").await;
        spent(&desk, "anna", "18765550100", now - Duration::from_secs(2), "11.00").await;
        spent(&desk, "anna", "18765550101", now - Duration::from_secs(3600), "99.00").await;
        spent(&desk, "newcomer", "252612345678", now - Duration::from_secs(3), "40.00").await;
        let rows = desk.ask("analyze").await.unwrap();
        let told: Vec<_> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let of = |name: &str| row[name].as_str().unwrap().to_owned();
                (of("account"), of("country"), of("spend"), of("usual"), row["spike"].as_bool().unwrap())
            })
            .collect();
        let row = |account: &str, country: &str, spend: &str, usual: &str, spike| {
            (account.to_owned(), country.to_owned(), spend.to_owned(), usual.to_owned(), spike)
        };
        let expected = [
            row("anna", "+1876", "11.000000", "0.000000", true),
            row("newcomer", "+252", "40.000000", "0.000000", false),
            row("anna", "+36", "8.000000", "2.000000", false),
        ];
        assert_eq!(told, expected);
        assert_eq!(desk.ask("analyze --spikes").await.unwrap().as_array().unwrap().len(), 1);
        let earlier = desk.ask(&format!("analyze --at {}", now - Duration::from_secs(3000))).await.unwrap();
        assert_eq!(earlier[0]["spend"], "99.000000", "{earlier:#}");
        assert!(desk.ask("analyze --at yesterday").await.is_err());
    }
}
