//! Bans: who is shut out, and who is let in again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_guard::Scope;
use tollgate_guard::ban::{Ban as Ruling, Reason};
use tollgate_store::bans::{self, BanRow};
use tollgate_store::{By, users};
use tollgate_types::{Net, UserId};

use super::outcome::Refused;
use super::{Answer, Ops, field};
use crate::gatekeeper::{Enforce, Lift, ban_of, row_of};

/// `ban …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Ban {
    /// Bans in force, newest first
    List,
    /// Shut an address, an address and port, or a network out
    Add(Add),
    /// Let somebody in again: an address with all its ports, a network, a user, or all
    Remove {
        /// IP, IP:PORT, CIDR, USER or all
        subject: String,
    },
}

/// `ban add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// IP, IP:PORT or CIDR
    pub subject: String,
    /// How long, such as 30m or 6h; until it is removed when missing
    #[arg(long = "for", value_name = "SPAN")]
    #[serde(default)]
    pub lasts: Option<String>,
    /// Why, for whoever reads the list
    #[arg(long, value_name = "TEXT")]
    #[serde(default)]
    pub reason: Option<String>,
}

/// A word of the guide's console: `delbanned,IP` or `delbanned,all`.
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Console {
    /// The words, with commas between
    pub words: String,
}

impl Ops {
    pub(super) async fn ban(&self, by: &By, ban: Ban) -> Answer {
        match ban {
            Ban::List => {
                let mut rows = Vec::new();
                for row in bans::list(&self.store, by.at).await? {
                    rows.push(self.shown_ban(row).await?);
                }
                self.not_written_yet(&mut rows).await?;
                Ok(Value::Array(rows))
            }
            Ban::Add(add) => self.add_ban(by, &add).await,
            Ban::Remove { subject } => self.remove_bans(by, &subject).await,
        }
    }

    pub(super) async fn console(&self, by: &By, console: &Console) -> Answer {
        let words: Vec<&str> = console.words.split(',').map(str::trim).collect();
        match words[..] {
            [word, subject] if word.eq_ignore_ascii_case("delbanned") && !subject.is_empty() => {
                self.remove_bans(by, subject).await
            }
            _ => {
                let typed: String = console.words.chars().filter(|char| !char.is_control()).take(80).collect();
                Err(Refused(format!("{typed:?} is no console word: expected delbanned,IP or delbanned,all")))
            }
        }
    }

    async fn add_ban(&self, by: &By, add: &Add) -> Answer {
        let scope = scope_of(&add.subject)
            .ok_or_else(|| field::wrong("SUBJECT", &add.subject, "an address, address:port or network"))?;
        let lasts = match &add.lasts {
            Some(span) => Some(Duration::from_secs(field::limit_seconds("for", span)?)),
            None => None,
        };
        let ruling = Ruling {
            scope,
            reason: Reason::Admin,
            evidence: add.reason.clone().unwrap_or_default(),
            created: by.at,
            until: lasts.map(|lasts| by.at + lasts),
        };
        bans::add(&self.store, by, &row_of(&ruling, 0, &by.who)).await?;
        let hit = self.depended_on(|ip| match scope {
            Scope::Ip(banned) => banned == ip,
            Scope::Net(net) => net.has(ip),
            Scope::Port(_) | Scope::UserAt(..) => false,
        });
        if let Some(keeper) = self.living().and_then(|house| house.gate.keeper()) {
            let _ = keeper.send(Enforce(vec![(ruling, 0)])).await;
        }
        Ok(warning("bans", hit))
    }

    async fn remove_bans(&self, by: &By, subject: &str) -> Answer {
        let mut held: Vec<Scope> =
            bans::list(&self.store, by.at).await?.iter().filter_map(ban_of).map(|(ban, _)| ban.scope).collect();
        if let Some(house) = self.living() {
            held.extend(house.gate.bans().iter().map(|ban| ban.scope));
        }
        held.sort_unstable();
        held.dedup();
        let subject = subject.trim();
        let user = match subject.parse::<Net>().is_err() && subject.parse::<SocketAddr>().is_err() {
            true if !subject.eq_ignore_ascii_case("all") => Some(self.user_meant(subject).await?),
            _ => None,
        };
        held.retain(|scope| is_meant(scope, subject, user));
        if held.is_empty() {
            return Err(Refused(format!("nothing is banned for {subject}")));
        }
        let gone: Vec<_> = held.iter().map(|scope| (scope.kind().to_owned(), scope.subject())).collect();
        bans::lift(&self.store, Some(by), &gone).await?;
        if let Some(keeper) = self.living().and_then(|house| house.gate.keeper()) {
            let _ = keeper.send(Lift(held)).await;
        }
        Ok(Value::String(match gone.len() {
            1 => "1 ban lifted".to_owned(),
            count => format!("{count} bans lifted"),
        }))
    }

    async fn user_meant(&self, name: &str) -> Result<UserId, Refused> {
        let user = users::named(&self.store, name).await;
        user.map(|user| user.id)
            .map_err(|_| field::wrong("SUBJECT", name, "an address, a network, a user's name or all").into())
    }

    /// The platform's latest bans reach the database within a second; the list does not wait for that.
    async fn not_written_yet(&self, rows: &mut Vec<Value>) -> Result<(), Refused> {
        let Some(house) = self.living() else { return Ok(()) };
        for ban in house.gate.bans().iter().rev() {
            let shown = self.shown_ban(row_of(ban, 0, "platform")).await?;
            if !rows.iter().any(|row| row["scope"] == shown["scope"] && row["subject"] == shown["subject"]) {
                rows.insert(0, shown);
            }
        }
        Ok(())
    }

    async fn shown_ban(&self, row: BanRow) -> Answer {
        let subject = match Scope::read(&row.scope, &row.subject) {
            Some(Scope::UserAt(user, ip)) => match users::get(&self.store, user).await {
                Ok(user) => format!("{}@{ip}", user.terms.name),
                Err(_) => row.subject,
            },
            _ => row.subject,
        };
        Ok(json!({
            "scope": row.scope,
            "subject": subject,
            "reason": row.reason,
            "evidence": row.evidence,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
        }))
    }

    /// How many addresses that trunks or registered users depend on are meant.
    pub(super) fn depended_on(&self, meant: impl Fn(IpAddr) -> bool) -> usize {
        let Some(house) = self.living() else { return 0 };
        house.gate.depended_on().into_iter().filter(|ip| meant(*ip)).count()
    }
}

/// What an admin hears who has cut somebody off; null where nobody is.
pub fn warning(what: &str, hit: usize) -> Value {
    match hit {
        0 => Value::Null,
        1 => format!("warning: this {what} an address that a trunk or registered user depends on").into(),
        hit => format!("warning: this {what} {hit} addresses that trunks or registered users depend on").into(),
    }
}

fn scope_of(subject: &str) -> Option<Scope> {
    let subject = subject.trim();
    let port = subject.parse().ok().map(Scope::Port);
    port.or_else(|| subject.parse().ok().map(Scope::Net)).map(Scope::canonical)
}

fn is_meant(scope: &Scope, subject: &str, user: Option<UserId>) -> bool {
    match (user, scope_of(subject)) {
        (Some(user), _) => matches!(scope, Scope::UserAt(banned, _) if *banned == user),
        (None, None) => true,
        (None, Some(Scope::Ip(ip))) => scope.ip() == Some(ip),
        // A network is lifted with everything in it.
        (None, Some(Scope::Net(net))) => *scope == Scope::Net(net) || scope.ip().is_some_and(|ip| net.has(ip)),
        (None, Some(one)) => *scope == one,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Desk;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_admin_bans_and_lifts_in_both_spellings() {
        let desk = Desk::new().await;
        let subjects = async || -> Vec<String> {
            let list = desk.ask("ban list").await.unwrap();
            list.as_array().unwrap().iter().map(|ban| ban["subject"].as_str().unwrap().to_owned()).collect()
        };
        for (words, told) in [
            ("ban add 192.0.2.1 --for 6h --reason noise", Ok(Value::Null)),
            ("ban add 192.0.2.1:5060", Ok(Value::Null)),
            ("ban add 198.51.100.0/24", Ok(Value::Null)),
            ("ban add 203.0.113.1", Ok(Value::Null)),
            ("ban add here", Err("SUBJECT: \"here\" is not an address, address:port or network")),
            ("ban remove 192.0.2.9", Err("nothing is banned for 192.0.2.9")),
            ("ban remove nobody", Err("SUBJECT: \"nobody\" is not an address, a network, a user's name or all")),
            ("console delbanned", Err("\"delbanned\" is no console word: expected delbanned,IP or delbanned,all")),
            ("console delbanned,192.0.2.1", Ok("2 bans lifted".into())),
        ] {
            assert_eq!(desk.ask(words).await.map_err(|refused| refused.0), told.map_err(str::to_owned), "{words}");
        }
        assert_eq!(subjects().await, ["203.0.113.1", "198.51.100.0/24"]);
        assert_eq!(desk.ask("console DELBANNED,all").await.unwrap(), "2 bans lifted");
        assert!(subjects().await.is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_ban_ends_by_itself() {
        let desk = Desk::new().await;
        desk.ask("ban add 192.0.2.1 --for 6h").await.unwrap();
        let listed = async || desk.ask("ban list").await.unwrap().as_array().unwrap().len();
        desk.ops.clock.advance(Duration::from_secs(6 * 3600 - 1));
        assert_eq!(listed().await, 1);
        desk.ops.clock.advance(Duration::from_secs(1));
        assert_eq!(listed().await, 0);
    }
}
