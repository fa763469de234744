//! A row in words: for `config describe`, for error lines and for the reference page.

use std::fmt::Write;

use crate::row::{Effect, Kind, Literal, Row};
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
        Kind::Word([only]) => (*only).to_owned(),
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
    if !row.because.is_empty() {
        line("because", row.because);
    }
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

/// The reference page: every setting in a table for each group, in Markdown.
pub fn reference(rows: &[&'static Row]) -> String {
    let mut text = String::new();
    let mut group = "";
    let cell = |literal: Option<Literal>, row: &Row| {
        literal.map_or_else(String::new, |literal| format!("`{}`", Value::from(literal).print(row)))
    };
    for row in rows {
        if row.group() != group {
            group = row.group();
            let _ = writeln!(
                text,
                "\n## {group}\n\n| Setting | Default | Hardened | Expects | What it does |\n|---|---|---|---|---|"
            );
        }
        let formerly: Vec<_> = row.aliases.iter().map(|alias| format!("`{}`", alias.name)).collect();
        let formerly = if formerly.is_empty() { String::new() } else { format!(" Formerly {}.", formerly.join(", ")) };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {}{formerly} |",
            row.name,
            cell(Some(row.default), row),
            cell(row.hardened, row),
            expects(row),
            row.help,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::registry::Registry;
    use crate::row::Row;
    use crate::rows;
    use crate::value::Value;

    #[test]
    fn the_reference_has_every_row_once() {
        let registry = Registry::new(&[rows::sip::ROWS, rows::media::ROWS]);
        let text = super::reference(registry.rows());
        for row in registry.rows() {
            assert_eq!(text.matches(&format!("| `{}` |", row.name)).count(), 1, "{}", row.name);
        }
        assert!(text.contains("Formerly `checkrtpaddr`."));
    }

    #[test]
    fn json_has_seconds_decimals_and_null() {
        static COST: Row = Row::money("x.cost", 0).may_be_off().help("test");
        static NAMES: Row = Row::list("x.names", &[], 9, crate::row::Entry::ANY).help("test");
        for (row, text, json) in [
            (&rows::sip::T1_MS, "500", "500"),
            (&rows::sip::KEEPALIVE, "1m", "60"),
            (&rows::sip::KEEPALIVE, "off", "null"),
            (&rows::sip::KEEPALIVE, "30s500ms", "\"30s500ms\""),
            (&rows::media::SOURCE, "strict", "\"strict\""),
            (&rows::call::ANONYMOUS, "no", "false"),
            (&COST, "9.4", "\"9.400000\""),
            (&NAMES, "a,b", "[\"a\",\"b\"]"),
        ] {
            let value = Value::parse(row, text).unwrap();
            assert_eq!(serde_json::to_string(&value.json(row)).unwrap(), json);
        }
    }
}
