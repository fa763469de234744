//! What the settings mean to the gate: read once per change, so that no packet looks anything up.

use std::sync::Arc;
use std::time::Duration;

use tollgate_settings::{Row, Values};
use tollgate_types::Net;

use crate::agents::Agents;
use crate::level::Level;
use crate::rows;
use crate::sources::{CLASSES, Class, Limit, Limits};

/// How long newcomers count (the guide's 90 seconds).
const NEWCOMERS_WITHIN: Duration = Duration::from_secs(90);
/// How many times as much everybody together may do as one address.
const TOGETHER: u64 = 10;
/// Users who may all come back in one window, each asked once or twice.
const CHALLENGES_A_USER: u64 = 2;

/// The gate's numbers.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How much the gate does.
    pub level: Level,
    /// The only ones heard, when not empty.
    pub whitelist: Arc<[Net]>,
    /// Per address and class of event.
    pub limits: Limits,
    /// Wrong credentials in a row.
    pub streak: Streak,
    /// Wrong credentials per address and port.
    pub per_port: Option<u32>,
    /// The window of wrong credentials.
    pub auth_within: Duration,
    /// The first ban.
    pub ban_for: Duration,
    /// Different names probed.
    pub scan: Option<u32>,
    /// Challenges a second to an unverified UDP source.
    pub challenges_per_second: u32,
    /// Messages a second from a stranger at level 4.
    pub stranger_messages_per_second: u32,
    /// At the transport (`allowua`, `blockua`).
    pub agents: Agents,
    /// After identification by address alone (`alloweua`, `blockeua`).
    pub unproven_agents: Agents,
}

/// When wrong credentials in a row are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streak {
    /// Never.
    Off,
    /// At this many.
    At(u32),
    /// At 300, 150 or 60, as the platform is loaded below 50 %, below 80 % or above, for each device registered there.
    Auto,
}

impl Streak {
    /// How many are too many from an address with so many devices, on a platform loaded so many per cent.
    pub fn limit(self, load_percent: u32, devices: u32) -> Option<u32> {
        match self {
            Streak::Off => None,
            Streak::At(limit) => Some(limit),
            Streak::Auto => {
                let each: u32 = match load_percent {
                    0..50 => 300,
                    50..80 => 150,
                    _ => 60,
                };
                Some(each.saturating_mul(devices.max(1)))
            }
        }
    }
}

impl Policy {
    /// As the settings have it.
    pub fn of(values: &Values) -> Policy {
        let count =
            |row: &'static Row| values.integer_or_off(row).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let auth_within = values.duration(&rows::AUTH_WITHIN);
        let mut limits = [Limit { most: None, within: auth_within }; CLASSES];
        limits[Class::Message as usize] =
            Limit { most: count(&rows::MESSAGES), within: values.duration(&rows::MESSAGES_WITHIN) };
        limits[Class::Wrong as usize] =
            Limit { most: count(&rows::WRONG_MESSAGES), within: values.duration(&rows::WRONG_MESSAGES_WITHIN) };
        limits[Class::Unanswered as usize].most = count(&rows::UNANSWERED);
        limits[Class::WrongAuth as usize].most = count(&rows::WRONG_AUTH_PER_IP);
        limits[Class::Newcomer as usize] = Limit { most: count(&rows::NEWCOMERS), within: NEWCOMERS_WITHIN };
        Policy {
            level: Level::of(values.integer(&rows::LEVEL)),
            whitelist: values.list(&rows::WHITELIST).iter().filter_map(|net| net.parse().ok()).collect(),
            limits: Limits(limits),
            streak: match values.integer_or_off(&rows::AUTH_STREAK) {
                None => Streak::Off,
                Some(-1) => Streak::Auto,
                Some(most) => Streak::At(u32::try_from(most).unwrap_or(u32::MAX).max(1)),
            },
            per_port: count(&rows::WRONG_AUTH_PER_PORT),
            auth_within,
            ban_for: values.duration(&rows::BAN_FOR),
            scan: count(&rows::SCAN),
            challenges_per_second: count(&rows::CHALLENGES_PER_SECOND).unwrap_or(u32::MAX),
            stranger_messages_per_second: count(&rows::STRANGER_MESSAGES_PER_SECOND).unwrap_or(u32::MAX),
            agents: Agents::new(values.list(&rows::ALLOW_AGENTS), values.list(&rows::BLOCK_AGENTS)),
            unproven_agents: Agents::new(
                values.list(&rows::ALLOW_UNPROVEN_AGENTS),
                values.list(&rows::BLOCK_UNPROVEN_AGENTS),
            ),
        }
    }

    /// How many newcomers from everywhere within 90 s are an attack, on a platform with so many users.
    pub fn attack_at(&self, users: u64) -> Option<u64> {
        let one = self.limits.of(Class::Newcomer).most?;
        Some((u64::from(one) * TOGETHER).max(users.saturating_mul(CHALLENGES_A_USER)))
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::of(&Values::default())
    }
}

#[cfg(test)]
mod tests {
    use tollgate_settings::{Registry, Value};

    use super::*;

    #[test]
    fn the_guides_numbers_are_the_defaults() {
        let policy = Policy::default();
        let limit = |class| policy.limits.of(class);
        for (class, most, seconds) in [
            (Class::Message, 39_000, 180),
            (Class::Wrong, 4000, 3600),
            (Class::Unanswered, 2500, 3600),
            (Class::WrongAuth, 800, 3600),
            (Class::Newcomer, 300, 90),
        ] {
            assert_eq!((limit(class).most, limit(class).within.as_secs()), (Some(most), seconds), "{class:?}");
        }
        assert_eq!((policy.per_port, policy.scan, policy.ban_for.as_secs()), (Some(50), Some(30), 6 * 3600));
        assert_eq!(policy.streak, Streak::Auto);
    }

    #[test]
    fn a_row_of_calls_without_success_asks_more_of_a_loaded_platform() {
        //  setting, load %, devices, limit
        for (streak, load, devices, limit) in [
            (Streak::Auto, 0, 0, Some(300)),
            (Streak::Auto, 49, 1, Some(300)),
            (Streak::Auto, 50, 1, Some(150)),
            (Streak::Auto, 79, 2, Some(300)),
            (Streak::Auto, 80, 1, Some(60)),
            (Streak::Auto, 100, 50, Some(3000)),
            (Streak::At(10), 0, 50, Some(10)),
            (Streak::Off, 100, 0, None),
        ] {
            assert_eq!(streak.limit(load, devices), limit, "{streak:?} at {load} % with {devices}");
        }
    }

    #[test]
    fn an_attack_is_ten_times_one_address_or_twice_the_users() {
        let registry = Registry::new(&[rows::ROWS]);
        for (setting, users, at) in
            [(Some(300), 0, Some(3000)), (Some(300), 5000, Some(10_000)), (Some(10), 5, Some(100)), (None, 5, None)]
        {
            let value = setting.map_or(Value::Off, Value::Integer);
            let policy = Policy::of(&registry.defaults().with(&rows::NEWCOMERS, value));
            assert_eq!(policy.attack_at(users), at, "{setting:?} with {users}");
        }
    }

    #[test]
    fn the_guides_names_carry_the_guides_units() {
        let registry = Registry::new(&[rows::ROWS]);
        //  as typed, what is stored
        for (name, text, stored) in [
            ("MAXSUBSMSCOUNT", "100", "guard.messages = 100"),
            ("maxsubsmscperiod", "3", "guard.messages_within = 3m"),
            ("MAXWRONGMSGALLOWED", "0", "guard.wrong_messages = off"),
            ("MAXWRONGMSGPERIOD", "1", "guard.wrong_messages_within = 1h"),
            ("maxsubsipauthrequest", "-1", "guard.auth_streak = -1"),
            ("maxsubsipauthrequest", "0", "guard.auth_streak = off"),
            ("MAXWRONGAUTHFROMIP", "25", "guard.unanswered = 25"),
            ("MAXSUBFAILAUTHPERIOD", "2", "guard.auth_within = 2h"),
            ("MAXFAILEDAUTHENABLEDIPPORT", "50", "guard.wrong_auth_per_port = 50"),
            ("MAXFAILEDAUTHENABLEDIP", "800", "guard.wrong_auth_per_ip = 800"),
            ("REENABLEDOSBLOCKED", "6", "guard.ban_for = 6h"),
            ("fastauthsubswrongusermsg", "10", "guard.newcomers = 10"),
            ("blockscanning_treshold", "0", "guard.scan = off"),
            ("blockscanning_threshold", "10", "guard.scan = 10"),
            ("enablefirewall", "5", "guard.level = 5"),
            ("sip_whitelist", "192.0.2.1, 198.51.100.0/24", "guard.whitelist = 192.0.2.1,198.51.100.0/24"),
            ("allowua", "Acme", "guard.allow_agents = Acme"),
            ("blockua", "abc", "guard.block_agents = abc"),
            ("alloweua", "Mizu", "guard.allow_unproven_agents = Mizu"),
            ("blockeua", "Foo", "guard.block_unproven_agents = Foo"),
        ] {
            let (row, value) = registry.parse(name, text).unwrap();
            assert_eq!(format!("{} = {}", row.name, value.print(row)), stored, "{name} {text}");
        }
        for (name, text) in [("sip_whitelist", "carrier.test"), ("enablefirewall", "6"), ("MAXSUBSMSCPERIOD", "0")] {
            assert!(registry.parse(name, text).is_err(), "{name} {text}");
        }
    }
}
