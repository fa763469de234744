//! Lists: numbers that may not be called or may not call, and those that surely may; what calls taught of a number.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_call::admission::rows;
use tollgate_routing::list::{CERTAINTIES, Color, Entry, Lists, Numbers, Side};
use tollgate_store::{By, lists};
use tollgate_types::{E164, Wall};

use super::deck::Text;
use super::field::{self, Read};
use super::outcome::Refused;
use super::{Answer, Ops};

/// `list …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// Add a number, a prefix or a range
    Add(Add),
    /// All entries; with a number, those about it, what calls taught of it, and the verdict
    Show {
        /// A number
        number: Option<String>,
    },
    /// Remove an entry
    Remove {
        /// As listed
        id: i64,
    },
    /// Add entries from a CSV file (header: number,color,for,certainty,until,account; all but number may be missing): all or none
    Import(Import),
}

/// `list add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// black or white
    pub color: String,
    /// NUMBER, PREFIX* or FROM-TO
    pub numbers: String,
    /// caller or callee; callee unless said
    #[arg(long = "for", value_name = "caller|callee")]
    #[serde(default)]
    pub side: Option<String>,
    /// How sure that is: 0, 1, 2, 3 or 6; 6 unless said
    #[arg(long, value_name = "N")]
    #[serde(default)]
    pub certainty: Option<String>,
    /// When it is over (RFC 3339, or a date); never unless said
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub until: Option<String>,
    /// An account, or a reseller for all below it; everybody unless said
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub account: Option<String>,
}

/// `list import`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Import {
    /// black or white, for lines that do not say
    pub color: String,
    /// The file
    #[command(flatten)]
    #[serde(flatten)]
    pub csv: Text,
}

const COLUMNS: [&str; 6] = ["number", "color", "for", "certainty", "until", "account"];
const LINES_MOST: usize = 500_000;

impl Ops {
    pub(super) async fn list(&self, by: &By, list: List) -> Answer {
        match list {
            List::Add(add) => {
                let entry = self.read_entry(&add, "fixed", by.at).await?;
                lists::add(&self.store, by, &[entry]).await?;
            }
            List::Show { number: None } => return self.list_entries().await,
            List::Show { number: Some(number) } => return self.show_number(&number).await,
            List::Remove { id } => lists::remove(&self.store, by, id).await?,
            List::Import(import) => self.import_list(by, &import).await?,
        }
        self.destinations_changed().await?;
        Ok(Value::Null)
    }

    async fn read_entry(&self, add: &Add, source: &str, now: Wall) -> Read<Entry> {
        let color = field::read_as::<Color>("COLOR", &add.color, "black or white")?;
        let numbers = Numbers::parse(&add.numbers);
        let expected = "a number, a prefix with * or a range FROM-TO of numbers of one length, the lower first";
        let numbers = numbers.ok_or_else(|| field::wrong("NUMBERS", &add.numbers, expected))?;
        let side = match add.side.as_deref() {
            Some(text) => field::read_as::<Side>("for", text, "caller or callee")?,
            None => Side::Callee,
        };
        let certainty = match add.certainty.as_deref() {
            Some(text) => {
                let expected = "0, 1, 2, 3 or 6";
                let certainty: u8 = field::read_as("certainty", text, expected)?;
                if !CERTAINTIES.contains(&certainty) {
                    return Err(field::wrong("certainty", text, expected));
                }
                certainty
            }
            None => 6,
        };
        let until = add.until.as_deref().map(|text| field::time("until", text)).transpose()?;
        if let (Some(text), Some(_)) = (&add.until, until.filter(|until| *until <= now)) {
            return Err(field::wrong("until", text, "a time to come"));
        }
        let account = self.scope_of(add.account.as_deref()).await?;
        Ok(Entry { id: 0, color, numbers, side, certainty, account, until, source: source.into() })
    }

    async fn list_entries(&self) -> Answer {
        let names = self.account_names().await?;
        Ok(lists::list(&self.store).await?.iter().map(|entry| shown(entry, &names)).collect())
    }

    /// Why a number is refused, or would be.
    async fn show_number(&self, number: &str) -> Answer {
        let number: E164 = field::read("NUMBER", number)?;
        let (names, values, now) = (self.account_names().await?, self.values().await?, self.clock.wall());
        let lists = Lists::new(lists::list(&self.store).await?);
        let entries: Vec<Value> =
            lists.about(&number, now).into_iter().rev().map(|entry| shown(entry, &names)).collect();
        let known = match self.living() {
            Some(house) => house.reputations.of(&number),
            None => self.learned().await?.of(&number),
        };
        let level = rows::callee_level(&values);
        let opinion = known.and_then(|known| known.opinion(now, &rows::schooling(&values), level));
        let learned = known.map(|known| {
            json!({
                "answered": known.answered,
                "unroutable": known.unroutable,
                "unanswered": known.unanswered,
                "failures_in_a_row": known.in_a_row,
                "score": known.score,
                "certainty": known.certainty(),
                "heard_at": known.heard_at,
                "refused_until": known.until.filter(|until| *until > now),
                "counts": opinion.is_some(),
            })
        });
        Ok(json!({ "number": number, "level": level, "entries": entries, "learned": learned }))
    }

    async fn import_list(&self, by: &By, import: &Import) -> Result<(), Refused> {
        let csv = &import.csv;
        let mut entries = Vec::new();
        for (line, add) in read_file(import)? {
            let at = |misfit: field::Misfit| {
                let column = misfit.field.to_ascii_lowercase();
                let column = if column == "numbers" { "number" } else { &column };
                Refused(format!("{}: line {line}, column {column}: {}", csv.file, misfit.what))
            };
            entries.push(self.read_entry(&add, &csv.file, by.at).await.map_err(at)?);
        }
        lists::add(&self.store, by, &entries).await?;
        Ok(())
    }
}

fn shown(entry: &Entry, names: &std::collections::BTreeMap<tollgate_types::AccountId, String>) -> Value {
    json!({
        "id": entry.id,
        "color": entry.color.name(),
        "number": entry.numbers.to_string(),
        "for": entry.side.name(),
        "certainty": entry.certainty,
        "until": entry.until,
        "account": entry.account.and_then(|id| names.get(&id)),
        "source": &*entry.source,
    })
}

fn read_file(import: &Import) -> Result<Vec<(u64, Add)>, Refused> {
    let csv = &import.csv;
    let text = csv.text.strip_prefix('\u{feff}').unwrap_or(&csv.text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| Refused(format!("{}: {error}", csv.file));
    let header: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_ascii_lowercase).collect();
    if let Some(name) = header.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(Refused(format!("{}: line 1: there is no column {name:?}, only {}", csv.file, COLUMNS.join(", "))));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |name: &str| {
            let at = header.iter().position(|known| known == name)?;
            record.get(at).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let numbers = cell("number")
            .ok_or_else(|| Refused(format!("{}: line {line}, column number: a value is expected", csv.file)))?;
        let color = cell("color").unwrap_or_else(|| import.color.clone());
        let (side, certainty) = (cell("for"), cell("certainty"));
        rows.push((line, Add { color, numbers, side, certainty, until: cell("until"), account: cell("account") }));
        if rows.len() > LINES_MOST {
            return Err(Refused(format!("{}: more than {LINES_MOST} lines", csv.file)));
        }
    }
    if rows.is_empty() {
        return Err(Refused(format!("{}: a header and at least one line below it are expected", csv.file)));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Desk;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn entries_are_added_shown_imported_and_removed() {
        let desk = Desk::new().await;
        desk.file("numbers.csv", "number,certainty,for\n3690*,3,\n441-449,1,caller\n");
        desk.file("bad.csv", "number,certainty\n3690*,5\n");
        desk.ask("list add black 36301234567 --until 2030-01-01").await.unwrap();
        desk.ask("list add white 3630* --certainty 2").await.unwrap();
        desk.ask("list import black numbers.csv").await.unwrap();
        let all = desk.ask("list show").await.unwrap();
        let numbers: Vec<&str> = all.as_array().unwrap().iter().map(|row| row["number"].as_str().unwrap()).collect();
        assert_eq!(numbers, ["441-449", "3690*", "3630*", "36301234567"]);
        assert_eq!((&all[0]["for"], &all[0]["source"]), (&"caller".into(), &"numbers.csv".into()));
        let one = desk.ask("list show 36301234567").await.unwrap();
        assert_eq!(one["entries"].as_array().unwrap().len(), 2);
        assert_eq!(one["entries"][0]["color"], "black", "the weightiest first: {one:#}");
        //  command, what is refused
        for (words, refused) in [
            ("list add grey 1", "COLOR: \"grey\" is not black or white"),
            ("list add black x", "NUMBERS: \"x\" is not a number, a prefix with *"),
            ("list add black 1 --certainty 4", "--certainty: \"4\" is not 0, 1, 2, 3 or 6"),
            ("list add black 1 --for nobody", "--for: \"nobody\" is not caller or callee"),
            ("list add black 1 --until 2020-01-01", "--until: \"2020-01-01\" is not a time to come"),
            ("list import black bad.csv", "bad.csv: line 2, column certainty: \"5\" is not 0, 1, 2, 3 or 6"),
            ("list remove 99", "there is no list entry 99"),
        ] {
            let said = desk.ask(words).await.unwrap_err().0;
            assert!(said.starts_with(refused), "{words}: {said}");
        }
        desk.ask("list remove 1").await.unwrap();
        assert_eq!(desk.ask("list show 36301234567").await.unwrap()["entries"].as_array().unwrap().len(), 1);
    }
}
