//! Today's snapshots, read from the store: settings, directory, prices. Read whole at start; afterwards what changed, here
//! or on another node.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tollgate_billing::calendar::Zone;
use tollgate_billing::deck::DeckVersion;
use tollgate_billing::policy::{Policy as MoneyPolicy, Rules};
use tollgate_call::{Host, Login};
use tollgate_guard::Policy as GatePolicy;
use tollgate_guard::firewall::Rule;
use tollgate_routing::Directory;
use tollgate_routing::destination::{Book, Destinations};
use tollgate_routing::directory::Change;
use tollgate_routing::domains::Domains;
use tollgate_routing::list::Lists;
use tollgate_routing::{Country, rows as routing_rows};
use tollgate_settings::rows::sip as sip_rows;
use tollgate_settings::{Layers, Profile, Registry, Values};
use tollgate_store::versions::{self, Versions};
use tollgate_store::{
    Result, Store, calendar, currency, decks, destinations, directory, firewall, limits, lists, marks, settings, trunks,
};
use tollgate_types::{AccountId, Currency, Seed, UserId, Wall};

use crate::carrier;
use crate::clock::Clock;
use crate::premises::Premises;
use crate::price_book::PriceBook;
use crate::tuning::Tuned;

/// Where the chosen profile is remembered.
pub const PROFILE_MARK: &str = "profile";
/// Until when the profile `loadtest` holds, in microseconds since 1970.
pub const PROFILE_UNTIL_MARK: &str = "profile_until";

/// Reads snapshots, and replaces those of a living house.
pub struct Snapshots {
    /// The store they are read from.
    pub store: Store,
    /// Every setting there is.
    pub registry: Arc<Registry>,
    /// What the configuration file pins.
    pub pins: ArcSwap<Vec<(String, String)>>,
    /// Who we are.
    pub host: Host,
    /// Hosted beside the domain, and our addresses.
    pub domains: Vec<String>,
    /// Completes the numbers of users without a country.
    pub country: Option<Country>,
    /// The platform's currency.
    pub currency: Currency,
    /// What the Ledger decides by.
    pub rules: Arc<ArcSwap<Rules>>,
    /// For maps.
    pub seed: Seed,
    /// Today.
    pub clock: Clock,
    /// Which versions of what the store holds are in memory. Whoever replaces a snapshot holds this meanwhile.
    pub seen: tokio::sync::Mutex<Versions>,
}

/// What following the directory found that more than readers of it must know.
#[derive(Debug, Default)]
pub struct Followed {
    /// Users who were disabled or removed since.
    pub shut_out: Vec<UserId>,
    /// Accounts with other terms, and whether they were disabled.
    pub accounts: Vec<(AccountId, bool)>,
}

impl Snapshots {
    /// The profile in force: one that takes protections away ends by itself.
    pub async fn profile(&self) -> Result<Profile> {
        match marks::get(&self.store, PROFILE_MARK).await?.as_deref() {
            Some("hardened") => Ok(Profile::Hardened),
            Some("loadtest") => {
                let until = marks::get(&self.store, PROFILE_UNTIL_MARK).await?.and_then(|until| until.parse().ok());
                let holds = until.is_some_and(|until| self.clock.wall() < Wall::from_micros(until));
                Ok(if holds { Profile::Loadtest } else { Profile::Default })
            }
            _ => Ok(Profile::Default),
        }
    }

    /// All settings: profile, stored, pinned.
    pub async fn settings(&self) -> Result<Values> {
        let profile = self.profile().await?;
        let stored = settings::list(&self.store).await?.into_iter().map(|row| (row.name, row.value)).collect();
        let (values, mistakes) = self.registry.values(&Layers { profile, stored, pinned: self.pins.load().to_vec() });
        for mistake in mistakes {
            tracing::warn!(%mistake, "a stored setting is not understood; its default holds");
        }
        Ok(values)
    }

    /// Users, accounts, trunks, numbers, routes; and the version they are of.
    pub async fn directory(&self, values: &Values) -> Result<(Directory, i64)> {
        let domains = Domains::new(&self.host.domain, self.domains.iter().map(String::as_str), self.seed)
            .only_hosted(values.bool(&sip_rows::ONLY_HOSTED_DOMAINS));
        let read = directory::load(&self.store, &self.host.domain, health_every(values)).await?;
        Ok((Directory::new(self.seed, domains, self.country).with(read.changes), read.version))
    }

    /// Decks, calendar, currencies. Decks of `before` that did not change are taken over.
    pub async fn prices(&self, before: Option<&PriceBook>) -> Result<PriceBook> {
        let calendar = Arc::new(calendar::get(&self.store).await?);
        let rates = Arc::new(currency::table(&self.store).await?);
        let mut book = PriceBook::new(calendar, self.currency, rates, self.seed, self.clock.wall());
        for summary in decks::list(&self.store).await? {
            let timeline = book.timeline(summary.deck.zone);
            let known =
                before.and_then(|before| before.deck(summary.deck.id)).filter(|known| *known.deck == summary.deck);
            let version = match known {
                Some(known) => known.on(timeline),
                None => {
                    let rows = decks::rows(&self.store, summary.deck.id).await?;
                    DeckVersion::new(summary.deck.clone(), rows, timeline)
                }
            };
            book.put(summary.deck.id, Arc::new(version));
        }
        book.timeline(Zone::UTC);
        Ok(book)
    }

    /// What the Ledger decides by.
    pub fn rules(&self, values: &Values, prices: &PriceBook) -> Rules {
        let policy = MoneyPolicy::read(values, self.currency);
        Rules { policy, calendar: prices.calendar.clone(), exchange: prices.rates.clone() }
    }

    /// Settings changed: everybody reads them anew.
    pub async fn refresh_settings(&self, house: &Premises) -> Result<()> {
        let mut seen = self.seen.lock().await;
        let version = versions::read(&self.store).await?.settings;
        let values = self.settings().await?;
        let rules = Arc::new(self.rules(&values, &house.prices.load()));
        let ruled = self.rules.swap(rules.clone());
        let tuned = Tuned::read(&values, &self.host);
        house.relay.tune(&tuned.relay);
        house.tuned.store(Arc::new(tuned));
        house.gate.tune(GatePolicy::of(&values));
        let kept_there = |values: &Values| (health_every(values), values.bool(&sip_rows::ONLY_HOSTED_DOMAINS));
        let before = house.settings.swap(Arc::new(values));
        // The directory carries both: what trunks without a time of their own have, and which domains are served.
        if kept_there(&before) != kept_there(&house.settings.load()) {
            self.read_directory(house, &mut seen).await?;
        }
        seen.settings = version;
        // What addresses used is not counted while nothing limits it, and for other periods or callers it is something else.
        if rules.policy.ip.is_on() && ruled.policy.ip != rules.policy.ip {
            limits::recount_addresses(&self.store, &rules).await?;
        }
        Ok(())
    }

    /// Users, accounts, trunks, numbers and routes, all of them.
    pub async fn refresh_directory(&self, house: &Premises) -> Result<()> {
        let mut seen = self.seen.lock().await;
        self.read_directory(house, &mut seen).await
    }

    /// Users, accounts, trunks, numbers or routes changed, here or on another node: what changed is read, and no more.
    pub async fn follow_directory(&self, house: &Premises) -> Result<Followed> {
        let mut seen = self.seen.lock().await;
        let before = house.directory.load_full();
        let every = health_every(&house.settings.load());
        let delta = directory::since(&self.store, &self.host.domain, every, seen.directory).await?;
        let Some(delta) = delta.filter(|delta| !moves_a_tenant(&before, &delta.changes)) else {
            self.read_directory(house, &mut seen).await?;
            return Ok(Followed::between(&before, &house.directory.load(), before.users().map(|user| user.id), []));
        };
        let (mut users, mut accounts, mut trunks) = (Vec::new(), Vec::new(), false);
        for change in &delta.changes {
            match change {
                Change::User(user) => users.push(user.id),
                Change::UserGone(id) => users.push(*id),
                Change::Account(account) => accounts.push(account.id),
                Change::Egress(_) | Change::TrunkGone(_) => trunks = true,
                _ => {}
            }
        }
        if !delta.changes.is_empty() {
            house.trunk_hosts.move_in(before.with(delta.changes), house);
            house.gate.learn(&house.directory.load_full());
            if trunks {
                self.log_in_to_trunks(house).await?;
                tell_carriers(house, &before, &house.directory.load_full());
            }
        }
        seen.directory = delta.version;
        Ok(Followed::between(&before, &house.directory.load(), users, accounts))
    }

    async fn read_directory(&self, house: &Premises, seen: &mut Versions) -> Result<()> {
        let (directory, version) = self.directory(&house.settings.load()).await?;
        let before = house.trunk_hosts.move_in(directory, house);
        seen.directory = version;
        self.log_in_to_trunks(house).await?;
        house.gate.learn(&house.directory.load_full());
        tell_carriers(house, &before, &house.directory.load_full());
        Ok(())
    }

    /// What numbers are, and who may call them; `book` is what is published of them.
    pub async fn destinations(&self, book: Arc<Book>) -> Result<Destinations> {
        Ok(Destinations::new(book, destinations::load(&self.store).await?, self.seed.child(0x6465)))
    }

    /// Destination policy or number lists changed.
    pub async fn refresh_destinations(&self, house: &Premises) -> Result<()> {
        let mut seen = self.seen.lock().await;
        let version = versions::read(&self.store).await?.destinations;
        let book = house.destinations.load().book().clone();
        let (laid, listed) = (self.destinations(book).await?, lists::list(&self.store).await?);
        house.destinations.store(Arc::new(laid));
        house.lists.store(Arc::new(Lists::new(listed)));
        seen.destinations = version;
        Ok(())
    }

    /// Decks, calendar or currencies changed.
    pub async fn refresh_prices(&self, house: &Premises) -> Result<()> {
        let mut seen = self.seen.lock().await;
        let version = versions::read(&self.store).await?.prices;
        let prices = self.prices(Some(&house.prices.load())).await?;
        self.rules.store(Arc::new(self.rules(&house.settings.load(), &prices)));
        house.prices.store(Arc::new(prices));
        seen.prices = version;
        Ok(())
    }

    /// Firewall rules changed.
    pub async fn refresh_firewall(&self, house: &Premises) -> Result<()> {
        house.gate.rewrite(firewall::list(&self.store).await?.iter().filter_map(rule_of).collect());
        Ok(())
    }

    /// Opens the secrets that we log in to trunks with.
    pub async fn log_in_to_trunks(&self, house: &Premises) -> Result<()> {
        for trunk in house.directory.load_full().egresses() {
            let record = house.trunks.record(trunk.id);
            let login = match &trunk.credentials {
                Some(credentials) => trunks::password(&self.store, trunk.id).await?.map(|secret| {
                    Arc::new(Login {
                        username: credentials.username.clone(),
                        secret: secret.into(),
                        realms: credentials.realms.clone(),
                    })
                }),
                None => None,
            };
            record.login.store(Arc::new(login));
        }
        Ok(())
    }

    /// Time lines reach a few days ahead and are laid out anew before they end.
    pub const LAY_OUT_EVERY: Duration = Duration::from_secs(6 * 3600);
}

fn health_every(values: &Values) -> Option<Duration> {
    values.duration_or_off(&routing_rows::HEALTH_EVERY)
}

/// A reseller under another one takes his whole tree along, and only reading everything finds it.
fn moves_a_tenant(before: &Directory, changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::User(user) => {
            before.user(user.id).is_some_and(|was| was.tenant != user.tenant)
                && before.users().any(|other| other.parent == Some(user.id))
        }
        _ => false,
    })
}

fn tell_carriers(house: &Premises, before: &Directory, now: &Directory) {
    for trunk in now.egresses() {
        if before.egress(trunk.id).is_none_or(|known| **known != **trunk) {
            let changed = carrier::Changed { trunk: trunk.id, now: Some(trunk.clone()) };
            house.shards().of_trunk(trunk.id).do_send(changed);
        }
    }
    for gone in before.egresses().filter(|trunk| now.egress(trunk.id).is_none()) {
        house.shards().of_trunk(gone.id).do_send(carrier::Changed { trunk: gone.id, now: None });
    }
}

impl Followed {
    fn between(
        before: &Directory,
        now: &Directory,
        users: impl IntoIterator<Item = UserId>,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Followed {
        let may = |directory: &Directory, id: UserId| directory.user(id).is_some_and(|user| user.enabled);
        let pays =
            |directory: &Directory, id: AccountId| directory.account(id).is_some_and(|account| !account.terms.disabled);
        let shut_out = users.into_iter().filter(|id| may(before, *id) && !may(now, *id));
        let accounts = accounts.into_iter().map(|id| (id, pays(before, id) && !pays(now, id)));
        Followed { shut_out: shut_out.collect(), accounts: accounts.collect() }
    }
}

/// A rule as the gate keeps it; `None` for one that this version cannot read, which then does not hold.
pub fn rule_of(row: &firewall::Rule) -> Option<Rule> {
    let mut rule = Rule::new(row.id, row.wish.allow, row.wish.cidr.parse().ok()?);
    rule.port = row.wish.port;
    rule.transport = match &row.wish.transport {
        Some(transport) => Some(transport.parse().ok()?),
        None => None,
    };
    rule.until = row.wish.expires_at;
    Some(rule)
}
