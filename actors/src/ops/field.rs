//! What operators write, read with the argument's name in every complaint.

use std::fmt::Display;
use std::str::FromStr;

use tollgate_billing::calendar::{Day, Zone};
use tollgate_types::{Money, Rate, Wall};

use super::outcome::Refused;

/// A value that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field by its JSON name; in capitals where it is no option but an argument.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: String,
}

/// What reading a field comes to.
pub type Read<T> = Result<T, Misfit>;

impl Misfit {
    /// `field` is wrong because of `what`.
    pub fn new(field: &'static str, what: impl Display) -> Misfit {
        Misfit { field, what: what.to_string() }
    }
}

impl From<Misfit> for Refused {
    fn from(misfit: Misfit) -> Refused {
        let Misfit { field, what } = misfit;
        if field.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Refused(format!("{field}: {what}"));
        }
        Refused(format!("--{}: {what}", field.replace('_', "-")))
    }
}

/// A value whose own words say what is expected.
pub fn read<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Read<T> {
    text.trim().parse().map_err(|error| Misfit::new(field, error))
}

/// A value whose type has no words of its own.
pub fn read_as<T: FromStr>(field: &'static str, text: &str, expected: &str) -> Read<T> {
    text.trim().parse().map_err(|_| wrong(field, text, expected))
}

/// `"text" is not what is expected`.
pub fn wrong(field: &'static str, text: &str, expected: &str) -> Misfit {
    let shown: String = text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect();
    Misfit { field, what: format!("{shown:?} is not {expected}") }
}

/// A limit whose class may have one as well: `unlimited` is `most`, which stands above it; `inherit` leaves it to the class.
pub fn limit_over<T>(text: &str, most: T, read: impl FnOnce(&str) -> Read<T>) -> Read<Option<T>> {
    match text.trim().eq_ignore_ascii_case("unlimited") {
        true => Ok(Some(most)),
        false => limit(text, read),
    }
}

/// A limit that `unlimited` takes away.
pub fn limit<T>(text: &str, read: impl FnOnce(&str) -> Read<T>) -> Read<Option<T>> {
    if means_none(text) { Ok(None) } else { read(text).map(Some) }
}

/// Does it take a value away?
pub fn means_none(text: &str) -> bool {
    ["unlimited", "inherit", "none", ""].iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}

/// An amount, either sign.
pub fn amount(field: &'static str, text: &str) -> Read<Money> {
    read_as(field, text, "an amount such as 10.00")
}

/// An amount that is a limit: nothing or more.
pub fn limit_amount(field: &'static str, text: &str) -> Read<Money> {
    let expected = "an amount such as 10.00, or unlimited";
    let money: Money = read_as(field, text, expected)?;
    if money.is_negative() { Err(wrong(field, text, expected)) } else { Ok(money) }
}

/// A price per minute that is a limit.
pub fn limit_rate(field: &'static str, text: &str) -> Read<Rate> {
    let expected = "an amount per minute such as 0.50, or unlimited";
    let rate: Rate = read_as(field, text, expected)?;
    if rate < Rate::ZERO { Err(wrong(field, text, expected)) } else { Ok(rate) }
}

/// A count that is a limit.
pub fn limit_count(field: &'static str, text: &str) -> Read<u32> {
    read_as(field, text, "a whole number from 0 on, or unlimited")
}

/// A length of time that is a limit: whole seconds, or `90m`, `2h`.
pub fn limit_seconds(field: &'static str, text: &str) -> Read<u64> {
    let expected = "a whole number of seconds, 90m or 2h, or unlimited";
    let text = text.trim();
    let (digits, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b'h') => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    let count: u64 = digits.parse().map_err(|_| wrong(field, text, expected))?;
    count
        .checked_mul(unit)
        .filter(|seconds| i64::try_from(*seconds).is_ok())
        .ok_or_else(|| wrong(field, text, expected))
}

/// A switch.
pub fn yes_or_no(field: &'static str, text: &str) -> Read<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "on" => Ok(true),
        "false" | "no" | "0" | "off" => Ok(false),
        _ => Err(wrong(field, text, "true or false")),
    }
}

/// A time: RFC 3339, or a date, which begins at midnight UTC.
pub fn time(field: &'static str, text: &str) -> Read<Wall> {
    if let Ok(day) = text.trim().parse::<Day>() {
        return Ok(Zone::UTC.start_of(day));
    }
    let quoted = serde_json::Value::from(text.trim());
    serde_json::from_value(quoted).map_err(|_| wrong(field, text, "a time such as 2026-03-01T08:00:00Z, or a date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_the_argument_and_what_is_expected() {
        let said = |misfit: Misfit| Refused::from(misfit).0;
        //  what was written, what is said
        for (refused, words) in [
            (amount("AMOUNT", "ten").map(drop), "AMOUNT: \"ten\" is not an amount such as 10.00"),
            (
                limit_amount("daily_limit", "-1").map(drop),
                "--daily-limit: \"-1\" is not an amount such as 10.00, or unlimited",
            ),
            (
                limit_count("max_lines", "x").map(drop),
                "--max-lines: \"x\" is not a whole number from 0 on, or unlimited",
            ),
            (
                read::<Zone>("timezone", "Mars").map(drop),
                "--timezone: \"Mars\" is not a time zone such as Europe/Budapest or UTC",
            ),
            (
                time("since", "soon").map(drop),
                "--since: \"soon\" is not a time such as 2026-03-01T08:00:00Z, or a date",
            ),
        ] {
            assert_eq!(said(refused.unwrap_err()), words);
        }
    }

    #[test]
    fn limits_seconds_and_times_are_read() {
        assert_eq!(limit("unlimited", |text| limit_count("x", text)), Ok(None));
        assert_eq!(limit_over("unlimited", 9, |text| limit_count("x", text)), Ok(Some(9)));
        assert_eq!(limit_over("inherit", 9, |text| limit_count("x", text)), Ok(None));
        assert_eq!(limit("7", |text| limit_count("x", text)), Ok(Some(7)));
        for (text, seconds) in [("90", 90), ("90s", 90), ("2m", 120), ("1h", 3600)] {
            assert_eq!(limit_seconds("x", text), Ok(seconds));
        }
        assert!(limit_seconds("x", "-1").is_err() && limit_seconds("x", "99999999999999999h").is_err());
        assert_eq!(time("x", "1970-01-02"), Ok(Wall::from_secs(86_400)));
        assert_eq!(time("x", "1970-01-02T01:00:00+01:00"), Ok(Wall::from_secs(86_400)));
    }
}
