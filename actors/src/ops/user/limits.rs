//! Every limit of a user as it is in force, and what says so.

use serde_json::{Value, json};
use tollgate_billing::AccountKind;
use tollgate_billing::account::{UNLIMITED_LINES, UNLIMITED_RATE};
use tollgate_billing::credit::Report;
use tollgate_routing::UserKind;
use tollgate_settings::rows::call::{LINES_ENDUSER, LINES_ENDUSER_OFFPEAK};
use tollgate_settings::{Row, Values};
use tollgate_store::accounts::Account;
use tollgate_store::users::{self, UserRow};

use super::super::outcome::Refused;
use super::super::{Ops, shown};

/// Where a limit of a user or account may come from.
struct Sources<'a> {
    user: &'a UserRow,
    /// The user whom the account was made with: its limits follow his template.
    maker: Option<UserRow>,
    account: &'a Account,
}

impl Ops {
    /// `limits` of `user show`: name, value (null is no limit), and from where.
    pub(super) async fn limits_of(&self, user: &UserRow, account: &Account, money: &Report) -> Result<Value, Refused> {
        let maker = users::maker(&self.store, &account.name).await?;
        let sources = Sources { user, maker, account };
        let agreed = &account.row.terms;
        let values = self.values().await?;
        let rules = self.rules().await?;
        let mut all = Vec::new();
        let mut tell = |name: &str, value: Value, from: Option<String>| {
            all.push(json!({ "name": name, "value": value, "from": from }));
        };
        if agreed.kind == AccountKind::EndUser {
            let (lines, from) = sources.lines_of_user("max_lines", user.terms.max_lines, &LINES_ENDUSER, &values);
            let offpeak = user.terms.max_lines_offpeak;
            let (at_night, night) =
                sources.lines_of_user("max_lines_offpeak", offpeak, &LINES_ENDUSER_OFFPEAK, &values);
            let as_by_day = night.is_none() || (offpeak.is_none() && user.terms.max_lines.is_some());
            tell("max_lines", json!(lines), from.clone());
            match as_by_day {
                true => tell("max_lines_offpeak", json!(lines), from),
                false => tell("max_lines_offpeak", json!(at_night), night),
            }
        }
        let prefix = if agreed.kind == AccountKind::EndUser { "account_" } else { "" };
        let few = |lines: Option<u32>| lines.filter(|lines| *lines < UNLIMITED_LINES);
        for (name, lines) in [("max_lines", agreed.max_lines), ("max_lines_offpeak", agreed.max_lines_offpeak)] {
            let name = format!("{prefix}{name}");
            tell(&name, json!(few(lines)), lines.and_then(|_| sources.of_account(&name)));
        }
        for (name, value) in [
            ("credit_limit", agreed.credit_limit.map(|limit| json!(limit))),
            ("monthly_limit", agreed.monthly_limit.and(money.monthly_limit).map(|limit| json!(limit))),
            ("monthly_increment", agreed.monthly_increment.map(|limit| json!(limit))),
            ("monthly_ceiling", agreed.monthly_ceiling.map(|limit| json!(limit))),
            ("dynamic_baseline", agreed.dynamic_baseline.map(|limit| json!(limit))),
            ("talk_day", agreed.talk_day.map(|limit| json!(limit))),
            ("talk_month", agreed.talk_month.map(|limit| json!(limit))),
        ] {
            let from = value.as_ref().and_then(|_| sources.of_account(name));
            tell(name, value.unwrap_or(Value::Null), from);
        }
        let daily = match (agreed.daily_limit, money.daily_limit_from) {
            (Some(_), _) => sources.of_account("daily_limit"),
            (None, setting) => setting.map(|setting| format!("setting {setting}")),
        };
        tell("daily_limit", json!(money.daily_limit), daily);
        let burn_rate = agreed.burn_rate.filter(|rate| *rate < UNLIMITED_RATE).map(shown::price);
        let burning = match (agreed.burn_rate, rules.policy.burn_time) {
            (Some(_), _) => sources.of_account("burn_rate"),
            (None, Some(_)) => money.burn_rate.map(|_| "setting credit.burn_time".to_owned()),
            (None, None) => None,
        };
        let burn_rate = burn_rate.or(money.burn_rate.filter(|_| agreed.burn_rate.is_none()).map(shown::price));
        tell("burn_rate", json!(burn_rate), burning);
        tell("dynamic_limit", json!(money.dynamic_limit), money.dynamic_limit_from.map(|row| format!("setting {row}")));
        Ok(Value::Array(all))
    }

    /// How many lines a user has by day, for the field of that name.
    pub(super) async fn lines_by_day(&self, user: &UserRow) -> Result<Option<u32>, Refused> {
        let values = self.values().await?;
        Ok(effective(user, user.terms.max_lines, &LINES_ENDUSER, &values))
    }
}

/// His own number, else his class's.
fn effective(user: &UserRow, own: Option<u32>, class: &'static Row, values: &Values) -> Option<u32> {
    let class = || {
        let lines = values.integer_or_off(class).filter(|_| user.terms.kind == UserKind::EndUser)?;
        Some(u32::try_from(lines).unwrap_or(u32::MAX))
    };
    own.or_else(class).filter(|lines| *lines < UNLIMITED_LINES)
}

impl Sources<'_> {
    fn lines_of_user(
        &self,
        name: &str,
        own: Option<u32>,
        class: &'static Row,
        values: &Values,
    ) -> (Option<u32>, Option<String>) {
        let lines = effective(self.user, own, class, values);
        let from = match (own, lines) {
            (Some(_), _) if follows(self.user, name) => template(self.user),
            (Some(_), _) => Some(format!("user {}", self.user.terms.name)),
            (None, Some(_)) => Some(format!("setting {}", class.name)),
            (None, None) => None,
        };
        (lines, from)
    }

    fn of_account(&self, name: &str) -> Option<String> {
        let maker = self.maker.as_ref().filter(|maker| follows(maker, name));
        maker.and_then(template).or_else(|| Some(format!("account {}", self.account.name)))
    }
}

fn follows(user: &UserRow, name: &str) -> bool {
    user.terms.inherited.iter().any(|inherited| inherited == name)
}

fn template(user: &UserRow) -> Option<String> {
    user.terms.template.as_ref().map(|template| format!("template {template}"))
}
