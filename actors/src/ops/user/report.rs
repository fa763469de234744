//! Users as operators see them: with money, limits and what is in use.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tollgate_billing::account::{AccountKind, UNLIMITED_LINES, UNLIMITED_RATE};
use tollgate_billing::credit::report;
use tollgate_billing::hold::Holder;
use tollgate_store::users::{self, UserRow};
use tollgate_store::{accounts, decks, registrations};
use tollgate_types::{AccountId, Refusal, Rule};

use super::super::outcome::Refused;
use super::super::{Answer, Ops, shown};

impl Ops {
    pub(super) async fn show_user(&self, name: &str) -> Answer {
        let user = users::named(&self.store, name).await?;
        let account = accounts::get(&self.store, user.account).await?;
        let money = report(&account.row, &*self.rules().await?, self.clock.wall());
        let (terms, agreed) = (&user.terms, &account.row.terms);
        let (max_lines, holder) = self.lines_of(&user, agreed.kind, agreed.max_lines).await?;
        let blocked = match &user.disabled {
            Some((since, _)) => Some(Refusal::new(Rule::UserDisabled, None, since, "")),
            None => self.suspicion_of(&user).await?.or(money.blocked.clone()),
        };
        let fields = json!({
            "name": terms.name,
            "kind": terms.kind.name(),
            "mode": agreed.mode.id(),
            "currency": agreed.currency,
            "balance": money.balance,
            "reserved": money.reserved,
            "available": money.available,
            "burning": shown::price(money.burning),
            "spend_today": money.spend_today,
            "held_today": money.held_today,
            "spend_month": money.spend_month,
            "dynamic_baseline": money.dynamic_baseline,
            "dynamic_limit": money.dynamic_limit,
            "daily_limit": money.daily_limit,
            "monthly_limit": money.monthly_limit,
            "monthly_increment": agreed.monthly_increment,
            "monthly_ceiling": agreed.monthly_ceiling,
            "credit_limit": agreed.credit_limit,
            "burn_rate": agreed.burn_rate.filter(|rate| *rate < UNLIMITED_RATE).map(shown::price),
            "lines_in_use": accounts::lines_in_use(&self.store, holder).await?,
            "max_lines": max_lines,
            "limits": self.limits_of(&user, &account, &money).await?,
            "max_lines_offpeak": terms.max_lines_offpeak.or(agreed.max_lines_offpeak).filter(|lines| *lines < UNLIMITED_LINES),
            "talk_today": money.talk_today,
            "talk_month": money.talk_month,
            "talk_day_limit": agreed.talk_day,
            "talk_month_limit": agreed.talk_month,
            "registrations": self.count_bindings(&user).await?,
            "blocked": blocked.as_ref().map(shown::refusal),
        });
        let Value::Object(mut fields) = fields else { return Ok(fields) };
        fields.extend(self.plain_fields(&user, &account).await?);
        Ok(Value::Object(fields))
    }

    /// What is not counted.
    async fn plain_fields(&self, user: &UserRow, account: &accounts::Account) -> Result<Map<String, Value>, Refused> {
        let terms = &user.terms;
        let deck = match account.deck {
            Some(deck) => Some(decks::get(&self.store, deck).await?.deck.name),
            None => None,
        };
        let parent = match terms.parent {
            Some(parent) => Some(users::get(&self.store, parent).await?.terms.name),
            None => None,
        };
        let fields = json!({
            "account": account.name,
            "template": terms.template,
            "local_only": account.local_only,
            "deck": deck,
            "parent": parent,
            "country": terms.country.map(|country| country.to_string()),
            "timezone": account.row.terms.zone,
            "email": terms.email,
            "caller_id": terms.caller_id.as_ref().map(|number| number.digits()),
            "numbers": shown::list(terms.numbers.iter().map(|number| number.digits())),
            "extension": terms.extension,
            "auth": terms.auth.name(),
            "disabled_at": user.disabled.as_ref().map(|(at, _)| at),
            "disabled_by": user.disabled.as_ref().map(|(_, who)| who),
            "created_at": user.created_at,
        });
        Ok(if let Value::Object(fields) = fields { fields } else { Map::new() })
    }

    /// How many lines, and who holds them: the user, or the account of one whose calls come by trunks.
    async fn lines_of(
        &self,
        user: &UserRow,
        kind: AccountKind,
        of_account: Option<u32>,
    ) -> Result<(Option<u32>, Holder), Refused> {
        if kind != AccountKind::EndUser {
            return Ok((of_account.filter(|lines| *lines < UNLIMITED_LINES), Holder::Account(user.account)));
        }
        Ok((self.lines_by_day(user).await?, Holder::User(user.id)))
    }

    async fn count_bindings(&self, user: &UserRow) -> Result<usize, Refused> {
        if self.living().is_some() {
            return Ok(self.live_bindings(Some(user.id)).await.len());
        }
        Ok(registrations::list(&self.store, Some(user.id), self.clock.wall()).await?.len())
    }

    pub(super) async fn list_users(&self) -> Answer {
        let accounts: BTreeMap<AccountId, accounts::Account> =
            accounts::list(&self.store).await?.into_iter().map(|account| (account.row.id, account)).collect();
        let rows = users::list(&self.store).await?.into_iter().map(|user| {
            let account = accounts.get(&user.account);
            json!({
                "name": user.terms.name,
                "kind": user.terms.kind.name(),
                "account": account.map(|account| account.name.as_str()),
                "mode": account.map(|account| account.row.terms.mode.id()),
                "balance": account.map(|account| account.row.state.balance),
                "currency": account.map(|account| account.row.terms.currency),
                "disabled_at": user.disabled.as_ref().map(|(at, _)| at),
                "created_at": user.created_at,
            })
        });
        Ok(rows.collect())
    }
}
