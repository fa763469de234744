//! The whole admission of a paid call, every rule on: `cargo bench -p tollgate-call`.
//!
//! Decks of 200,000 prefixes on both sides, 10,000 list entries, 100,000 prefixes of an IRSF list, 1000 destination rules, two
//! carriers, a customer of a reseller.
#![allow(clippy::unwrap_used, reason = "a bench stops where it cannot")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use tollgate_billing::account::{AccountKind, AccountTerms};
use tollgate_billing::calendar::{Calendar, Timeline, Zone};
use tollgate_billing::cdr::CallKind;
use tollgate_billing::currency::RateTable;
use tollgate_billing::deck::{Band, Deck, DeckKind, DeckRow, DeckVersion};
use tollgate_billing::price::Price;
use tollgate_call::admission::{Facts, Load, judge, rows};
use tollgate_call::{Claim, Party, PlanAsk};
use tollgate_guard::fraud::{Score, Standing};
use tollgate_routing::destination::{Book, Destinations, Laid, Risk, Rule, Target};
use tollgate_routing::directory::{Change, Directory};
use tollgate_routing::emergency::Emergencies;
use tollgate_routing::lcr::Health;
use tollgate_routing::list::{Color, Entry, Lists, Numbers, Reputation, Side};
use tollgate_routing::{Account, Domains, Egress, Route, User};
use tollgate_settings::{Layers, Registry, Values};
use tollgate_types::*;

const NOW: Wall = Wall::from_secs(1_800_000_000);
const PREFIXES: u64 = 200_000;
const ENTRIES: u64 = 10_000;

fn main() {
    divan::main();
}

struct World {
    directory: Directory,
    destinations: Destinations,
    lists: Lists,
    values: Values,
    emergencies: Emergencies,
    decks: Vec<Arc<DeckVersion>>,
    rates: RateTable,
}

impl World {
    fn new() -> World {
        let seed = Seed([1; 4]);
        let registry = Registry::new(&[rows::ROWS, tollgate_settings::rows::call::ROWS, tollgate_routing::rows::ROWS]);
        let on = [
            ("price.required", "whole-chain"),
            ("price.exact", "all"),
            ("price.profit", "no-loss"),
            ("price.buy_max", "5"),
            ("price.sell_max", "5"),
            ("lists.smart", "true"),
        ];
        let stored = on.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let (values, mistakes) = registry.values(&Layers { stored, ..Layers::default() });
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let decks = (1..=4).map(|id| deck(id, if id < 3 { 100_000_000 } else { 50_000_000 })).collect();
        let emergencies = Emergencies::from_values(&values);
        let (destinations, lists) = (destinations(seed), lists());
        World {
            directory: directory(seed),
            destinations,
            lists,
            values,
            emergencies,
            decks,
            rates: RateTable::default(),
        }
    }

    fn judge(&self, number: &str) -> bool {
        let reputation = Reputation { score: 4, heard_at: NOW, ..Reputation::default() };
        let facts = Facts {
            directory: &self.directory,
            destinations: &self.destinations,
            lists: &self.lists,
            reputation: &|_| Some(reputation),
            values: &self.values,
            emergencies: &self.emergencies,
            deck: &|id| self.decks.get(id.0 as usize - 1).cloned(),
            rates: &self.rates,
            currency: Currency::USD,
            peak: true,
            offpeak: &|_| false,
            load: Load::default(),
            caller_ban: &|_| None,
            fraud: &|_, _| Standing::Clear(Score::default()),
            health: &|_| Health::FINE,
            devices: &|_| None,
            draw: 7,
            now: Mono::START,
            wall: NOW,
        };
        let party = Party::User { user: UserId(1), account: AccountId(1), name: "alice".into() };
        let uri = format!("sip:{number}@example.com");
        let ask = PlanAsk {
            kind: CallKind::Internal,
            payer: party.clone(),
            source: "198.51.100.1".parse().unwrap(),
            dialled: uri.as_str().into(),
            to: uri.into(),
            claim: Claim::default(),
            caller: party,
            local_only: false,
        };
        judge(black_box(&ask), &facts).verdict.is_ok()
    }
}

/// Six digits from 200000 on, under every country code that begins so.
fn digits(n: u64) -> String {
    format!("{}", 200_000 + n * 4 % 800_000)
}

fn deck(id: i64, nanos: i64) -> Arc<DeckVersion> {
    let kind = if id < 3 { DeckKind::Sell } else { DeckKind::Buy };
    let head = Deck { id: DeckId(id), name: "deck".into(), kind, currency: Currency::USD, zone: Zone::UTC, version: 1 };
    let rows = (0..PREFIXES).map(|n| DeckRow {
        prefix: digits(n).parse().unwrap(),
        destination: String::new(),
        price: Price::per_minute(Rate::from_nanos(nanos)),
        band: Band::All,
        effective_from: None,
        blocked: false,
    });
    let timeline = Timeline::new(Arc::new(Calendar::new(vec![], vec![]).unwrap()), Zone::UTC, NOW);
    Arc::new(DeckVersion::new(head, rows.collect(), Arc::new(timeline)))
}

fn lists() -> Lists {
    let entry = |n: u64| Entry {
        id: n as i64,
        color: if n.is_multiple_of(2) { Color::Black } else { Color::White },
        numbers: match n % 3 {
            0 => Numbers::parse(&format!("44{:09}", n * 7919)),
            1 => Numbers::parse(&format!("{}*", 3_000_000 + n)),
            _ => Numbers::parse(&format!("36{:07}123-36{:07}987", n, n)),
        }
        .unwrap(),
        side: if n.is_multiple_of(4) { Side::Caller } else { Side::Callee },
        certainty: 3,
        account: n.is_multiple_of(5).then_some(AccountId(n as i64)),
        until: None,
        source: "fixed".into(),
    };
    Lists::new((0..ENTRIES).map(entry).collect())
}

fn destinations(seed: Seed) -> Destinations {
    let rule = |n: i64| Rule {
        id: n,
        account: (n % 2 == 0).then_some(AccountId(n % 7)),
        target: Target::parse(["GB", "4477", "low", "special", "DE"][n as usize % 5]).unwrap(),
        allows: true,
    };
    let laid = Laid {
        irsf: (0..100_000u64).map(|n| format!("252{n:06}").parse().unwrap()).collect(),
        risks: vec![("CU".parse().unwrap(), Risk::FraudProne)],
        groups: Vec::new(),
        rules: (1..=1000).map(rule).collect(),
    };
    Destinations::new(Arc::new(Book::published()), laid, seed)
}

fn directory(seed: Seed) -> Directory {
    let account = |id: i64, parent: Option<i64>| {
        let kind = if parent.is_none() { AccountKind::Reseller } else { AccountKind::EndUser };
        Change::Account(Account {
            id: AccountId(id),
            name: format!("account{id}").into(),
            owner: None,
            terms: Arc::new(AccountTerms { kind, parent: parent.map(AccountId), ..AccountTerms::default() }),
            deck: Some(DeckId(id)),
            local_only: false,
            main_number: None,
            sell_max: None,
            early_media: None,
        })
    };
    let mut user = User::new(UserId(1), "alice", AccountId(1));
    user.caller_id = Some("36301111111".parse().unwrap());
    let mut changes = vec![account(1, Some(2)), account(2, None), Change::User(user)];
    let mut routes = Vec::new();
    for id in [3, 4] {
        let mut carrier = Egress::new(TrunkId(id), &format!("carrier{id}"), "192.0.2.50".parse().unwrap());
        carrier.deck = Some(DeckId(id));
        changes.push(Change::Egress(carrier));
        routes.push(Route {
            id: RouteId(id),
            prefix: Prefix::ANY,
            trunk: TrunkId(id),
            priority: 0,
            weight: 0,
            band: tollgate_routing::Band::All,
            emergency: false,
            enabled: true,
        });
    }
    changes.push(Change::Routes(routes));
    Directory::new(seed, Domains::new("example.com", [], seed), None).with(changes)
}

/// A call that every rule lets pass.
#[divan::bench]
fn admitted(bencher: Bencher<'_, '_>) {
    let world = World::new();
    assert!(world.judge("442080460000"), "it must be admitted, else nothing is measured");
    bencher.bench_local(|| world.judge("442080460000"));
}

/// One that is stopped halfway: a satellite number.
#[divan::bench]
fn blocked(bencher: Bencher<'_, '_>) {
    let world = World::new();
    assert!(!world.judge("881612345678"));
    bencher.bench_local(|| world.judge("881612345678"));
}

/// What an import costs once: ten thousand list entries indexed.
#[divan::bench(sample_count = 20)]
fn lists_indexed() -> Lists {
    lists()
}
