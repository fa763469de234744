//! DIDs: numbers and ranges of numbers that reach users, or their PBX.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_billing::deck::DeckKind;
use tollgate_routing::did::{DidNumbers, DidUri};
use tollgate_store::dids::{self, NewDid};
use tollgate_store::{By, decks, users};
use tollgate_types::E164;

use super::field::{self, Misfit, Read};
use super::outcome::Refused;
use super::{Answer, Ops};

/// `did …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// Add a number, or a range FROM-TO
    Add(Add),
    /// All numbers
    List,
    /// Remove a number or range, written as listed
    Remove {
        /// NUMBER or FROM-TO
        number: String,
    },
    /// Add numbers from a CSV file (header: number,user,inbound_deck,uri): all or none
    Import(super::deck::Text),
}

/// `did add`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Add {
    /// NUMBER or FROM-TO
    pub number: String,
    /// Who is reached
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// The deck by which the callee pays for incoming calls
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub inbound_deck: Option<String>,
    /// What the device's Request-URI says: the number (for a PBX) or the user
    #[arg(long, value_name = "number|user")]
    #[serde(default)]
    pub uri: Option<String>,
}

const COLUMNS: [&str; 4] = ["number", "user", "inbound_deck", "uri"];

impl Ops {
    pub(super) async fn did(&self, by: &By, did: Did) -> Answer {
        match did {
            Did::Add(add) => drop(dids::add(&self.store, by, &[self.read_did(&add).await?]).await?),
            Did::List => return self.list_dids().await,
            Did::Remove { number } => {
                let (first, _) = read_numbers(&number)?.ends();
                dids::remove(&self.store, by, first).await?;
            }
            Did::Import(csv) => self.import_dids(by, &csv).await?,
        }
        self.directory_changed().await?;
        Ok(Value::Null)
    }

    async fn read_did(&self, add: &Add) -> Read<NewDid> {
        let numbers = read_numbers(&add.number)?;
        let uri = match add.uri.as_deref().map(str::trim) {
            None | Some("user") => DidUri::User,
            Some("number") => DidUri::Number,
            Some(other) => return Err(field::wrong("uri", other, "number or user")),
        };
        let inbound_deck = match add.inbound_deck.as_deref().filter(|name| !field::means_none(name)) {
            Some(name) => Some(super::user::deck_named(self, "inbound_deck", name, DeckKind::Sell).await?),
            None => None,
        };
        let user = users::named(&self.store, &add.user).await.map_err(|error| Misfit::new("user", error))?.id;
        Ok(NewDid { numbers, user, inbound_deck, uri })
    }

    async fn list_dids(&self) -> Answer {
        let people: std::collections::BTreeMap<_, _> =
            users::list(&self.store).await?.into_iter().map(|user| (user.id, user.terms.name)).collect();
        let decks: std::collections::BTreeMap<_, _> =
            decks::list(&self.store).await?.into_iter().map(|summary| (summary.deck.id, summary.deck.name)).collect();
        let rows = dids::list(&self.store).await?.into_iter().map(|did| {
            json!({
                "number": shown_numbers(&did.numbers),
                "user": people.get(&did.user),
                "inbound_deck": did.inbound_deck.and_then(|deck| decks.get(&deck)),
                "uri": if did.uri == DidUri::Number { "number" } else { "user" },
            })
        });
        Ok(rows.collect())
    }

    async fn import_dids(&self, by: &By, csv: &super::deck::Text) -> Result<(), Refused> {
        let mut new = Vec::new();
        for (line, add) in read_file(csv)? {
            let at = |misfit: Misfit| {
                let column = misfit.field.to_ascii_lowercase();
                Refused(format!("{}: line {line}, column {column}: {}", csv.file, misfit.what))
            };
            new.push(self.read_did(&add).await.map_err(at)?);
        }
        dids::add(&self.store, by, &new).await.map_err(|error| Refused(format!("{}: {error}", csv.file)))?;
        Ok(())
    }
}

fn read_numbers(text: &str) -> Read<DidNumbers> {
    let number = |text: &str| field::read::<E164>("NUMBER", text);
    match text.split_once('-') {
        None => number(text).map(DidNumbers::One),
        Some((first, last)) => {
            let range = DidNumbers::range(number(first)?, number(last)?);
            range.ok_or_else(|| {
                field::wrong("NUMBER", text, "a range FROM-TO of numbers of one length, the lower first")
            })
        }
    }
}

fn shown_numbers(numbers: &DidNumbers) -> String {
    match numbers {
        DidNumbers::One(number) => number.to_string(),
        DidNumbers::Range(first, last) => format!("{first}-{last}"),
    }
}

fn read_file(csv: &super::deck::Text) -> Result<Vec<(u64, Add)>, Refused> {
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
        let needed = |name: &str| {
            cell(name).ok_or_else(|| Refused(format!("{}: line {line}, column {name}: a value is expected", csv.file)))
        };
        let (number, user) = (needed("number")?, needed("user")?);
        rows.push((line, Add { number, user, inbound_deck: cell("inbound_deck"), uri: cell("uri") }));
    }
    if rows.is_empty() {
        return Err(Refused(format!("{}: a header and at least one line below it are expected", csv.file)));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read_back_as_shown() {
        for (text, shown) in [("+3612345678", "3612345678"), ("441632960000-441632960099", "441632960000-441632960099")]
        {
            assert_eq!(shown_numbers(&read_numbers(text).unwrap()), shown);
        }
        for bad in ["x", "", "2-1", "1-22", "-"] {
            assert!(read_numbers(bad).is_err(), "{bad}");
        }
    }
}
