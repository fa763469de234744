//! Settings: what operators tune while the platform runs.

use std::time::Duration;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_settings::{Profile, Row, Values, describe};
use tollgate_store::{By, limits, marks, settings};

use super::outcome::Refused;
use super::{Answer, Ops};
use crate::alerter::{Raise, Severity};
use crate::snapshots::{PROFILE_MARK, PROFILE_UNTIL_MARK};

/// A profile that takes protections away, for a test and no longer.
const NEEDS_FORCE: Profile = Profile::Loadtest;
const FORCED_FOR: Duration = Duration::from_secs(24 * 3600);

/// `config …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Config {
    /// All settings with value and default
    List,
    /// One setting
    Get {
        /// Its name, or the guide's name for it
        name: String,
    },
    /// Change one; prints what was stored where that differs from what was typed
    Set {
        /// Its name, or the guide's name for it
        name: String,
        /// The value
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Back to the default
    Unset {
        /// Its name, or the guide's name for it
        name: String,
    },
    /// What a setting does, its unit, range and names
    Describe {
        /// Its name, or the guide's name for it
        name: String,
    },
    /// Set all settings to a profile: default, hardened or loadtest
    Profile {
        /// The profile's name
        profile: String,
        /// Also where the profile is dangerous
        #[arg(long)]
        #[serde(default)]
        force: bool,
    },
}

impl Ops {
    pub(super) async fn config(&self, by: &By, config: Config) -> Answer {
        match config {
            Config::List => {
                let values = self.values().await?;
                Ok(self.registry.rows().iter().map(|row| shown(row, &values)).collect())
            }
            Config::Get { name } => {
                let row = self.registry.find(&name).map_err(Refused::because)?;
                Ok(shown(row, &self.values().await?))
            }
            Config::Set { name, value } => self.set_setting(by, &name, &value).await,
            Config::Unset { name } => {
                let row = self.unpinned(&name).await?;
                settings::unset(&self.store, by, row.name).await?;
                self.settings_changed().await?;
                Ok(Value::Null)
            }
            Config::Describe { name } => {
                let row = self.registry.find(&name).map_err(Refused::because)?;
                Ok(Value::String(describe::describe(row, &self.values().await?.get(row)).trim_end().to_owned()))
            }
            Config::Profile { profile, force } => self.choose_profile(by, &profile, force).await,
        }
    }

    async fn set_setting(&self, by: &By, name: &str, text: &str) -> Answer {
        let (row, value) = self.registry.parse(name, text).map_err(Refused::because)?;
        self.unpinned(name).await?;
        let stored = value.print(row);
        settings::set(&self.store, by, row.name, &stored).await?;
        self.settings_changed().await?;
        let is_as_typed = row.name.eq_ignore_ascii_case(name.trim()) && stored == text.trim();
        Ok(if is_as_typed { Value::Null } else { Value::String(format!("{} = {stored}", row.name)) })
    }

    async fn choose_profile(&self, by: &By, name: &str, force: bool) -> Answer {
        let profile: Profile = name.parse().map_err(Refused::because)?;
        if profile == NEEDS_FORCE && !force {
            return Err(Refused(format!("profile {name} takes protections away: say --force if that is meant")));
        }
        if profile == NEEDS_FORCE {
            let until = self.clock.wall() + FORCED_FOR;
            marks::set(&self.store, PROFILE_UNTIL_MARK, &until.micros().to_string()).await?;
        }
        settings::choose_profile(&self.store, by, PROFILE_MARK, profile.name()).await?;
        self.settings_changed().await?;
        if profile == NEEDS_FORCE {
            self.tell_loadtest(Severity::Warning, "protections are off for a load test, for 24 hours at most");
        }
        Ok(Value::Null)
    }

    /// The profile `loadtest` ends by itself, and as long as it holds somebody is told; asked now and then.
    pub async fn watch_loadtest(&self) -> Result<(), Refused> {
        let chosen = marks::get(&self.store, PROFILE_MARK).await?;
        if chosen.as_deref() != Some(NEEDS_FORCE.name()) {
            return Ok(());
        }
        if self.snapshots.profile().await? == NEEDS_FORCE {
            self.tell_loadtest(Severity::Warning, "protections are still off for a load test");
            return Ok(());
        }
        let by = By { who: "platform".into(), at: self.clock.wall() };
        settings::choose_profile(&self.store, &by, PROFILE_MARK, Profile::Default.name()).await?;
        self.settings_changed().await?;
        self.tell_loadtest(Severity::Notice, "the load test's 24 hours are over; the default profile holds again");
        Ok(())
    }

    fn tell_loadtest(&self, severity: Severity, text: &str) {
        if let Some(house) = &self.house {
            let kind = if severity == Severity::Notice { "protections_on" } else { "protections_off" };
            let raise = Raise { kind, severity, subject: NEEDS_FORCE.name().into(), text: text.into() };
            let _ = house.alerter.try_send(raise);
        }
    }

    /// A setting that the configuration file leaves to operators.
    async fn unpinned(&self, name: &str) -> Result<&'static Row, Refused> {
        let row = self.registry.find(name).map_err(Refused::because)?;
        if self.values().await?.is_pinned(row) {
            return Err(Refused(format!("{} is pinned in the configuration file, section [policy]", row.name)));
        }
        Ok(row)
    }

    /// Settings changed, here or on another node.
    pub async fn settings_changed(&self) -> Result<(), Refused> {
        if let Some(house) = &self.house {
            return Ok(self.snapshots.refresh_settings(house).await?);
        }
        // A server does this by itself; the next one finds what addresses used counted by these settings.
        let rules = self.rules().await?;
        if rules.policy.ip.is_on() {
            limits::recount_addresses(&self.store, &rules).await?;
        }
        Ok(())
    }
}

/// A setting as `get` and `list` show it.
fn shown(row: &'static Row, values: &Values) -> Value {
    let (value, default) = (values.get(row), row.default_value());
    let hardened = row.hardened.map(tollgate_settings::Value::from);
    json!({
        "name": row.name,
        "value": json!(value.json(row)),
        "default": json!(default.json(row)),
        "hardened": hardened.as_ref().map(|value| json!(value.json(row))),
        "pinned": values.is_pinned(row),
        "aliases": row.aliases.iter().map(|alias| alias.name).collect::<Vec<_>>(),
        "group": row.group(),
        "help": row.help,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Desk;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_load_test_ends_by_itself() {
        let desk = Desk::new().await;
        let lines = async || desk.ask("config get lines.enduser").await.unwrap()["value"].clone();
        desk.ask("config profile loadtest --force").await.unwrap();
        desk.ops.watch_loadtest().await.unwrap();
        assert!(lines().await.is_null());
        desk.ops.clock.advance(FORCED_FOR);
        assert_eq!(lines().await, 5, "it is over even before anybody says so");
        desk.ops.watch_loadtest().await.unwrap();
        assert_eq!(marks::get(&desk.ops.store, PROFILE_MARK).await.unwrap().as_deref(), Some("default"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_stored_is_told_where_it_differs_and_pins_hold() {
        let desk = Desk::with_pins(&[("digest.algorithms", "sha")]).await;
        //  command, what is told
        for (words, told) in [
            ("config set credit.min_talk 20s", Ok(Value::Null)),
            ("config set CREDIT.MIN_TALK 30", Ok("credit.min_talk = 30s".into())),
            ("config set maxdyndailycredit_multiplier 4", Ok("credit.dynamic.multiplier = 4".into())),
            (
                "config set digest.algorithms both",
                Err("digest.algorithms is pinned in the configuration file, section [policy]"),
            ),
            (
                "config unset digest.algorithms",
                Err("digest.algorithms is pinned in the configuration file, section [policy]"),
            ),
            ("config profile loadtest", Err("profile loadtest takes protections away: say --force if that is meant")),
            ("config profile hardened", Ok(Value::Null)),
        ] {
            assert_eq!(desk.ask(words).await.map_err(|refused| refused.0), told.map_err(str::to_owned), "{words}");
        }
        let got = desk.ask("config get minpwdlength").await.unwrap();
        assert_eq!(
            (&got["name"], &got["value"], &got["default"]),
            (&json!("digest.password_min"), &json!(16), &json!(12))
        );
        assert!(desk.ask("config list").await.unwrap().as_array().unwrap().len() > 20);
        assert!(
            desk.ask("config set credit.min_talk soon")
                .await
                .unwrap_err()
                .0
                .starts_with("credit.min_talk = \"soon\": expected")
        );
        desk.ask("config unset credit.min_talk").await.unwrap();
        assert_eq!(desk.ask("config get credit.min_talk").await.unwrap()["value"], 10);
    }
}
