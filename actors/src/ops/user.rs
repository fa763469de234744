//! Users: who logs in and registers, the account that pays for them, and their limits.

pub(super) mod follow;
mod import;
mod limits;
mod report;
mod room;
mod said;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_billing::ledger::What;
use tollgate_billing::{AccountKind, Cause};
use tollgate_store::users::{self, Payer, UserRow};
use tollgate_store::{By, accounts};
use tollgate_types::{AccountId, Money, Rule};

use super::field::{self, Misfit};
use super::outcome::{ProgressSink, Refused};
use super::{Answer, Ops};
use said::{New, Said};

pub(super) use said::{deck as deck_named, ha1s};

/// `user …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// Add a user; without --password one is generated and printed once
    Add(Add),
    /// One user with money, limits and what is in use
    Show {
        /// The user's name
        name: String,
    },
    /// All users, newest first
    List,
    /// Change a user; what is not named stays
    Set(Set),
    /// End the user's calls and registrations and refuse new ones
    Disable {
        /// The user's name
        name: String,
    },
    /// Let a disabled user call again
    Enable {
        /// The user's name
        name: String,
    },
    /// Remove a user; an account with entries stays in the books
    Remove {
        /// The user's name
        name: String,
    },
    /// Let the spend of a day on which the dynamic limit struck count as usual
    AcceptDay {
        /// The user's name
        name: String,
        /// The day, YYYY-MM-DD in the account's time zone
        date: String,
    },
    /// Add users from a CSV file: all or none
    Import(super::deck::Text),
}

/// `user add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// Letters, digits, dot, dash, underscore; unique
    pub name: String,
    /// The opening balance, an entry in the ledger
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    #[serde(default)]
    pub credit: Option<String>,
    /// Pay from the account of this user instead of an own one
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub account: Option<String>,
    /// What else is known
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// `user set`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Set {
    /// The user's name
    pub name: String,
    /// What changes
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// What can be said of a user when added and changed later. `unlimited` is no limit, `inherit` that of
/// the template or class.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct Terms {
    /// The SIP secret, at least 12 characters
    #[arg(long)]
    pub password: Option<String>,
    /// enduser, traffic-sender, reseller, support or admin
    #[arg(long)]
    pub kind: Option<String>,
    /// Spend at most the balance
    #[arg(long, conflicts_with = "postpaid")]
    pub prepaid: bool,
    /// Spend on credit
    #[arg(long)]
    pub postpaid: bool,
    /// How far below zero a postpaid account may go
    #[arg(long, value_name = "AMOUNT")]
    pub credit_limit: Option<String>,
    /// The reseller this user belongs to
    #[arg(long, value_name = "NAME")]
    pub parent: Option<String>,
    /// Take what is not said here from this template
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
    /// The deck that prices the user's calls
    #[arg(long, value_name = "NAME")]
    pub deck: Option<String>,
    /// The account's currency; only while it has no entries
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Country in which the user dials, ISO code
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,
    /// Time zone of the account's days, such as Europe/Budapest
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Where mail goes
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// The number shown to those called
    #[arg(long, value_name = "NUMBER")]
    pub caller_id: Option<String>,
    /// Short number inside the tenant
    #[arg(long, value_name = "DIGITS")]
    pub extension: Option<String>,
    /// Numbers shown to be the user's, with commas between: caller ids under call.caller_id_change = verified; none for none
    #[arg(long, value_name = "NUMBER,…")]
    pub verified_number: Option<String>,
    /// Simultaneous calls
    #[arg(long, value_name = "N")]
    pub max_lines: Option<String>,
    /// Simultaneous calls at off-peak times
    #[arg(long, value_name = "N")]
    pub max_lines_offpeak: Option<String>,
    /// Simultaneous calls of the account, over all users who share it
    #[arg(long, value_name = "N")]
    pub account_max_lines: Option<String>,
    /// The same at off-peak times
    #[arg(long, value_name = "N")]
    pub account_max_lines_offpeak: Option<String>,
    /// Spend of one day
    #[arg(long, value_name = "AMOUNT")]
    pub daily_limit: Option<String>,
    /// Spend of one month
    #[arg(long, value_name = "AMOUNT")]
    pub monthly_limit: Option<String>,
    /// By how much the monthly limit grows after a month with calls
    #[arg(long, value_name = "AMOUNT")]
    pub monthly_increment: Option<String>,
    /// How far the monthly limit grows
    #[arg(long, value_name = "AMOUNT")]
    pub monthly_ceiling: Option<String>,
    /// What the dynamic limit takes as the highest usual day
    #[arg(long, value_name = "AMOUNT")]
    pub dynamic_baseline: Option<String>,
    /// Seconds of talk in one day
    #[arg(long, value_name = "SECONDS")]
    pub talk_day: Option<String>,
    /// Seconds of talk in one month
    #[arg(long, value_name = "SECONDS")]
    pub talk_month: Option<String>,
    /// What all live calls together may cost a minute
    #[arg(long, value_name = "AMOUNT")]
    pub burn_rate: Option<String>,
    /// Whether the account reaches users and numbers of this platform only
    #[arg(long, value_name = "true|false")]
    pub local_only: Option<String>,
    /// The highest price a minute that the user's calls may have
    #[arg(long, value_name = "AMOUNT")]
    pub max_price: Option<String>,
    /// Media before the answer: allow, to-caller-only, tones-only, block; none for the platform's
    #[arg(long, value_name = "MODE")]
    pub early_media: Option<String>,
    /// How the user proves who it is
    #[arg(long, value_name = "MODE")]
    pub auth: Option<String>,
}

impl Ops {
    pub(super) async fn user(&self, by: &By, user: User, progress: &ProgressSink) -> Answer {
        match user {
            User::Add(add) => self.add_user(by, &add).await,
            User::Show { name } => self.show_user(&name).await,
            User::List => self.list_users().await,
            User::Set(set) => self.set_user(by, &set).await,
            User::Disable { name } => self.disable_user(by, &name).await,
            User::Enable { name } => self.enable_user(by, &name).await,
            User::Remove { name } => self.remove_user(by, &name).await,
            User::AcceptDay { name, date } => self.accept_day(&name, &date).await,
            User::Import(csv) => self.import_users(by, &csv, progress).await,
        }
    }

    async fn add_user(&self, by: &By, add: &Add) -> Answer {
        let New { terms, payer, secret, opening, shown } = self.read_new_user(add).await?;
        self.room_for_users(std::slice::from_ref(&terms)).await?;
        let made = users::create(&self.store, by, &terms, payer, Some(secret)).await?;
        self.open_new(by, std::slice::from_ref(&made), &[opening]).await?;
        self.directory_changed().await?;
        Ok(shown.map_or(Value::Null, |password| json!({ "name": made.terms.name, "password": password })))
    }

    /// Enters opening balances of users just made; if that fails, they were never there.
    async fn open_new(&self, by: &By, made: &[UserRow], openings: &[Option<Money>]) -> Result<(), Refused> {
        let pairs = made.iter().zip(openings);
        let opening: Vec<(AccountId, Money)> =
            pairs.filter_map(|(user, amount)| Some((user.account, (*amount)?))).collect();
        let Err(refused) = self.open_balances(&opening).await else { return Ok(()) };
        for user in made {
            users::remove(&self.store, by, &user.terms.name).await?;
        }
        Err(refused)
    }

    async fn set_user(&self, by: &By, set: &Set) -> Answer {
        let user = users::named(&self.store, &set.name).await?;
        let (followed, template) = self.with_followed(&user, &set.terms).await?;
        let said = Said::read(self, &followed.terms).await?;
        let secret = match &set.terms.password {
            Some(password) => Some(self.secret_of(&said.beside(&user.terms), password).await?),
            None => None,
        };
        let changed = users::edit(&self.store, by, &set.name, |user, account| {
            (user.template, user.inherited) = (template, followed.inherited);
            said.lay_over(user, account);
            Ok(())
        });
        let user = changed.await?;
        if let Some(secret) = secret {
            users::set_secret(&self.store, by, &set.name, &secret).await?;
        }
        self.directory_changed().await?;
        self.tell_funds(user.account);
        Ok(Value::Null)
    }

    async fn disable_user(&self, by: &By, name: &str) -> Answer {
        let user = users::disable(&self.store, by, name).await?;
        let account = self.account_by_trunk(&user).await?;
        if let Some(account) = account {
            accounts::disable(&self.store, by, account).await?;
        }
        self.directory_changed().await?;
        let rule = if account.is_some() { Rule::AccountDisabled } else { Rule::UserDisabled };
        self.put_out(user.id, account, Cause::Rule(rule)).await?;
        Ok(Value::Null)
    }

    async fn enable_user(&self, by: &By, name: &str) -> Answer {
        let user = users::enable(&self.store, by, name).await?;
        if let Some(account) = self.account_by_trunk(&user).await? {
            accounts::enable(&self.store, by, account).await?;
        }
        self.directory_changed().await?;
        Ok(Value::Null)
    }

    /// The account that stands and falls with this user: of one whose calls come by trunks or from customers below.
    async fn account_by_trunk(&self, user: &UserRow) -> Result<Option<AccountId>, Refused> {
        let account = accounts::get(&self.store, user.account).await?;
        let is_own = account.row.terms.kind != AccountKind::EndUser;
        Ok(is_own.then_some(user.account))
    }

    async fn remove_user(&self, by: &By, name: &str) -> Answer {
        let user = users::remove(&self.store, by, name).await?;
        self.directory_changed().await?;
        self.put_out(user.id, None, Cause::Rule(Rule::UserDisabled)).await?;
        Ok(Value::Null)
    }

    async fn accept_day(&self, name: &str, date: &str) -> Answer {
        let day = field::read("DATE", date)?;
        let user = users::named(&self.store, name).await?;
        self.ask_one(What::AcceptDay { account: user.account, day }).await?;
        self.tell_funds(user.account);
        Ok(Value::Null)
    }

    /// The account of `NAME`, as options that name a payer mean it.
    pub(super) async fn account_of(&self, field: &'static str, name: &str) -> Result<AccountId, Misfit> {
        Ok(users::named(&self.store, name).await.map_err(|error| Misfit::new(field, error))?.account)
    }

    async fn payer_shared(&self, add: &Add, name: &str) -> Result<Payer, Misfit> {
        let account = self.account_of("account", name).await?;
        if add.credit.is_some() {
            return Err(Misfit::new(
                "credit",
                format!("the account of {name} has its balance already; use credit add"),
            ));
        }
        Ok(Payer::Shared(account))
    }
}
