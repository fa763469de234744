//! What is suspected: accounts whose calls look like fraud, callers refused for how their calls went; and their release.

use std::net::IpAddr;
use std::sync::Arc;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_guard::caller::{CallerBan, Proven, Subject};
use tollgate_guard::fraud::{BLOCK_AT, Profile, Sign};
use tollgate_store::fraud::{self as stored, Change};
use tollgate_store::users::{self, UserRow};
use tollgate_store::{By, accounts, audit, trunks};
use tollgate_types::{AccountId, Refusal, Rule};

use super::outcome::Refused;
use super::{Answer, Ops};
use crate::watcher::{Release, ban_of, profile_of, row_of};

/// `fraud …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Fraud {
    /// Blocked accounts and refused callers, the latest first
    List,
    /// A user's account as the fraud score sees it
    Show {
        /// The user's name
        name: String,
    },
    /// Take blocks away: of a user's account and calls, of all callers of a trunk, or of an address
    Release {
        /// A user, an ingress trunk, or an address
        name: String,
    },
}

/// Who is to be released.
struct Released {
    account: Option<AccountId>,
    subjects: Vec<Subject>,
}

impl Ops {
    pub(super) async fn fraud(&self, by: &By, fraud: Fraud) -> Answer {
        match fraud {
            Fraud::List => self.list_suspects().await,
            Fraud::Show { name } => self.show_suspicion(&name).await,
            Fraud::Release { name } => self.release(by, &name).await,
        }
    }

    async fn list_suspects(&self) -> Answer {
        let now = self.clock.wall();
        let mut rows = Vec::new();
        for row in stored::blocked(&self.store).await? {
            // What is stored may be a second behind what holds.
            let Some(block) = self.profile(row.account).await?.blocked(now).cloned() else { continue };
            let name = accounts::get(&self.store, row.account).await.map(|account| account.name);
            rows.push((
                block.since,
                json!({
                    "kind": "account",
                    "name": name.unwrap_or_else(|_| row.account.to_string()),
                    "since": block.since,
                    "until": block.until,
                    "reason": block.reason,
                }),
            ));
        }
        for (subject, ban) in self.caller_bans().await? {
            rows.push((
                ban.since,
                json!({
                    "kind": "caller",
                    "name": subject.to_string(),
                    "since": ban.since,
                    "until": ban.until,
                    "reason": format!("{}; usual is {}", ban.observed, ban.limit),
                }),
            ));
        }
        rows.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    async fn show_suspicion(&self, name: &str) -> Answer {
        let user = users::named(&self.store, name).await?;
        let (values, now) = (self.values().await?, self.clock.wall());
        let policy = tollgate_guard::fraud::Policy::of(&values);
        let profile = self.profile(user.account).await?;
        let score = profile.score(None, &policy, now);
        let signs = Sign::ALL
            .iter()
            .zip(score.parts)
            .map(|(sign, part)| json!({ "sign": sign.id(), "points": part.points, "seen": part.seen, "of": part.of }));
        let bans = self.bans_of_user(&user).await?;
        Ok(json!({
            "name": user.terms.name,
            "account": accounts::get(&self.store, user.account).await?.name,
            "score": score.points,
            "text": score.to_string(),
            "alert_at": policy.alert_at,
            "block_at": policy.block_at,
            "recent": profile.recent(),
            "countries": profile.history.lands().iter().map(|land| land.to_string()).collect::<Value>(),
            "blocked_at": profile.blocked(now).map(|block| block.since),
            "blocked_until": profile.blocked(now).and_then(|block| block.until),
            "reason": profile.blocked(now).map(|block| block.reason.clone()),
            "refused_until": bans.first().map(|(_, ban)| ban.until),
            "signs": signs.collect::<Value>(),
        }))
    }

    async fn release(&self, by: &By, name: &str) -> Answer {
        let released = self.to_release(name).await?;
        let row = match self.living() {
            Some(house) => {
                let release = Release { account: released.account, subjects: released.subjects.clone() };
                let row = house.watcher.addr.send(release).await.map_err(Refused::because)?;
                if row.is_none() && released.account.is_some() {
                    return Err(Refused("the watcher met a fault of ours; nothing was released".into()));
                }
                row
            }
            None => match released.account {
                Some(account) => {
                    let mut profile = Profile::clone(&*self.profile(account).await?);
                    profile.release(by.at);
                    Some(row_of(account, &profile))
                }
                None => None,
            },
        };
        let mut changes: Vec<Change> =
            released.subjects.iter().map(|subject| Change::Unban(subject.to_string())).collect();
        changes.extend(row.map(Change::Profile));
        stored::write(&self.store, &changes, by.at).await?;
        audit::record(&self.store, by, "release", "fraud", name).await?;
        Ok(Value::Null)
    }

    /// A name means the user of that name, else the trunk.
    async fn to_release(&self, name: &str) -> Result<Released, Refused> {
        let bans = self.caller_bans().await?;
        let among = |wanted: &dyn Fn(&Subject) -> bool| -> Vec<Subject> {
            bans.iter().map(|(subject, _)| subject).filter(|subject| wanted(subject)).cloned().collect()
        };
        if let Ok(address) = name.parse::<IpAddr>() {
            let subjects = among(&|subject| *subject == Subject::Address(address.to_canonical()));
            if subjects.is_empty() {
                return Err(Refused(format!("{address} is not refused")));
            }
            return Ok(Released { account: None, subjects });
        }
        if let Ok(user) = users::named(&self.store, name).await {
            let (account, now) = (user.account, self.clock.wall());
            let subjects = among(&|subject| is_of(subject, Proven::User(user.id)));
            if subjects.is_empty() && self.profile(account).await?.blocked(now).is_none() {
                return Err(Refused(format!("{name} is not blocked")));
            }
            return Ok(Released { account: Some(account), subjects });
        }
        let known = trunks::list(&self.store).await?;
        let trunk = known.iter().find(|trunk| trunk.terms.name.eq_ignore_ascii_case(name));
        let trunk = trunk.ok_or_else(|| Refused(format!("there is no user, trunk or address {name}")))?;
        let subjects = among(&|subject| is_of(subject, Proven::Trunk(trunk.id)));
        if subjects.is_empty() {
            return Err(Refused(format!("no caller of {name} is refused")));
        }
        Ok(Released { account: None, subjects })
    }

    /// Why a user's calls by carriers are refused, for `user show`.
    pub(super) async fn suspicion_of(&self, user: &UserRow) -> Result<Option<Refusal>, Refused> {
        let (values, now) = (self.values().await?, self.clock.wall());
        if let Some((_, ban)) = self.bans_of_user(user).await?.first() {
            return Ok(Some(Refusal::new(Rule::CallerBanned, ban.setting, &ban.observed, &ban.limit)));
        }
        let Some(block_at) = values.integer_or_off(&BLOCK_AT) else { return Ok(None) };
        let profile = self.profile(user.account).await?;
        let refusal = |reason: &str| Refusal::new(Rule::Fraud, BLOCK_AT.name, reason, block_at);
        Ok(profile.blocked(now).map(|block| refusal(&block.reason)))
    }

    /// What is known of an account: by the Watcher, else by the store.
    pub(super) async fn profile(&self, account: AccountId) -> Result<Arc<Profile>, Refused> {
        if let Some(house) = self.living() {
            return Ok(house.watcher.board.profile(account).unwrap_or_default());
        }
        let row = stored::profile(&self.store, account).await?;
        Ok(Arc::new(row.and_then(profile_of).unwrap_or_default()))
    }

    /// Callers refused now.
    pub(super) async fn caller_bans(&self) -> Result<Vec<(Subject, Arc<CallerBan>)>, Refused> {
        let now = self.clock.wall();
        if let Some(house) = self.living() {
            return Ok(house.watcher.board.bans(now));
        }
        let rows = stored::bans(&self.store, now).await?;
        Ok(rows.into_iter().filter_map(ban_of).map(|(subject, ban)| (subject, Arc::new(ban))).collect())
    }

    async fn bans_of_user(&self, user: &UserRow) -> Result<Vec<(Subject, Arc<CallerBan>)>, Refused> {
        let mut bans = self.caller_bans().await?;
        bans.retain(|(subject, _)| is_of(subject, Proven::User(user.id)));
        Ok(bans)
    }
}

fn is_of(subject: &Subject, proven: Proven) -> bool {
    matches!(subject, Subject::Caller(whose, _) if *whose == proven)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_store::fraud::{BlockRow, CallerBanRow, ProfileRow};

    use super::super::testing::Desk;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_block_is_shown_and_released_without_a_server() {
        let desk = Desk::new().await;
        desk.ask("user add anna --prepaid").await.unwrap();
        desk.ask("trunk add in --ingress --address 192.0.2.9 --auth ip").await.unwrap();
        let user = users::named(&desk.ops.store, "anna").await.unwrap();
        let now = desk.ops.clock.wall();
        assert_eq!(desk.ask("fraud release anna").await.unwrap_err().0, "anna is not blocked");
        assert_eq!(desk.ask("fraud release in").await.unwrap_err().0, "no caller of in is refused");
        assert_eq!(desk.ask("fraud release 192.0.2.1").await.unwrap_err().0, "192.0.2.1 is not refused");
        assert_eq!(desk.ask("fraud release nobody").await.unwrap_err().0, "there is no user, trunk or address nobody");
        let block = BlockRow { since: now, until: None, reason: "110 points".into() };
        let profile = ProfileRow { account: user.account, history: "36 1876;0;;".into(), block: Some(block) };
        let ban = |subject: String| {
            Change::Ban(CallerBanRow {
                subject,
                setting: "fraud.autoban_asr".into(),
                observed: "0 % of 20 calls answered".into(),
                usual: "5 %".into(),
                since: now,
                expires_at: now + Duration::from_secs(3600),
            })
        };
        let changes = [Change::Profile(profile), ban("trunk 1 36301234567".into()), ban("address 192.0.2.1".into())];
        stored::write(&desk.ops.store, &changes, now).await.unwrap();
        assert_eq!(desk.ask("user show anna").await.unwrap()["blocked"]["rule"], "fraud");
        let shown = desk.ask("fraud show anna").await.unwrap();
        assert_eq!((&shown["reason"], &shown["countries"]), (&"110 points".into(), &json!(["+36", "+1876"])));
        assert_eq!(desk.ask("fraud list").await.unwrap().as_array().unwrap().len(), 3);
        for name in ["anna", "192.0.2.1", "in"] {
            desk.ask(&format!("fraud release {name}")).await.unwrap();
        }
        assert!(desk.ask("fraud list").await.unwrap().as_array().unwrap().is_empty());
        assert_eq!(desk.ask("user show anna").await.unwrap()["blocked"]["rule"], "credit");
        let trail = audit::list(&desk.ops.store, Some("fraud"), None, 10).await.unwrap();
        assert_eq!(trail.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["release"; 3]);
    }
}
