//! What operators do, one file a noun: the same service for the command line, and later for API and console.
//!
//! A [`Request`] is what the control socket carries and what the command line's arguments become. Validation, audit row and
//! effect on the living actors are written once, here. A request either happens whole or is refused with one line.

pub mod analyze;
pub mod ban;
pub mod calendar;
pub mod call;
pub mod cdr;
pub mod config;
pub mod credit;
pub mod currency;
pub mod deck;
pub mod destination;
pub mod did;
pub mod explain;
pub mod firewall;
pub mod fraud;
pub mod ledger;
pub mod limits;
pub mod list;
pub mod registration;
pub mod route;
pub mod template;
pub mod trunk;
pub mod user;
pub mod whatif;

pub mod outcome;

mod backup;
#[cfg(test)]
mod bad_input;
mod defaults;
mod field;
mod living;
mod password;
mod shown;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod testing;
mod till;

use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_billing::policy::{Policy, Rules};
use tollgate_settings::{Registry, Values};
use tollgate_store::{By, Store};

use crate::clock::Clock;
use crate::ledger::IsDrained;
use crate::placement::CallIds;
use crate::premises::Premises;
use crate::snapshots::Snapshots;
use defaults::DEFAULT_TEMPLATE;
pub use defaults::ROWS as DEFAULTS;
use outcome::{ProgressSink, Refused};

/// The operator's desk. With a house it acts on the living platform; without one it works on the database alone.
pub struct Ops {
    store: Store,
    snapshots: Arc<Snapshots>,
    house: Option<Arc<Premises>>,
    registry: Arc<Registry>,
    clock: Clock,
    /// Names for asks of the ledger that no call makes.
    keys: CallIds,
}

/// What a request comes to.
type Answer = Result<Value, Refused>;

/// How often, and how patiently, the Ledger is asked whether everything is written.
const BARRIER_TURNS: u32 = 200;
const BARRIER_PAUSE: Duration = Duration::from_millis(5);

/// Commands without a server mint ids as this node, which never runs.
const NO_NODE: u16 = 0x3ff;

impl Request {
    /// Does the answer depend on rows that the Ledger writes?
    fn reads_money(&self) -> bool {
        matches!(
            self,
            Request::Cdr(_)
                | Request::Ledger(_)
                | Request::Limits(_)
                | Request::Analyze(_)
                | Request::Whatif(_)
                | Request::User(user::User::Show { .. } | user::User::List)
                | Request::Backup(_)
        )
    }
}

impl Ops {
    /// `house` is `None` where no server runs.
    pub fn new(
        store: Store,
        snapshots: Arc<Snapshots>,
        house: Option<Arc<Premises>>,
        registry: Arc<Registry>,
        clock: Clock,
    ) -> Ops {
        let node = house.as_ref().map_or(NO_NODE, |house| u16::try_from(house.node & 0x3ff).unwrap_or(NO_NODE));
        Ops { store, snapshots, house, registry, clock, keys: CallIds::new(node) }
    }

    /// Does what `by` wants, whole or not at all. Null where there is nothing to tell.
    pub async fn run(&self, request: Request, by: &str, progress: ProgressSink) -> Answer {
        let by = By { who: by.to_owned(), at: self.clock.wall() };
        if request.reads_money() {
            self.books_are_written().await;
        }
        match request {
            Request::Config(config) => self.config(&by, config).await,
            Request::Ban(ban) => self.ban(&by, ban).await,
            Request::Firewall(order) => self.firewall(&by, order).await,
            Request::Console(console) => self.console(&by, &console).await,
            Request::User(user) => self.user(&by, user, &progress).await,
            Request::Credit(credit) => self.credit(credit).await,
            Request::Trunk(trunk) => self.trunk(&by, trunk).await,
            Request::Deck(deck) => self.deck(&by, deck, &progress).await,
            Request::Calendar(calendar) => self.calendar(&by, calendar).await,
            Request::Currency(currency::Currency::Rate(rate)) => self.currency_rate(&by, rate).await,
            Request::Route(route) => self.route(&by, route).await,
            Request::Did(did) => self.did(&by, did).await,
            Request::Call(call) => self.call(&by, call).await,
            Request::Cdr(cdr) => self.cdr(cdr, &progress).await,
            Request::Ledger(ledger) => self.ledger(ledger).await,
            Request::Limits(limits) => self.limits(&by, limits).await,
            Request::Template(template) => self.template(&by, template, &progress).await,
            Request::Registration(registration) => self.registration(&by, registration).await,
            Request::Destination(destination) => self.destination(&by, destination).await,
            Request::List(list) => self.list(&by, list).await,
            Request::Explain(explain) => self.explain(explain).await,
            Request::Whatif(whatif) => self.whatif(whatif, &progress).await,
            Request::Fraud(fraud) => self.fraud(&by, fraud).await,
            Request::Analyze(analyze) => self.analyze(analyze).await,
            Request::Backup(backup) => self.backup(&by, backup).await,
        }
    }

    /// Waits until what calls have told the Ledger is in the tables: who reads after a call's end finds its record. Bounded, for
    /// a database that is away answers nothing.
    async fn books_are_written(&self) {
        let Some(house) = &self.house else { return };
        for _ in 0..BARRIER_TURNS {
            if house.ledger.addr.send(IsDrained).await.unwrap_or(true) {
                return;
            }
            tokio::time::sleep(BARRIER_PAUSE).await;
        }
    }

    /// The settings in force.
    async fn values(&self) -> Result<Values, Refused> {
        match &self.house {
            Some(house) => Ok(Values::clone(&house.settings.load())),
            None => Ok(self.snapshots.settings().await?),
        }
    }

    /// What the ledger decides by.
    async fn rules(&self) -> Result<Arc<Rules>, Refused> {
        if self.house.is_some() {
            return Ok(self.snapshots.rules.load_full());
        }
        Ok(Arc::new(Rules {
            policy: Policy::read(&self.values().await?, self.snapshots.currency),
            calendar: Arc::new(tollgate_store::calendar::get(&self.store).await?),
            exchange: Arc::new(tollgate_store::currency::table(&self.store).await?),
        }))
    }

    /// Destination policy or number lists changed.
    pub async fn destinations_changed(&self) -> Result<(), Refused> {
        match &self.house {
            Some(house) => Ok(self.snapshots.refresh_destinations(house).await?),
            None => Ok(()),
        }
    }

    /// Decks, calendar or currencies changed.
    pub async fn prices_changed(&self) -> Result<(), Refused> {
        match &self.house {
            Some(house) => Ok(self.snapshots.refresh_prices(house).await?),
            None => Ok(()),
        }
    }
}

/// One thing an operator wants, with the noun first.
#[derive(Clone, Debug, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Settings: list, get, set, unset, describe, profiles
    #[command(subcommand)]
    Config(config::Config),
    /// Users and what they may do
    #[command(subcommand)]
    User(user::User),
    /// Money in and out by hand
    #[command(subcommand)]
    Credit(credit::Credit),
    /// Carriers and wholesalers, in either direction
    #[command(subcommand)]
    Trunk(trunk::Trunk),
    /// Rate decks
    #[command(subcommand)]
    Deck(deck::Deck),
    /// Peak, off-peak and holidays
    #[command(subcommand)]
    Calendar(calendar::Calendar),
    /// Rates between currencies
    #[command(subcommand)]
    Currency(currency::Currency),
    /// Which trunk carries which prefix
    #[command(subcommand)]
    Route(route::Route),
    /// Numbers that reach users
    #[command(subcommand)]
    Did(did::Did),
    /// Calls in progress
    #[command(subcommand)]
    Call(call::Call),
    /// Call detail records
    #[command(subcommand)]
    Cdr(cdr::Cdr),
    /// The books
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Counters, counted again
    #[command(subcommand)]
    Limits(limits::Limits),
    /// What new users take where nothing is said
    #[command(subcommand)]
    Template(template::Template),
    /// Registered devices
    #[command(subcommand)]
    Registration(registration::Registration),
    /// Who may call where: countries, prefixes, satellite and premium numbers
    #[command(subcommand)]
    Destination(destination::Destination),
    /// Black and white lists of numbers
    #[command(subcommand)]
    List(list::List),
    /// Who is shut out
    #[command(subcommand)]
    Ban(ban::Ban),
    /// Rules about who is heard
    #[command(subcommand)]
    Firewall(firewall::Firewall),
    /// The guide's console words: delbanned,IP or delbanned,all
    Console(ban::Console),
    /// What would happen to a call, without making it
    Explain(explain::Explain),
    /// What other settings would have stopped: call records, lived through once more
    Whatif(whatif::WhatIf),
    /// Accounts and callers under suspicion
    #[command(subcommand)]
    Fraud(fraud::Fraud),
    /// Unusual spending of an hour, by account and country
    Analyze(analyze::Analyze),
    /// Write all data into one file, while running
    Backup(BackupTo),
}

/// `backup FILE`: the path is the server's.
#[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
pub struct BackupTo {
    /// Where to write; must not exist yet
    pub file: String,
    /// Put the key that opens the sealed secrets into the file as well; without it the file alone opens none
    #[arg(long)]
    #[serde(default)]
    pub with_key: bool,
}
