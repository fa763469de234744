//! Decks: dated tables of prices, imported whole and rolled back whole.

mod import;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_billing::calendar::Timeline;
use tollgate_billing::deck::{DeckKind, DeckVersion, Miss, Reach, lint};
use tollgate_store::decks::{self, DeckSummary};
use tollgate_store::{By, calendar, currency};
use tollgate_types::E164;

use super::field;
use super::outcome::{ProgressSink, Refused};
use super::{Answer, Ops, shown};

/// `deck …`
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Deck {
    /// Read a deck from a CSV file: all of it or nothing
    Import(Import),
    /// Go back to the version before
    Rollback {
        /// The deck's name
        name: String,
    },
    /// Look for mistakes: holes in the week, prices below cost, vanished prefixes
    Lint {
        /// The deck's name
        name: String,
    },
    /// All decks
    List,
    /// One deck with its versions
    Show {
        /// The deck's name
        name: String,
    },
    /// What a number costs now
    Lookup {
        /// The deck's name
        name: String,
        /// The number
        number: String,
    },
}

/// A CSV file: the command line reads it, the server gets its name and text.
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Text {
    /// A CSV file with a header
    pub file: String,
    /// What is in it
    #[arg(skip)]
    #[serde(default)]
    pub text: String,
}

/// `deck import`
#[derive(Clone, Debug, Serialize, Deserialize, Args)]
pub struct Import {
    /// The deck's name
    pub name: String,
    /// The file
    #[command(flatten)]
    #[serde(flatten)]
    pub csv: Text,
    /// The currency of its prices; the platform's unless said
    #[arg(long, value_name = "CODE")]
    #[serde(default)]
    pub currency: Option<String>,
    /// sell or buy; sell unless said
    #[arg(long)]
    #[serde(default)]
    pub kind: Option<String>,
    /// The time zone of its bands
    #[arg(long, value_name = "ZONE")]
    #[serde(default)]
    pub timezone: Option<String>,
    /// Column names: ours=theirs, separated by commas
    #[arg(long, value_name = "OURS=THEIRS,…")]
    #[serde(default)]
    pub map: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    #[serde(default)]
    pub preview: bool,
}

impl Ops {
    pub(super) async fn deck(&self, by: &By, deck: Deck, progress: &ProgressSink) -> Answer {
        match deck {
            Deck::Import(import) => self.import_deck(by, import, progress).await,
            Deck::Rollback { name } => {
                decks::rollback(&self.store, by, &name).await?;
                self.prices_changed().await?;
                Ok(Value::Null)
            }
            Deck::Lint { name } => self.lint_deck(&name).await,
            Deck::List => Ok(decks::list(&self.store).await?.iter().map(row).collect()),
            Deck::Show { name } => Ok(row(&decks::named(&self.store, &name).await?)),
            Deck::Lookup { name, number } => self.look_up(&name, &number).await,
        }
    }

    async fn look_up(&self, name: &str, number: &str) -> Answer {
        let number: E164 = field::read("NUMBER", number)?;
        let summary = decks::named(&self.store, name).await?;
        let deck = self.version(&summary).await?;
        let now = self.clock.wall();
        match deck.find(&number, now, Reach::Offnet) {
            Ok(found) => Ok(json!({
                "prefix": found.prefix,
                "destination": found.destination,
                "price_per_minute": shown::price(found.price.rate),
                "rate": found.price.rate,
                "setup_fee": found.price.setup_fee,
                "first_increment": found.price.first,
                "next_increment": found.price.next,
                "grace": found.price.grace,
                "currency": summary.deck.currency,
                "until": found.plan.next_change(now),
            })),
            Err(Miss::NoPrice) => Err(Refused(format!("deck {name} has no price for {number}"))),
            Err(Miss::Blocked(destination)) => Err(Refused(format!("deck {name} blocks {number} ({destination})"))),
        }
    }

    /// A deck's live version in memory.
    async fn version(&self, summary: &DeckSummary) -> Result<DeckVersion, Refused> {
        let known = self.living().and_then(|house| house.prices.load().deck(summary.deck.id).cloned());
        if let Some(known) = known.filter(|known| known.deck.version == summary.deck.version) {
            return Ok(DeckVersion::clone(&known));
        }
        let calendar = std::sync::Arc::new(calendar::get(&self.store).await?);
        let rows = decks::rows(&self.store, summary.deck.id).await?;
        let timeline = std::sync::Arc::new(Timeline::new(calendar, summary.deck.zone, self.clock.wall()));
        Ok(DeckVersion::new(summary.deck.clone(), rows, timeline))
    }

    /// What is allowed but hardly meant: bands that never hold, prices below cost.
    async fn lint_deck(&self, name: &str) -> Answer {
        let summary = decks::named(&self.store, name).await?;
        let rows = decks::rows(&self.store, summary.deck.id).await?;
        let mut findings = lint::bands(&rows);
        if summary.deck.kind == DeckKind::Sell {
            let (now, rates) = (self.clock.wall(), currency::table(&self.store).await?);
            let mut carriers = Vec::new();
            for other in decks::list(&self.store).await?.iter().filter(|other| other.deck.kind == DeckKind::Buy) {
                if let Some(exchange) = rates.at(other.deck.currency, summary.deck.currency, now) {
                    carriers.push((self.version(other).await?, exchange));
                }
            }
            let carriers: Vec<_> = carriers.iter().map(|(deck, exchange)| (deck, *exchange)).collect();
            findings.extend(lint::below_cost(&rows, &carriers, now));
        }
        let shown = findings.iter().map(|finding| {
            let kind = serde_json::to_value(&finding.kind).unwrap_or_default();
            json!({ "prefix": finding.prefix, "kind": kind["kind"], "text": finding.to_string() })
        });
        Ok(shown.collect())
    }
}

fn row(summary: &DeckSummary) -> Value {
    let deck = &summary.deck;
    json!({
        "name": deck.name,
        "kind": deck.kind.id(),
        "currency": deck.currency,
        "timezone": deck.zone,
        "version": deck.version,
        "rows": summary.rows,
        "imported_at": summary.imported.as_ref().map(|(at, _)| at),
        "source": summary.imported.as_ref().map(|(_, source)| source),
    })
}
