//! Answers on a terminal: a list becomes a table, an object becomes lines, JSON stays JSON.

use std::io::Write;

use serde_json::{Map, Value};

/// Prints `value`; nothing for null.
pub fn print(value: &Value, json: bool) {
    let text = match (value, json) {
        (Value::Null, _) => return,
        (value, true) => serde_json::to_string_pretty(value).unwrap_or_default() + "\n",
        (value, false) => plain(value),
    };
    // A closed pipe (`| head`) is no error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints a text of our own, line by line as it is.
pub fn text(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn plain(value: &Value) -> String {
    match value {
        Value::Array(rows) if rows.iter().all(Value::is_object) => table(rows),
        Value::Object(fields) => lines(fields),
        Value::String(text) => text.lines().map(|line| cell(&line.into()) + "\n").collect(),
        other => cell(other) + "\n",
    }
}

/// Names that people look for first, in this order; the others follow as they come.
const FIRST: [&str; 22] = [
    "id",
    "name",
    "number",
    "prefix",
    "rule",
    "from",
    "to",
    "user",
    "caller",
    "callee",
    "kind",
    "direction",
    "address",
    "mode",
    "state",
    "status",
    "verdict",
    "cause",
    "started_at",
    "at",
    "amount",
    "balance",
];

fn in_order(fields: &Map<String, Value>) -> Vec<&String> {
    let mut names: Vec<&String> = fields.keys().collect();
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    names
}

fn lines(fields: &Map<String, Value>) -> String {
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for name in in_order(fields) {
        let value = &fields[name];
        match value {
            Value::Array(rows) if !rows.is_empty() && rows.iter().all(Value::is_object) => {
                text += &format!("{name}:\n");
                for line in table(rows).lines() {
                    text += &format!("  {line}\n");
                }
            }
            value => text += &format!("{name:width$}  {}\n", cell(value)),
        }
    }
    text
}

fn table(rows: &[Value]) -> String {
    let Some(Value::Object(first)) = rows.first() else { return String::new() };
    let columns = in_order(first);
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(&row[column.as_str()])).collect()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, name)| cells.iter().map(|row| row[index].chars().count()).max().unwrap_or(0).max(name.len()))
        .collect();
    let line = |fields: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = fields.zip(&widths).map(|(field, width)| format!("{field:width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut columns.iter().map(|name| name.as_str()));
    for row in &cells {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// One value in one line. Control characters (a stranger's display name) are escaped, never obeyed.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text
            .chars()
            .flat_map(|char| if char.is_control() { char.escape_default().collect::<Vec<_>>() } else { vec![char] })
            .collect(),
        Value::Array(values) if values.is_empty() => "-".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_tables_and_objects_are_lines() {
        let rows = json!([{ "name": "anna", "balance": "9.400000" }, { "name": "b", "balance": null }]);
        assert_eq!(plain(&rows), "name  balance\nanna  9.400000\nb     -\n");
        assert_eq!(plain(&json!({ "ok": true, "id": 7 })), "id  7\nok  true\n");
        assert_eq!(plain(&json!("one\n  two")), "one\n  two\n");
    }

    #[test]
    fn a_strangers_text_cannot_move_the_cursor() {
        assert_eq!(cell(&json!("a\u{1b}[2Jb\n")), "a\\u{1b}[2Jb\\n");
    }
}
