//! A row in words: for `config describe`, for error lines and for the reference page.

use std::fmt::Write;

use crate::row::{Effect, Kind, Row};
use crate::span;
use crate::value::{Multiplier, Value};

/// What a native value must look like: "a whole number of calls from 1 to 100, or off".
pub fn expects(row: &Row) -> String {
    let mut words = match row.kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Integer { .. } if row.unit.is_empty() => "a whole number".to_owned(),
        Kind::Integer { .. } => format!("a whole number of {}", row.unit),
        Kind::Duration { .. } if row.counts_millis() => "a whole number of milliseconds".to_owned(),
        Kind::Duration { .. } => "a duration such as 30s, 5m or 1d".to_owned(),
        Kind::Money => "an amount such as 12.50, not below 0".to_owned(),
        Kind::Multiplier { .. } => "a decimal factor such as 1.5".to_owned(),
        Kind::Word(words) => format!("one of {}", words.join(", ")),
        Kind::List { most, entry } => format!("{} with commas between, at most {most}", entry.expected),
        Kind::Text { most } => format!("one line of text of at most {most} bytes"),
    };
    words += &range(row);
    if row.may_be_off {
        words += ", or off";
    }
    words
}

/// " from 1s to 10m", or nothing where the kind has no range.
pub(crate) fn range(row: &Row) -> String {
    match row.kind {
        Kind::Integer { least, most: i64::MAX } => format!(", at least {least}"),
        Kind::Integer { least, most } => format!(" from {least} to {most}"),
        Kind::Duration { least, most } if row.counts_millis() => {
            format!(" from {} to {}", least.as_millis(), most.as_millis())
        }
        Kind::Duration { least, most } => format!(" from {} to {}", span::print(least), span::print(most)),
        Kind::Multiplier { least, most } => format!(" from {} to {}", Multiplier(least), Multiplier(most)),
        _ => String::new(),
    }
}

/// Everything about a row, a few lines.
pub fn describe(row: &Row, current: &Value) -> String {
    let mut text = format!("{}\n  {}\n", row.name, row.help);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    line("value", &current.print(row));
    line("default", &row.default_value().print(row));
    for (profile, literal) in [("hardened", row.hardened), ("loadtest", row.loadtest)] {
        if let Some(literal) = literal {
            line(profile, &Value::from(literal).print(row));
        }
    }
    line("expects", &expects(row));
    line(
        "effect",
        match row.effect {
            Effect::Live => "at once, on every node",
            Effect::Restart => "at the next start",
        },
    );
    for alias in row.aliases {
        line("formerly", &format!("{} ({})", alias.name, alias.expects(row)));
    }
    text
}
