//! The platform and its accounts: a directory, two decks, the settings an operator would run, and who lives there.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tollgate_billing::account::{AccountKind, AccountTerms, Mode};
use tollgate_billing::calendar::{Calendar, Timeline, Zone};
use tollgate_billing::deck::{Band, Deck, DeckKind, DeckRow, DeckVersion};
use tollgate_billing::price::Price;
use tollgate_routing::destination::Destinations;
use tollgate_routing::directory::{Change, Directory};
use tollgate_routing::list::Lists;
use tollgate_routing::{Account, AuthMode, Domains, Egress, Ingress, Route, User, UserKind};
use tollgate_settings::{Layers, Profile, Registry, Values};
use tollgate_types::{AccountId, Currency, DeckId, Money, Prefix, Rate, RouteId, Rule, Seed, TrunkId, UserId, Wall};

/// Monday, 2026-03-02, midnight of UTC: thirty days of one month.
pub const BEGIN: Wall = Wall::from_secs(1_772_409_600);
pub const DAYS: i64 = 30;
pub const DAY: i64 = 86_400;

/// The carrier that all calls leave by.
const CARRIER: TrunkId = TrunkId(100_000);
const SELL: DeckId = DeckId(1);
const BUY: DeckId = DeckId(2);

/// Prefix, what a minute costs.
const PRICES: &[(&str, &str)] = &[
    ("36", "0.02"),
    ("44", "0.03"),
    ("49", "0.04"),
    ("43", "0.05"),
    ("91", "0.12"),
    ("381", "0.18"),
    ("1876", "0.35"),
    ("252", "0.90"),
    ("882", "1.50"),
];

pub struct Town {
    pub directory: Directory,
    pub destinations: Destinations,
    pub lists: Lists,
    pub sell: Arc<DeckVersion>,
    pub buy: Arc<DeckVersion>,
    pub values: Values,
    pub customers: Vec<Customer>,
}

pub struct Customer {
    /// Of the user or trunk and of the account alike.
    pub id: i64,
    pub kind: Kind,
    pub balance: Money,
    pub terms: AccountTerms,
    /// Calls at a time.
    pub lines: Option<u32>,
    /// Where its calls come from while it is its own.
    pub address: IpAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A few calls a day, some abroad.
    Resident,
    /// Comes on this day, and calls more on it than ever again.
    Newcomer(i64),
    /// Calls in working hours; three times as much on a Monday as on a Sunday.
    Office,
    /// Many calls, of which most are answered by nobody.
    CallCentre,
    /// Sends other people's calls by a trunk.
    Wholesaler,
    /// Two lines, on credit; robbed in one night.
    Shop,
    /// Like a resident, with limits of its own; robbed slowly.
    Pensioner,
    /// Like a wholesaler; its trunk's secret is stolen.
    Exchange,
}

impl Kind {
    pub fn is_wholesale(self) -> bool {
        matches!(self, Kind::Wholesaler | Kind::Exchange)
    }
}

pub fn money(text: &str) -> Money {
    text.parse().expect("an amount")
}

impl Town {
    /// `size` accounts under all rules but one.
    pub fn new(size: usize, without: Option<Rule>) -> Town {
        let mut kinds = vec![Kind::Shop, Kind::Pensioner, Kind::Exchange, Kind::CallCentre];
        for n in kinds.len()..size {
            kinds.push(match n % 50 {
                0 => Kind::Wholesaler,
                1 | 2 => Kind::Office,
                3 | 4 => Kind::Newcomer(n as i64 % (DAYS - 5)),
                _ => Kind::Resident,
            });
        }
        let customers: Vec<Customer> =
            kinds.into_iter().enumerate().map(|(n, kind)| Customer::new(n as i64 + 1, kind, without)).collect();
        Town {
            directory: directory(&customers),
            destinations: Destinations::published(Seed([2; 4])),
            lists: Lists::default(),
            sell: deck(SELL, DeckKind::Sell),
            buy: deck(BUY, DeckKind::Buy),
            values: settings(without),
            customers,
        }
    }

    pub fn deck(&self, id: DeckId) -> Option<Arc<DeckVersion>> {
        Some(if id == SELL { self.sell.clone() } else { self.buy.clone() })
    }

    /// The one of its kind.
    pub fn the(&self, kind: Kind) -> usize {
        self.customers.iter().position(|customer| customer.kind == kind).expect("it lives here")
    }
}

impl Customer {
    fn new(id: i64, kind: Kind, without: Option<Rule>) -> Customer {
        let mut terms = AccountTerms::default();
        let (mut balance, mut lines) = (money("150"), None);
        match kind {
            Kind::Resident | Kind::Newcomer(_) => {}
            Kind::Office => {
                (terms.mode, terms.credit_limit) = (Mode::Postpaid, Some(money("400")));
                (balance, lines) = (Money::ZERO, Some(20));
                terms.dynamic_baseline = Some(money("6"));
            }
            Kind::CallCentre => {
                (balance, lines) = (money("900"), Some(30));
                terms.dynamic_baseline = Some(money("15"));
            }
            Kind::Wholesaler => {
                terms.kind = AccountKind::TrafficSender;
                balance = money("2500");
            }
            Kind::Shop => {
                (terms.mode, terms.credit_limit) = (Mode::Postpaid, Some(money("300")));
                (balance, lines) = (Money::ZERO, Some(2));
            }
            Kind::Pensioner => {
                balance = money("300");
                (terms.daily_limit, terms.monthly_limit) = (Some(money("8")), Some(money("40")));
            }
            Kind::Exchange => {
                terms.kind = AccountKind::TrafficSender;
                balance = money("850");
            }
        }
        match without {
            Some(Rule::Credit) => (terms.mode, terms.credit_limit) = (Mode::Postpaid, None),
            Some(Rule::DailyLimit) => terms.daily_limit = None,
            Some(Rule::MonthlyLimit) => terms.monthly_limit = None,
            Some(Rule::Lines) => lines = None,
            _ => {}
        }
        let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + id as u32));
        Customer { id, kind, balance, terms, lines, address }
    }
}

/// The profile `hardened`, with limits of our own; days that met the learned limit go on without a review.
fn settings(without: Option<Rule>) -> Values {
    let registry = Registry::new(&[
        tollgate_settings::rows::call::ROWS,
        tollgate_settings::rows::platform::ROWS,
        tollgate_call::policy::ROWS,
        tollgate_call::admission::rows::ROWS,
        tollgate_billing::settings::ROWS,
        tollgate_billing::source::ROWS,
        tollgate_guard::caller::ROWS,
        tollgate_guard::fraud::ROWS,
        tollgate_routing::rows::ROWS,
    ]);
    let mut stored = vec![
        ("credit.daily.enduser", "50"),
        ("credit.daily.traffic_sender", "300"),
        ("credit.dynamic.review", "false"),
        ("ip.cost_max", "100"),
        ("lines.enduser", "4"),
    ];
    match without {
        Some(Rule::DestinationBlocked) => {
            stored.extend([("destination.satellite", "allow"), ("destination.premium", "allow")]);
        }
        Some(Rule::Fraud) => stored.push(("fraud.block_at", "off")),
        Some(Rule::CallerBanned) => stored.push(("fraud.autoban", "off")),
        Some(Rule::Lines) => stored.push(("lines.enduser", "off")),
        Some(Rule::BurnRate) => stored.push(("credit.burn_time", "off")),
        Some(Rule::IpCost) => stored.push(("ip.cost_max", "off")),
        Some(Rule::DynamicLimit) => stored.push(("credit.dynamic.enabled", "off")),
        Some(Rule::DailyLimit) => {
            stored.extend([("credit.daily.enduser", "off"), ("credit.daily.traffic_sender", "off")]);
        }
        _ => {}
    }
    let stored = stored.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let (values, mistakes) = registry.values(&Layers { profile: Profile::Hardened, stored, ..Layers::default() });
    assert!(mistakes.is_empty(), "{mistakes:?}");
    values
}

fn directory(customers: &[Customer]) -> Directory {
    let seed = Seed([1; 4]);
    let mut changes = Vec::new();
    for customer in customers {
        changes.push(Change::Account(account(customer)));
        if customer.kind.is_wholesale() {
            let mut trunk = Ingress::new(TrunkId(customer.id), &format!("trunk{}", customer.id), AuthMode::Digest);
            trunk.account = Some(AccountId(customer.id));
            changes.push(Change::Ingress(trunk));
        }
        let mut user = User::new(UserId(customer.id), &format!("user{}", customer.id), AccountId(customer.id));
        user.country = Some("HU".parse().expect("a country"));
        user.max_lines = customer.lines;
        if customer.kind.is_wholesale() {
            user.kind = UserKind::TrafficSender;
        }
        changes.push(Change::User(user));
    }
    let mut carrier = Egress::new(CARRIER, "carrier", "192.0.2.50".parse().expect("an address"));
    carrier.deck = Some(BUY);
    changes.push(Change::Egress(carrier));
    changes.push(Change::Routes(vec![Route {
        id: RouteId(1),
        prefix: Prefix::ANY,
        trunk: CARRIER,
        priority: 1,
        weight: 0,
        band: tollgate_routing::Band::All,
        emergency: false,
        enabled: true,
    }]));
    Directory::new(seed, Domains::new("voip.test", [], seed), None).with(changes)
}

fn account(customer: &Customer) -> Account {
    Account {
        id: AccountId(customer.id),
        name: format!("account{}", customer.id).into(),
        owner: Some(UserId(customer.id)),
        terms: Arc::new(customer.terms.clone()),
        deck: Some(SELL),
        local_only: false,
        main_number: None,
        sell_max: None,
        early_media: None,
    }
}

/// What is bought costs half.
fn deck(id: DeckId, kind: DeckKind) -> Arc<DeckVersion> {
    let price = |text: &str| {
        let rate: Rate = text.parse().expect("a price");
        if kind == DeckKind::Buy { Rate::from_nanos(rate.nanos() / 2) } else { rate }
    };
    let calendar = Arc::new(Calendar::new(vec![], vec![]).expect("an empty calendar"));
    let head = Deck { id, name: "deck".into(), kind, currency: Currency::USD, zone: Zone::UTC, version: 1 };
    let rows = PRICES.iter().map(|(prefix, rate)| DeckRow {
        prefix: prefix.parse().expect("a prefix"),
        destination: (*prefix).to_owned(),
        price: Price { first: 6, next: 6, ..Price::per_minute(price(rate)) },
        band: Band::All,
        effective_from: None,
        blocked: false,
    });
    Arc::new(DeckVersion::new(head, rows.collect(), Arc::new(Timeline::new(calendar, Zone::UTC, BEGIN))))
}
