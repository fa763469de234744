//! A deck from a CSV file: read whole and checked, then written whole, or compared with what is there.

use serde_json::{Value, json};
use tollgate_billing::Zone;
use tollgate_billing::deck::import::{ColumnMap, Imported, Settings, import};
use tollgate_billing::deck::{DeckKind, preview};
use tollgate_store::decks::{self, DeckSummary, Target};
use tollgate_store::{By, Error, calendar};

use super::super::field::{self, Misfit, Read};
use super::super::outcome::{ProgressSink, Refused};
use super::super::{Answer, Ops};
use super::{Import, Text};

const NAME_MOST: usize = 64;
/// Rows that a preview lists one by one.
const LISTED: usize = 1000;

impl Ops {
    pub(super) async fn import_deck(&self, by: &By, wanted: Import, progress: &ProgressSink) -> Answer {
        check_name(&wanted.name)?;
        let known = match decks::named(&self.store, &wanted.name).await {
            Ok(known) => Some(known),
            Err(Error::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let head = known.as_ref().map(|known| &known.deck);
        let currency = match wanted.currency.as_deref() {
            Some(text) => field::read("currency", text)?,
            None => head.map_or(self.snapshots.currency, |deck| deck.currency),
        };
        let kind: DeckKind = match wanted.kind.as_deref() {
            Some(text) => field::read_as("kind", text, "sell or buy")?,
            None => head.map_or(DeckKind::Sell, |deck| deck.kind),
        };
        let zone: Zone = match wanted.timezone.as_deref() {
            Some(text) => field::read("timezone", text)?,
            None => head.map_or(Zone::UTC, |deck| deck.zone),
        };
        let map: ColumnMap = wanted.map.as_deref().map_or(Ok(ColumnMap::default()), |text| field::read("map", text))?;
        if let Some(deck) = head {
            let differs = |field, is: &dyn std::fmt::Display| Misfit::new(field, format!("deck {} is {is}", deck.name));
            if deck.kind != kind {
                return Err(differs("kind", &format_args!("a {} deck", deck.kind)).into());
            }
            if deck.currency != currency {
                return Err(differs("currency", &format_args!("in {}", deck.currency)).into());
            }
        }
        let Text { file, text } = wanted.csv;
        let imported = self.read_deck(&file, text, map, zone, progress).await?;
        if wanted.preview {
            return self.preview(known.as_ref(), imported).await;
        }
        let (total, sink) = (imported.rows.len() as u64, progress.clone());
        let source = file.rsplit('/').next().unwrap_or(&file);
        let target = Target { name: &wanted.name, kind, currency, zone, source };
        let tell = |done| sink.tell("writing rows", done, total);
        decks::import(&self.store, by, &target, &imported.rows, tell).await?;
        self.prices_changed().await?;
        Ok(told(&imported.ignored))
    }

    /// Reads the file off the runtime's threads: a large one takes seconds.
    async fn read_deck(
        &self,
        file: &str,
        text: String,
        map: ColumnMap,
        zone: Zone,
        progress: &ProgressSink,
    ) -> Result<Imported, Refused> {
        let calendar = calendar::get(&self.store).await?;
        let sink = progress.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let settings = Settings { map: &map, zone, calendar: &calendar };
            let total = text.len() as u64;
            import(text.as_bytes(), settings, &mut |done| sink.tell("reading the file", done, total))
        });
        let read = reading.await.map_err(Refused::because)?;
        read.map_err(|mistakes| {
            let lines: Vec<String> = mistakes.0.iter().map(|mistake| format!("{file}: {mistake}")).collect();
            Refused(lines.join("\n"))
        })
    }

    async fn preview(&self, known: Option<&DeckSummary>, imported: Imported) -> Answer {
        let before = match known {
            Some(known) => decks::rows(&self.store, known.deck.id).await?,
            None => Vec::new(),
        };
        let mut diff = preview::diff(&before, &imported.rows);
        diff.changes.truncate(LISTED);
        let mut shown = json!(diff);
        shown["ignored_columns"] = json!(imported.ignored);
        Ok(shown)
    }
}

/// Silence, unless columns were passed over.
fn told(ignored: &[String]) -> Value {
    match ignored {
        [] => Value::Null,
        names => Value::String(format!("columns without a meaning here: {}", names.join(", "))),
    }
}

fn check_name(name: &str) -> Read<()> {
    let is_name =
        (1..=NAME_MOST).contains(&name.chars().count()) && !name.chars().any(char::is_control) && name.trim() == name;
    if is_name { Ok(()) } else { Err(field::wrong("NAME", name, "1 to 64 characters without blanks around them")) }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Desk;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_deck_is_imported_whole_looked_up_compared_and_rolled_back() {
        let desk = Desk::new().await;
        desk.file("one.csv", "prefix,price_per_minute,note\n1,0.10,x\n");
        desk.file("two.csv", "prefix,price_per_minute\n1,0.20\n44,0.50\n");
        desk.file("bad.csv", "prefix,price_per_minute\n1,cheap\n");
        assert_eq!(desk.ask("deck import sell one.csv").await.unwrap(), "columns without a meaning here: note");
        let found = desk.ask("deck lookup sell 12025550123").await.unwrap();
        assert_eq!((&found["price_per_minute"], &found["rate"]), (&"0.100000".into(), &"0.100000000".into()));
        let diff = desk.ask("deck import sell two.csv --preview").await.unwrap();
        assert_eq!((&diff["added"], &diff["dearer"], &diff["removed"]), (&1.into(), &1.into(), &0.into()));
        assert!(desk.ask("deck import sell two.csv").await.unwrap().is_null());
        //  command, what is refused
        for (words, refused) in [
            (
                "deck import sell bad.csv",
                "bad.csv: line 2, column price_per_minute: \"cheap\" is not a price per minute such as 0.0125",
            ),
            ("deck import sell two.csv --kind buy", "--kind: deck sell is a sell deck"),
            ("deck import sell two.csv --currency EUR", "--currency: deck sell is in USD"),
            ("deck import sell two.csv --kind rent", "--kind: \"rent\" is not sell or buy"),
            ("deck lookup sell 99", "deck sell has no price for 99"),
            ("deck show none", "there is no deck none"),
        ] {
            assert_eq!(desk.ask(words).await.unwrap_err().0, refused, "{words}");
        }
        assert_eq!(desk.ask("deck show sell").await.unwrap()["rows"], 2);
        desk.ask("deck rollback sell").await.unwrap();
        assert_eq!(desk.ask("deck lookup sell 12025550123").await.unwrap()["price_per_minute"], "0.100000");
        assert!(desk.ask("deck rollback sell").await.unwrap_err().0.contains("no earlier version"));
        desk.file("buy.csv", "prefix,price_per_minute\n1,0.15\n");
        desk.ask("deck import buy buy.csv --kind buy").await.unwrap();
        let lint = async || {
            let found = desk.ask("deck lint sell").await.unwrap();
            let kinds = found.as_array().unwrap().iter().map(|row| row["text"].as_str().unwrap().to_owned());
            kinds.collect::<Vec<_>>()
        };
        assert!(lint().await.is_empty(), "nobody carries it yet");
        desk.ask("trunk add carrier --egress --address 192.0.2.1 --deck buy").await.unwrap();
        desk.ask("route add --prefix 1 --trunk carrier").await.unwrap();
        assert_eq!(lint().await, ["1: sold at 0.100000000, bought at 0.150000000 a minute"]);
        desk.file("three.csv", "prefix,price_per_minute\n1,0.20\n");
        desk.file("four.csv", "prefix,price_per_minute\n1,0.31\n");
        desk.ask("deck import sell three.csv").await.unwrap();
        assert_eq!(lint().await, ["44: was priced before, no longer is"]);
        desk.ask("deck import sell four.csv").await.unwrap();
        assert_eq!(lint().await, ["1: rises from 0.200000000 to 0.310000000 a minute"]);
    }
}
