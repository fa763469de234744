//! Templates: what new users take where nothing is said, and what they follow until something is.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_store::{By, templates, users};

use super::field::{self, Misfit, Read, means_none};
use super::outcome::{ProgressSink, Refused};
use super::user::{Terms, follow};
use super::{Answer, DEFAULT_TEMPLATE, Ops};

/// `template …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// Add a template
    Add(Said),
    /// One template
    Show {
        /// The template's name
        name: String,
    },
    /// All templates
    List,
    /// Change a template; users who follow it change with it, where they have no value of their own
    Set(Said),
    /// Remove a template that nobody follows
    Remove {
        /// The template's name
        name: String,
    },
}

/// What is said of a template: `inherit` takes a value away again.
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Said {
    /// The template's name
    pub name: String,
    /// What users take from it
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: Terms,
}

/// Options that belong to one user alone.
const PERSONAL: [&str; 6] = ["password", "email", "caller_id", "extension", "template", "auth"];

impl Ops {
    pub(super) async fn template(&self, by: &By, template: Template, progress: &ProgressSink) -> Answer {
        match template {
            Template::Add(said) => {
                check_name(&said.name)?;
                let terms = self.read_template(&said.terms, templates::Terms::new()).await?;
                templates::create(&self.store, by, &said.name, &terms).await?;
                Ok(Value::Null)
            }
            Template::Show { name } => self.shown_template(templates::named(&self.store, &name).await?).await,
            Template::List => {
                let mut rows = Vec::new();
                for template in templates::list(&self.store).await? {
                    rows.push(self.shown_template(template).await?);
                }
                Ok(Value::Array(rows))
            }
            Template::Set(said) => self.set_template(by, &said, progress).await,
            Template::Remove { name } => {
                if *self.values().await?.text(&DEFAULT_TEMPLATE) == *name {
                    return Err(Refused(format!("template {name} is the default ({})", DEFAULT_TEMPLATE.name)));
                }
                templates::remove(&self.store, by, &name).await?;
                Ok(Value::Null)
            }
        }
    }

    async fn set_template(&self, by: &By, said: &Said, progress: &ProgressSink) -> Answer {
        let known = templates::named(&self.store, &said.name).await?;
        let terms = self.read_template(&said.terms, known.terms).await?;
        templates::set(&self.store, by, &said.name, &terms).await?;
        let followers = users::of_template(&self.store, &said.name).await?;
        let total = followers.len() as u64;
        for (done, user) in followers.iter().enumerate() {
            if done % 64 == 0 {
                progress.tell("users who follow it", done as u64, total);
            }
            self.follow_template(by, user, &terms).await?;
        }
        if total > 0 {
            self.directory_changed().await?;
        }
        Ok(Value::Null)
    }

    /// What the template says with what is said now: checked as a user's would be.
    async fn read_template(&self, said: &Terms, mut known: templates::Terms) -> Read<templates::Terms> {
        for (name, text) in follow::options(said) {
            if PERSONAL.contains(&name.as_str()) {
                let field = PERSONAL.into_iter().find(|personal| *personal == name).unwrap_or("template");
                return Err(Misfit::new(field, "that is a user's own, no matter of a template"));
            }
            match means_none(&text) && !text.trim().eq_ignore_ascii_case("unlimited") {
                true => drop(known.remove(&name)),
                false => drop(known.insert(name, text)),
            }
        }
        self.check_terms(&follow::terms(&known)).await?;
        Ok(known)
    }

    async fn shown_template(&self, template: templates::Template) -> Answer {
        let followers = templates::users(&self.store, &template.name).await?;
        let is_default = *self.values().await?.text(&DEFAULT_TEMPLATE) == *template.name;
        let mut fields = json!({
            "name": template.name,
            "default": is_default,
            "users": followers,
            "changed_at": template.changed_at,
        });
        fields["terms"] = json!(template.terms);
        Ok(fields)
    }

    /// The template of new users that name none; `None` where it is not there.
    pub(super) async fn default_template(&self) -> Result<Option<templates::Template>, Refused> {
        let name = self.values().await?.text(&DEFAULT_TEMPLATE);
        if name.is_empty() {
            return Ok(None);
        }
        match templates::named(&self.store, &name).await {
            Ok(template) => Ok(Some(template)),
            Err(tollgate_store::Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn check_name(name: &str) -> Read<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(fits) && !means_none(name);
    if is_name {
        Ok(())
    } else {
        Err(field::wrong("NAME", name, "1 to 64 letters, digits, dots, dashes and underscores"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Desk;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn users_follow_their_template_until_something_is_said() {
        let desk = Desk::new().await;
        desk.ask("template add small --prepaid --max-lines 2 --daily-limit 5 --talk-day 600").await.unwrap();
        desk.ask("user add anna --template small --daily-limit 7").await.unwrap();
        desk.ask("user add bob").await.unwrap();
        let limit = async |user: &str, name: &str| {
            let shown = desk.ask(&format!("user show {user}")).await.unwrap();
            let limits = shown["limits"].as_array().unwrap().clone();
            let found = limits.into_iter().find(|limit| limit["name"] == name).unwrap();
            (found["value"].clone(), found["from"].clone())
        };
        //  user, limit, value, where it comes from
        for (user, name, value, from) in [
            ("anna", "max_lines", json!(2), json!("template small")),
            ("anna", "daily_limit", json!("7.000000"), json!("account anna")),
            ("anna", "talk_day", json!(600), json!("template small")),
            ("anna", "dynamic_limit", json!("10.000000"), json!("setting credit.dynamic.floor.enduser")),
            ("anna", "monthly_limit", json!(null), json!(null)),
            ("bob", "max_lines", json!(5), json!("setting lines.enduser")),
            ("bob", "daily_limit", json!(null), json!(null)),
        ] {
            assert_eq!(limit(user, name).await, (value, from), "{user} {name}");
        }
        desk.ask("template set small --max-lines 3 --daily-limit 6 --talk-day inherit --monthly-limit 50")
            .await
            .unwrap();
        desk.ask("config set credit.daily.enduser 9").await.unwrap();
        for (user, name, value, from) in [
            ("anna", "max_lines", json!(3), json!("template small")),
            ("anna", "daily_limit", json!("7.000000"), json!("account anna")),
            ("anna", "talk_day", json!(null), json!(null)),
            ("anna", "monthly_limit", json!("50.000000"), json!("template small")),
            ("bob", "daily_limit", json!("9.000000"), json!("setting credit.daily.enduser")),
        ] {
            assert_eq!(limit(user, name).await, (value, from), "{user} {name}");
        }
        desk.ask("user set anna --daily-limit inherit --max-lines unlimited").await.unwrap();
        assert_eq!(limit("anna", "daily_limit").await, (json!("6.000000"), json!("template small")));
        assert_eq!(limit("anna", "max_lines").await, (json!(null), json!("user anna")));
        desk.ask("user set bob --daily-limit unlimited").await.unwrap();
        assert_eq!(limit("bob", "daily_limit").await, (json!(null), json!("account bob")));
        desk.ask("user set anna --template none").await.unwrap();
        assert_eq!(limit("anna", "daily_limit").await, (json!("9.000000"), json!("setting credit.daily.enduser")));
        assert_eq!(limit("anna", "monthly_limit").await, (json!(null), json!(null)));
        desk.ask("template remove small").await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_default_template_gives_new_users_their_limits() {
        let desk = Desk::new().await;
        desk.ask("template add standard --max-lines 3 --monthly-limit 50").await.unwrap();
        desk.ask("user add anna").await.unwrap();
        desk.ask("user add sub --account anna").await.unwrap();
        desk.ask("user add boss --kind reseller").await.unwrap();
        desk.ask("user add free --template none").await.unwrap();
        desk.file("users.csv", "name,template,max_lines\nu1,,\nu2,standard,1\n");
        desk.ask("user import users.csv").await.unwrap();
        //  user, lines, money of a month
        for (user, lines, month) in [
            ("anna", json!(3), json!("50.000000")),
            ("sub", json!(3), json!("50.000000")),
            ("boss", json!(null), json!(null)),
            ("free", json!(5), json!(null)),
            ("u1", json!(3), json!("50.000000")),
            ("u2", json!(1), json!("50.000000")),
        ] {
            let shown = desk.ask(&format!("user show {user}")).await.unwrap();
            assert_eq!((&shown["max_lines"], &shown["monthly_limit"]), (&lines, &month), "{user}");
        }
        //  command, what is refused
        for (words, refused) in [
            ("template add standard", "template standard exists already"),
            (
                "template add bad --daily-limit ten",
                "--daily-limit: \"ten\" is not an amount such as 10.00, or unlimited",
            ),
            (
                "template add bad --password some-secret-word",
                "--password: that is a user's own, no matter of a template",
            ),
            ("template add bad --deck nowhere", "--deck: there is no deck nowhere"),
            ("template set gone --max-lines 2", "there is no template gone"),
            ("template remove standard", "template standard is the default (user.template)"),
            ("user add x --template gone", "--template: there is no template gone"),
        ] {
            assert_eq!(desk.ask(words).await.unwrap_err().0, refused, "{words}");
        }
        desk.ask("config set user.template none-such").await.unwrap();
        let words = "template remove standard";
        assert_eq!(
            desk.ask(words).await.unwrap_err().0,
            "template standard has 4 user(s): give them another one first"
        );
    }
}
