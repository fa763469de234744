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
    /// Look for mistakes: holes in the week, prices below the live routes', sudden increases, vanished prefixes
    Lint {
        /// The deck's name
        name: String,
        /// A price that rose by more than so many per cent since the version before is told
        #[arg(long, value_name = "PERCENT", default_value_t = INCREASE)]
        #[serde(default = "increase")]
        increase: u32,
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

/// Half as dear again is more than carriers usually ask.
const INCREASE: u32 = 50;

fn increase() -> u32 {
    INCREASE
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
            Deck::Lint { name, increase } => self.lint_deck(&name, increase).await,
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

    /// What is allowed but hardly meant: bands that never hold, prices below what the carriers of the live routes ask, and
    /// what rose or vanished since the version before.
    async fn lint_deck(&self, name: &str, increase: u32) -> Answer {
        let summary = decks::named(&self.store, name).await?;
        let rows = decks::rows(&self.store, summary.deck.id).await?;
        let mut findings = lint::bands(&rows);
        findings.extend(lint::since(&decks::rows_before(&self.store, summary.deck.id).await?, &rows, increase));
        if summary.deck.kind == DeckKind::Sell {
            let (now, rates) = (self.clock.wall(), currency::table(&self.store).await?);
            let directory = match self.living() {
                Some(house) => house.directory.load_full(),
                None => std::sync::Arc::new(self.snapshots.directory(&self.values().await?).await?.0),
            };
            let mut carriers = std::collections::BTreeMap::new();
            for trunk in directory.egresses().filter(|trunk| trunk.enabled) {
                let Some(deck) = trunk.deck else { continue };
                let buying = decks::get(&self.store, deck).await?;
                if let Some(exchange) = rates.at(buying.deck.currency, summary.deck.currency, now) {
                    carriers.insert(trunk.id, (self.version(&buying).await?, exchange));
                }
            }
            let taking = |number: &E164| {
                // The longest prefix that has a route decides, as when a call is routed.
                let routes = directory.routes().fitting(number.digits()).next().unwrap_or_default();
                let trunks = routes.iter().filter_map(|route| carriers.get(&route.trunk));
                trunks.map(|(deck, exchange)| (deck, *exchange)).collect()
            };
            findings.extend(lint::below_cost(&rows, taking, now));
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
