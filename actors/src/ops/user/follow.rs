//! What a user takes from a template: options that nobody said are the template's, and stay so when it changes.

use serde_json::Value;
use tollgate_store::templates::{self, Template};
use tollgate_store::users::{self, UserRow, UserTerms};
use tollgate_store::{By, accounts};

use super::super::Ops;
use super::super::field::{Misfit, Read, means_none};
use super::super::outcome::Refused;
use super::said::Said;
use super::{Add, Terms};

/// Limits: they follow the template. Everything else a template says is taken once, when the user is made.
const FOLLOWED: [&str; 13] = [
    "max_lines",
    "max_lines_offpeak",
    "account_max_lines",
    "account_max_lines_offpeak",
    "credit_limit",
    "daily_limit",
    "monthly_limit",
    "monthly_increment",
    "monthly_ceiling",
    "dynamic_baseline",
    "talk_day",
    "talk_month",
    "burn_rate",
];

/// What a user who shares an account has of his own.
const OF_USER: [&str; 3] = ["max_lines", "max_lines_offpeak", "country"];

/// Options that were said, as they were typed.
pub fn options(terms: &Terms) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(terms) else { return Vec::new() };
    let mut said = Vec::new();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("prepaid" | "postpaid", Value::Bool(true)) => said.push(("mode".to_owned(), name)),
            (_, Value::String(text)) => said.push((name, text)),
            _ => {}
        }
    }
    said
}

/// The opposite of [`options`].
pub fn terms(options: &templates::Terms) -> Terms {
    let mut fields = serde_json::Map::new();
    for (name, text) in options {
        match name.as_str() {
            "mode" => drop(fields.insert(text.clone(), true.into())),
            _ => drop(fields.insert(name.clone(), text.as_str().into())),
        }
    }
    serde_json::from_value(fields.into()).unwrap_or_default()
}

/// A user's options with those of his template, and which of them follow it.
pub struct Followed {
    /// What is to be laid over.
    pub terms: Terms,
    /// Names of options that are the template's.
    pub inherited: Vec<String>,
}

impl Ops {
    /// The options of a new user: what is said wins over the template.
    pub(super) async fn with_template(&self, add: &Add) -> Read<(Followed, Option<Template>)> {
        let template = self.template_of(add).await?;
        let mut said: templates::Terms = options(&add.terms).into_iter().collect();
        let mut inherited = Vec::new();
        for (name, text) in template.iter().flat_map(|template| &template.terms) {
            let is_his = add.account.is_none() || OF_USER.contains(&name.as_str());
            if !is_his || said.get(name).is_some_and(|said| !is_inherit(said)) {
                continue;
            }
            if name == "deck" && !self.fits_currency(text, said.get("currency")).await? {
                continue;
            }
            said.insert(name.clone(), text.clone());
            if FOLLOWED.contains(&name.as_str()) {
                inherited.push(name.clone());
            }
        }
        Ok((Followed { terms: terms(&said), inherited }, template))
    }

    /// The template named, or the default one of end users.
    async fn template_of(&self, add: &Add) -> Read<Option<Template>> {
        match add.terms.template.as_deref() {
            Some(name) if means_none(name) => Ok(None),
            Some(name) => self.template_named(name).await.map(Some),
            None if add.terms.kind.as_deref().is_none_or(|kind| kind == "enduser") => {
                self.default_template().await.map_err(|refused| Misfit::new("template", refused))
            }
            None => Ok(None),
        }
    }

    async fn template_named(&self, name: &str) -> Read<Template> {
        templates::named(&self.store, name).await.map_err(|error| Misfit::new("template", error))
    }

    /// A template's deck is for accounts in its currency.
    async fn fits_currency(&self, deck: &str, currency: Option<&String>) -> Read<bool> {
        let wanted = match currency {
            Some(text) => super::super::field::read("currency", text)?,
            None => self.snapshots.currency,
        };
        let found =
            tollgate_store::decks::named(&self.store, deck).await.map_err(|error| Misfit::new("deck", error))?;
        Ok(found.deck.currency == wanted)
    }

    /// The options of a change to a user: what is said, and what follows from another template or from `inherit`.
    pub(super) async fn with_followed(
        &self,
        user: &UserRow,
        said: &Terms,
    ) -> Result<(Followed, Option<String>), Refused> {
        let name = match said.template.as_deref() {
            Some(name) if means_none(name) => None,
            Some(name) => Some(self.template_named(name).await?.name),
            None => user.terms.template.clone(),
        };
        let of_template = match &name {
            Some(name) => templates::named(&self.store, name).await?.terms,
            None => templates::Terms::new(),
        };
        let turned = name != user.terms.template;
        let known = self.own_values(user).await?;
        let mut all: templates::Terms = options(said).into_iter().collect();
        let mut inherited = user.terms.inherited.clone();
        for field in FOLLOWED {
            let follows = inherited.iter().any(|name| name == field);
            let inherits = match all.get(field) {
                Some(text) => is_inherit(text),
                None => turned && (follows || !known.contains(field)),
            };
            if inherits || all.contains_key(field) {
                inherited.retain(|name| name != field);
            }
            if inherits {
                let text = of_template.get(field).filter(|_| known.is_his(field));
                if text.is_some() {
                    inherited.push(field.to_owned());
                }
                if text.is_some() || known.contains(field) {
                    all.insert(field.to_owned(), text.map_or("inherit", String::as_str).to_owned());
                }
            }
        }
        Ok((Followed { terms: terms(&all), inherited }, name))
    }

    /// Lays a template's limits over a user where he has none of his own.
    pub(in super::super) async fn follow_template(
        &self,
        by: &By,
        user: &UserRow,
        template: &templates::Terms,
    ) -> Result<(), Refused> {
        let known = self.own_values(user).await?;
        let (mut all, mut inherited) = (templates::Terms::new(), Vec::new());
        for field in FOLLOWED {
            let follows = user.terms.inherited.iter().any(|name| name == field);
            match template.get(field).filter(|_| known.is_his(field)) {
                Some(text) if follows || !known.contains(field) => {
                    all.insert(field.to_owned(), text.clone());
                    inherited.push(field.to_owned());
                }
                None if follows => drop(all.insert(field.to_owned(), "inherit".to_owned())),
                _ => {}
            }
        }
        let said = Said::read(self, &terms(&all)).await?;
        let changed = users::edit(&self.store, by, &user.terms.name, |user, account| {
            user.inherited = inherited;
            said.lay_over(user, account);
            Ok(())
        });
        let user = changed.await?;
        self.tell_funds(user.account);
        Ok(())
    }

    /// Which limits have a value now.
    async fn own_values(&self, user: &UserRow) -> Result<Known, Refused> {
        let account = accounts::get(&self.store, user.account).await?;
        let is_maker = account.name.eq_ignore_ascii_case(&user.terms.name);
        Ok(Known { fields: set_fields(&user.terms, &account), is_maker })
    }
}

/// Limits that have a value.
struct Known {
    fields: Vec<&'static str>,
    is_maker: bool,
}

impl Known {
    /// Limits of an account follow the template of the user it was made with, not of those who share it.
    fn is_his(&self, field: &str) -> bool {
        self.is_maker || OF_USER.contains(&field)
    }

    fn contains(&self, field: &str) -> bool {
        self.fields.contains(&field)
    }
}

/// Names of limits that a user or his account has a value for.
fn set_fields(user: &UserTerms, account: &accounts::Account) -> Vec<&'static str> {
    let agreed = &account.row.terms;
    let of_account = agreed.kind != tollgate_billing::AccountKind::EndUser;
    let fields = [
        ("max_lines", if of_account { agreed.max_lines.is_some() } else { user.max_lines.is_some() }),
        (
            "max_lines_offpeak",
            if of_account { agreed.max_lines_offpeak.is_some() } else { user.max_lines_offpeak.is_some() },
        ),
        ("account_max_lines", agreed.max_lines.is_some()),
        ("account_max_lines_offpeak", agreed.max_lines_offpeak.is_some()),
        ("credit_limit", agreed.credit_limit.is_some()),
        ("daily_limit", agreed.daily_limit.is_some()),
        ("monthly_limit", agreed.monthly_limit.is_some()),
        ("monthly_increment", agreed.monthly_increment.is_some()),
        ("monthly_ceiling", agreed.monthly_ceiling.is_some()),
        ("dynamic_baseline", agreed.dynamic_baseline.is_some()),
        ("talk_day", agreed.talk_day.is_some()),
        ("talk_month", agreed.talk_month.is_some()),
        ("burn_rate", agreed.burn_rate.is_some()),
    ];
    fields.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect()
}

fn is_inherit(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("inherit")
}
