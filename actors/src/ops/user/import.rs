//! Users from a CSV file, all or none: `name,password,mode,credit,deck,max_lines` and any option's name.

use serde_json::{Value, json};
use tollgate_store::{By, users};

use super::super::deck::Text;
use super::super::field::{Misfit, wrong};
use super::super::outcome::{ProgressSink, Refused};
use super::super::{Answer, Ops};
use super::{Add, Terms};

/// Columns that are no option's name.
const OWN: [&str; 5] = ["name", "password", "mode", "credit", "account"];
/// More than this nobody imports at once: it is one transaction.
const MOST: usize = 50_000;

impl Ops {
    pub(super) async fn import_users(&self, by: &By, csv: &Text, progress: &ProgressSink) -> Answer {
        let adds = read(csv)?;
        let total = adds.len() as u64;
        let (mut all, mut openings, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for (done, (line, add)) in adds.iter().enumerate() {
            if done % 64 == 0 {
                progress.tell("checking users", done as u64, total);
            }
            let new = self.read_new_user(add).await.map_err(|misfit| at(&csv.file, *line, misfit))?;
            if let Some(password) = new.shown {
                shown.push(json!({ "name": add.name, "password": password }));
            }
            openings.push(new.opening);
            all.push((new.terms, new.payer, Some(new.secret)));
        }
        let terms: Vec<_> = all.iter().map(|(terms, ..)| terms.clone()).collect();
        self.room_for_users(&terms).await?;
        let made = users::create_all(&self.store, by, all).await;
        let made = made.map_err(|error| Refused(format!("{}: {error}", csv.file)))?;
        progress.tell("checking users", total, total);
        self.open_new(by, &made, &openings).await?;
        self.directory_changed().await?;
        Ok(if shown.is_empty() { Value::Null } else { Value::Array(shown) })
    }
}

fn at(file: &str, line: u64, misfit: Misfit) -> Refused {
    let column = if misfit.field == "NAME" { "name" } else { misfit.field };
    Refused(format!("{file}: line {line}, column {column}: {}", misfit.what))
}

/// The file's users with their lines.
fn read(csv: &Text) -> Result<Vec<(u64, Add)>, Refused> {
    let text = csv.text.strip_prefix('\u{feff}').unwrap_or(&csv.text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| Refused(format!("{}: {error}", csv.file));
    let header: Vec<String> =
        reader.headers().map_err(unreadable)?.iter().map(|name| name.to_ascii_lowercase().replace('-', "_")).collect();
    let options = options();
    if !header.iter().any(|name| name == "name") {
        return Err(Refused(format!("{}: line 1: a header with a column name is expected", csv.file)));
    }
    for (n, name) in header.iter().enumerate() {
        if !OWN.contains(&name.as_str()) && !options.contains(name) {
            let known = OWN.iter().copied().chain(options.iter().map(String::as_str)).collect::<Vec<_>>().join(", ");
            return Err(Refused(format!("{}: line 1: there is no column {name:?}, only {known}", csv.file)));
        }
        if header[..n].contains(name) {
            return Err(Refused(format!("{}: line 1: column {name} is there twice", csv.file)));
        }
    }
    let mut adds: Vec<(u64, Add)> = Vec::new();
    let mut known = std::collections::BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields = header.iter().map(String::as_str).zip(record.iter()).filter(|(_, text)| !text.is_empty());
        let add = user_of(fields).map_err(|misfit| at(&csv.file, line, misfit))?;
        if let Some(first) = known.insert(add.name.to_lowercase(), line) {
            return Err(Refused(format!(
                "{}: line {line}, column name: {:?} stands in line {first} too",
                csv.file, add.name
            )));
        }
        adds.push((line, add));
        if adds.len() > MOST {
            return Err(Refused(format!("{}: line {line}: at most {MOST} users are imported at once", csv.file)));
        }
    }
    if adds.is_empty() {
        return Err(Refused(format!("{}: at least one line below the header is expected", csv.file)));
    }
    Ok(adds)
}

/// The options' names, as their struct has them.
fn options() -> Vec<String> {
    let Ok(Value::Object(fields)) = serde_json::to_value(Terms::default()) else { return Vec::new() };
    fields.into_iter().map(|(name, _)| name).filter(|name| name != "prepaid" && name != "postpaid").collect()
}

/// One user from the fields that are not empty.
fn user_of<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Add, Misfit> {
    let mut map = serde_json::Map::new();
    for (name, text) in fields {
        match (name, text.to_ascii_lowercase().as_str()) {
            ("mode", mode @ ("prepaid" | "postpaid")) => drop(map.insert(mode.to_owned(), true.into())),
            ("mode", _) => return Err(wrong("mode", text, "prepaid or postpaid")),
            _ => drop(map.insert(name.to_owned(), text.into())),
        }
    }
    if !map.contains_key("name") {
        return Err(Misfit::new("NAME", "a name is expected"));
    }
    serde_json::from_value(map.into()).map_err(|error| Misfit::new("NAME", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let csv = Text { file: "users.csv".into(), text: text.into() };
        match read(&csv) {
            Ok(adds) => adds.iter().map(|(line, add)| format!("{line}:{}", add.name)).collect::<Vec<_>>().join(" "),
            Err(refused) => refused.0,
        }
    }

    #[test]
    fn mistakes_name_line_and_column() {
        //  file, what is said
        for (text, words) in [
            ("name,mode,max_lines\na,prepaid,3\nb,,\n", "2:a 3:b"),
            ("Name,Max-Lines\na,3\n", "2:a"),
            ("password\nx\n", "users.csv: line 1: a header with a column name is expected"),
            ("name,name\nx,y\n", "users.csv: line 1: column name is there twice"),
            (
                "name,mode\na,prepaid\nb,sometimes\n",
                "users.csv: line 3, column mode: \"sometimes\" is not prepaid or postpaid",
            ),
            ("name\na\nA\n", "users.csv: line 3, column name: \"A\" stands in line 2 too"),
            ("name,mode\n,prepaid\n", "users.csv: line 2, column name: a name is expected"),
            ("name\n", "users.csv: at least one line below the header is expected"),
        ] {
            assert_eq!(said(text), words, "{text:?}");
        }
        assert!(
            said("name,colour\na,red\n").starts_with("users.csv: line 1: there is no column \"colour\", only name,")
        );
        assert!(said("name,mode\na\n").contains("line: 2"), "{}", said("name,mode\na\n"));
    }
}
