//! The settings: how much, in which period, and whose calls are counted.

use std::time::Duration;

use tollgate_settings::row::Entry;
use tollgate_settings::{Alias, Row, Values};
use tollgate_types::Money;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Every row of this file.
pub static ROWS: &[&Row] = &[&CALLS_MAX, &SECONDS_MAX, &COST_MAX, &PERIOD, &SCOPE];

/// See [`IpLimits::calls_max`].
pub static CALLS_MAX: Row = Row::integer("ip.calls_max", 0, 0, 1_000_000_000, "calls")
    .off_by_default()
    .aliases(&[Alias::same("maxcallperip").off_at(&[0, -1])])
    .help("Calls from one address within ip.period, answered or not; refused ones do not count.");

/// See [`IpLimits::seconds_max`].
pub static SECONDS_MAX: Row = Row::integer("ip.seconds_max", 0, 0, 1_000_000_000, "seconds")
    .off_by_default()
    .aliases(&[Alias::same("maxdurationperip").off_at(&[0, -1])])
    .help("Seconds of talk from one address within ip.period; running calls are not cut by it.");

/// See [`IpLimits::cost_max`].
pub static COST_MAX: Row = Row::money("ip.cost_max", 0)
    .off_by_default()
    .aliases(&[Alias::same("maxcostperip").off_at(&[0, -1])])
    .help("Spend of calls from one address within ip.period, whoever pays; a running call ends where it is reached.");

/// See [`IpLimits::period`].
pub static PERIOD: Row = Row::duration("ip.period", DAY, MINUTE, Duration::from_secs(366 * 86_400))
    .aliases(&[Alias::days("maxcallperperiod")])
    .help("The rolling period of ip.calls_max, ip.seconds_max and ip.cost_max.");

const NAMES: Entry = Entry { fits: is_scope, expected: "names such as user:anna or account:acme" };

/// Whose calls are counted and refused.
pub static SCOPE: Row =
    Row::list("ip.scope", &[], 64, NAMES).may_be_off().aliases(&[Alias::same("maxcallperuserid").off_at(&[-1])]).help(
        "Whose calls the limits of an address count and refuse: user:NAME, account:NAME; empty or off = everybody's.",
    );

/// The limits of one source address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpLimits {
    /// Calls granted within the period.
    pub calls_max: Option<u64>,
    /// Seconds of talk within the period.
    pub seconds_max: Option<u64>,
    /// Spend within the period, in the platform's currency; held money counts as spent.
    pub cost_max: Option<Money>,
    /// Rolling.
    pub period: Duration,
    /// Whose calls.
    pub scope: Concerns,
}

/// Whose calls a limit concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerns {
    names: Vec<String>,
}

impl IpLimits {
    /// The settings as they are now.
    pub fn read(values: &Values) -> IpLimits {
        let count = |row| values.integer_or_off(row).and_then(|count| u64::try_from(count).ok());
        IpLimits {
            calls_max: count(&CALLS_MAX),
            seconds_max: count(&SECONDS_MAX),
            cost_max: values.money_or_off(&COST_MAX),
            period: values.duration(&PERIOD),
            scope: Concerns::read(values),
        }
    }

    /// Is anything limited? Nothing is counted while not.
    pub fn is_on(&self) -> bool {
        self.calls_max.is_some() || self.seconds_max.is_some() || self.cost_max.is_some()
    }
}

impl Default for IpLimits {
    fn default() -> IpLimits {
        IpLimits { calls_max: None, seconds_max: None, cost_max: None, period: DAY, scope: Concerns::default() }
    }
}

impl Concerns {
    /// As the setting says.
    pub fn read(values: &Values) -> Concerns {
        Concerns { names: values.list(&SCOPE).iter().map(|name| name.to_lowercase()).collect() }
    }

    /// Is it everybody?
    pub fn is_everybody(&self) -> bool {
        self.names.is_empty()
    }

    /// Does it concern a call of `user`, paid by `account`? By their names; case means nothing.
    pub fn includes(&self, user: Option<&str>, account: Option<&str>) -> bool {
        let named = |name: &str| match name.split_once(':') {
            Some(("account", name)) => account.is_some_and(|own| own.eq_ignore_ascii_case(name)),
            Some((_, name)) => user.is_some_and(|own| own.eq_ignore_ascii_case(name)),
            None => user.is_some_and(|own| own.eq_ignore_ascii_case(name)),
        };
        self.names.is_empty() || self.names.iter().any(|name| named(name))
    }
}

fn is_scope(text: &str) -> bool {
    let name = text.split_once(':').map_or(text, |(kind, name)| match kind {
        "user" | "account" => name,
        _ => "",
    });
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use tollgate_settings::Registry;

    use super::*;

    #[test]
    fn the_guides_names_carry_the_guides_units() {
        let registry = Registry::new(&[ROWS]);
        //  the guide's name, value, ours, stored
        for (name, text, row, stored) in [
            ("MaxCallPerIP", "3", "ip.calls_max", "3"),
            ("maxcallperip", "0", "ip.calls_max", "off"),
            ("maxdurationperip", "60", "ip.seconds_max", "60"),
            ("maxcostperip", "1.5", "ip.cost_max", "1.500000"),
            ("maxcostperip", "-1", "ip.cost_max", "off"),
            ("maxcallperperiod", "1.0", "ip.period", "1d"),
            ("maxcallperperiod", "0.5", "ip.period", "12h"),
            ("maxcallperuserid", "-1", "ip.scope", "off"),
            ("maxcallperuserid", "anna", "ip.scope", "anna"),
            ("ip.scope", "user:anna,account:acme", "ip.scope", "user:anna,account:acme"),
        ] {
            let (found, value) = registry.parse(name, text).unwrap();
            assert_eq!((found.name, value.print(found).as_str()), (row, stored), "{name}");
        }
        for text in ["group:a", "user:", "a b"] {
            assert!(registry.parse("ip.scope", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_scope_names_users_and_accounts() {
        let scope = |names: &[&str]| Concerns { names: names.iter().map(|name| (*name).to_owned()).collect() };
        //  scope, user, account, concerned
        for (names, user, account, concerned) in [
            (&[][..], None, None, true),
            (&["anna"], Some("Anna"), Some("acme"), true),
            (&["user:anna"], Some("bob"), Some("anna"), false),
            (&["account:acme"], Some("bob"), Some("ACME"), true),
            (&["account:acme"], None, None, false),
            (&["user:anna", "account:acme"], Some("bob"), Some("acme"), true),
        ] {
            assert_eq!(scope(names).includes(user, account), concerned, "{names:?} {user:?} {account:?}");
        }
    }
}
