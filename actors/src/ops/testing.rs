//! A desk without a server, over a store in a folder of its own: commands as they are typed.

use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::Parser;
use serde_json::Value;
use tollgate_call::Host;
use tollgate_store::{Options, Store};
use tollgate_types::{Currency, Seed, Wall};

use super::outcome::{ProgressSink, Refused};
use super::{Ops, Request, did, user};
use crate::clock::Clock;
use crate::snapshots::Snapshots;
use crate::tuning::registry;

/// See the module.
pub struct Desk {
    pub ops: Ops,
    folder: tempfile::TempDir,
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    request: Request,
}

impl Desk {
    pub async fn new() -> Desk {
        Desk::with_pins(&[]).await
    }

    pub async fn with_pins(pins: &[(&str, &str)]) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Options::embedded(folder.path())).await.unwrap();
        let (registry, clock) = (Arc::new(registry()), Clock::stepped(Wall::from_secs(1_795_341_600)));
        let snapshots = Snapshots {
            store: store.clone(),
            registry: registry.clone(),
            pins: arc_swap::ArcSwap::from_pointee(
                pins.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            ),
            host: Host { domain: "voip.test".into(), ..Host::default() },
            domains: Vec::new(),
            country: None,
            currency: Currency::USD,
            rules: Arc::new(ArcSwap::default()),
            seed: Seed([1; 4]),
            clock: clock.clone(),
            seen: Default::default(),
        };
        Desk { ops: Ops::new(store, Arc::new(snapshots), None, registry, clock), folder }
    }

    /// Puts a file beside the desk.
    pub fn file(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Words with blanks between; files are those of [`Desk::file`].
    pub async fn ask(&self, words: &str) -> Result<Value, Refused> {
        let typed = std::iter::once("tollgate").chain(words.split_whitespace());
        let mut request = Line::try_parse_from(typed).unwrap_or_else(|error| panic!("{words}: {error}")).request;
        let csv = match &mut request {
            Request::Deck(super::deck::Deck::Import(import)) => Some(&mut import.csv),
            Request::Did(did::Did::Import(csv)) | Request::User(user::User::Import(csv)) => Some(csv),
            _ => None,
        };
        if let Some(csv) = csv {
            csv.text = std::fs::read_to_string(self.folder.path().join(&csv.file)).unwrap();
        }
        self.ops.run(request, "cli:test", ProgressSink::none()).await
    }
}
