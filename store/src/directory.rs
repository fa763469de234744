//! The call path's snapshot, read from the tables: users with their opened secrets, accounts, trunks, numbers, routes.

mod since;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::EntityTrait;
use tollgate_billing::AccountTerms;
use tollgate_routing::directory::Change;
use tollgate_routing::trunk::{Credentials, Egress, Ingress, Source};
use tollgate_routing::{Account, Ha1s, User, UserKind};
use tollgate_types::{AccountId, Currency, DeckId, TrunkId, UserId};

use crate::book::rows;
use crate::cells::{self, Cells};
use crate::column;
use crate::entity::{account, deck, did, route, trunk, user};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::trunks::{self, Direction, TrunkRow};
use crate::users::UserRow;
use crate::{dids, routes, secrets, versions};

pub use since::{Delta, since};

/// Everything, as changes to an empty directory, with the version it has at least. `realm` chooses which secrets users prove; `health_every` holds for egress
/// trunks without a time of their own.
pub async fn load(store: &Store, realm: &str, health_every: Option<Duration>) -> Result<Delta> {
    // First: what is written meanwhile is read twice rather than never.
    let version = versions::read(store).await?.directory;
    let users = cells::all(store, USERS, read_user_cells).await?;
    let mut ha1s: HashMap<UserId, Ha1s> = secrets::of_realm(store, realm).await?.into_iter().collect();
    let mut all = Vec::with_capacity(users.len() * 2 + 64);
    let people: BTreeMap<UserId, UserRow> =
        users.into_iter().map(|row| UserRow::try_from(row).map(|row| (row.id, row))).collect::<Result<_>>()?;
    let owners = owners(&people);
    let mut alike = Vec::new();
    for account in cells::all(store, ACCOUNTS, read_account_cells).await? {
        let owner = owners.get(&account.id).copied();
        all.push(Change::Account(read_account(account, owner, &mut alike)?));
    }
    for row in people.values() {
        all.push(Change::User(read_user(row, tenant(&people, row), ha1s.remove(&row.id))));
    }
    let decks = deck::Entity::find().all(store.read()).await?;
    let currencies: BTreeMap<i64, String> = decks.into_iter().map(|deck| (deck.id, deck.currency)).collect();
    for row in trunk::Entity::find().all(store.read()).await? {
        all.push(read_trunk(store, &row, &currencies, health_every)?);
    }
    for row in did::Entity::find().all(store.read()).await? {
        all.push(Change::Did(dids::read(row)?));
    }
    let table = route::Entity::find().all(store.read()).await?;
    all.push(Change::Routes(table.into_iter().map(routes::read).collect::<Result<_>>()?));
    Ok(Delta { version, changes: all })
}

/// An account's owner: the oldest of its users.
fn owners(rows: &BTreeMap<UserId, UserRow>) -> BTreeMap<i64, UserId> {
    let mut owners = BTreeMap::new();
    for row in rows.values() {
        owners.entry(row.account.0).or_insert(row.id);
    }
    owners
}

/// The reseller at the top of a user's tree; a reseller without one above him is his own.
fn tenant(rows: &BTreeMap<UserId, UserRow>, row: &UserRow) -> Option<UserId> {
    let (mut top, mut at) = (None, row);
    for _ in 0..rows.len() {
        match at.terms.parent.and_then(|parent| rows.get(&parent)) {
            Some(parent) => (top, at) = (Some(parent.id), parent),
            None => break,
        }
    }
    top.or((row.terms.kind == UserKind::Reseller).then_some(row.id))
}

fn read_user(row: &UserRow, tenant: Option<UserId>, ha1: Option<Ha1s>) -> User {
    let terms = &row.terms;
    User {
        domain: terms.domain.as_deref().map(|domain| domain.to_lowercase().into()),
        parent: terms.parent,
        tenant,
        kind: terms.kind,
        enabled: row.disabled.is_none(),
        auth: terms.auth,
        sources: terms.sources.clone().into(),
        ha1,
        algorithms: terms.algorithms,
        last_algorithm: row.last_algorithm,
        extension: terms.extension.as_deref().map(Into::into),
        caller_id: terms.caller_id,
        numbers: terms.numbers.clone().into(),
        country: terms.country,
        max_lines: terms.max_lines,
        max_lines_offpeak: terms.max_lines_offpeak,
        credential_version: row.credential_version,
        ..User::new(row.id, &terms.name, row.account)
    }
}

fn read_account(row: account::Model, owner: Option<UserId>, alike: &mut Vec<Arc<AccountTerms>>) -> Result<Account> {
    Ok(Account {
        id: AccountId(row.id),
        owner,
        terms: shared(alike, rows::terms(&row)?),
        deck: row.deck_id.map(DeckId),
        local_only: row.local_only,
        main_number: column::read_option(row.main_number.as_deref(), format_args!("account {}", row.id))?,
        name: row.name.into(),
    })
}

/// The same terms are kept once. Only the kinds met lately are looked through: most accounts are made from few templates.
fn shared(alike: &mut Vec<Arc<AccountTerms>>, terms: AccountTerms) -> Arc<AccountTerms> {
    const KINDS: usize = 16;
    if let Some(same) = alike.iter().find(|known| ***known == terms) {
        return same.clone();
    }
    if alike.len() == KINDS {
        alike.remove(0);
    }
    alike.push(Arc::new(terms));
    alike[alike.len() - 1].clone()
}

fn read_trunk(
    store: &Store,
    row: &trunk::Model,
    currencies: &BTreeMap<i64, String>,
    health_every: Option<Duration>,
) -> Result<Change> {
    let TrunkRow { terms, credential_version, disabled_at, .. } = TrunkRow::try_from(row)?;
    let (id, enabled) = (TrunkId(row.id), disabled_at.is_none());
    if terms.direction == Direction::Ingress {
        let (sources, hosts) = sources(&terms.address);
        return Ok(Change::Ingress(Ingress {
            sources,
            hosts,
            prefix: terms.prefix.as_str().into(),
            username: terms.username.as_deref().map(Into::into),
            ha1: trunks::digest(store, row)?,
            algorithms: terms.algorithms,
            account: terms.account,
            number_from: terms.did_in,
            country: terms.country,
            default_number: terms.default_number,
            trusted_identity: terms.trusted_identity,
            max_lines: terms.max_lines,
            max_lines_offpeak: terms.max_lines_offpeak,
            enabled,
            credential_version,
            ..Ingress::new(id, &terms.name, terms.auth)
        }));
    }
    let uri = terms.address.parse().map_err(|error| Error::corrupt(format!("trunk {}: {error}", terms.name)))?;
    let currency = terms.deck.and_then(|deck| currencies.get(&deck.0));
    let credentials = terms.username.as_deref().filter(|_| row.secret.is_some()).map(|username| Credentials {
        username: username.into(),
        realms: terms.realms.iter().map(|realm| realm.as_str().into()).collect(),
    });
    Ok(Change::Egress(Egress {
        credentials,
        register: terms.register,
        health_every: terms.health_every.or(health_every).filter(|every| !every.is_zero()),
        max_lines: terms.max_lines,
        max_lines_offpeak: terms.max_lines_offpeak,
        talk_day: terms.talk_day,
        talk_month: terms.talk_month,
        deck: terms.deck,
        currency: column::read_option(currency.map(String::as_str), "deck")?.unwrap_or(Currency::USD),
        number_format: terms.number_format,
        caller_id_format: terms.cli_format,
        assert_identity: terms.trusted_identity,
        default_number: terms.default_number,
        country: terms.country,
        enabled,
        ..Egress::new(id, &terms.name, uri)
    }))
}

/// An ingress trunk's address: what is no address or network is a host name.
fn sources(text: &str) -> (Box<[Source]>, Box<[Box<str>]>) {
    let (mut sources, mut hosts) = (Vec::new(), Vec::new());
    for item in text.split([' ', ',']).filter(|item| !item.is_empty()) {
        match item.parse() {
            Ok(source) => sources.push(source),
            Err(_) => hosts.push(item.into()),
        }
    }
    (sources.into(), hosts.into())
}

const USERS: &str =
    "SELECT id, name, domain, kind, account_id, parent_id, disabled_at, auth, sources, algorithms, last_algorithm,
    credential_version, extension, caller_id, numbers, country, max_lines, max_lines_offpeak FROM users";

fn read_user_cells(row: &dyn Cells) -> Result<user::Model> {
    Ok(user::Model {
        id: row.number(0)?,
        name: row.word(1)?,
        domain: row.text(2)?,
        kind: row.word(3)?,
        account_id: row.number(4)?,
        parent_id: row.integer(5)?,
        disabled_at: row.integer(6)?,
        auth: row.word(7)?,
        sources: row.word(8)?,
        algorithms: row.number(9)?,
        last_algorithm: row.text(10)?,
        credential_version: row.number(11)?,
        extension: row.text(12)?,
        caller_id: row.text(13)?,
        numbers: row.word(14)?,
        country: row.text(15)?,
        max_lines: row.integer(16)?,
        max_lines_offpeak: row.integer(17)?,
        // What the call path does not look at.
        key: String::new(),
        disabled_by: None,
        email: None,
        template: None,
        inherited: "[]".to_owned(),
        created_at: 0,
    })
}

const ACCOUNTS: &str = "SELECT id, name, kind, mode, currency, zone, parent_id, deck_id, disabled_at, credit_limit, max_lines,
    max_lines_offpeak, daily_limit, monthly_limit, monthly_increment, monthly_ceiling, dynamic_baseline, burn_rate, talk_day,
    talk_month, local_only, main_number FROM accounts";

fn read_account_cells(row: &dyn Cells) -> Result<account::Model> {
    Ok(account::Model {
        id: row.number(0)?,
        name: row.word(1)?,
        kind: row.word(2)?,
        mode: row.word(3)?,
        currency: row.word(4)?,
        zone: row.word(5)?,
        parent_id: row.integer(6)?,
        deck_id: row.integer(7)?,
        disabled_at: row.integer(8)?,
        credit_limit: row.integer(9)?,
        max_lines: row.integer(10)?,
        max_lines_offpeak: row.integer(11)?,
        daily_limit: row.integer(12)?,
        monthly_limit: row.integer(13)?,
        monthly_increment: row.integer(14)?,
        monthly_ceiling: row.integer(15)?,
        dynamic_baseline: row.integer(16)?,
        burn_rate: row.integer(17)?,
        talk_day: row.integer(18)?,
        talk_month: row.integer(19)?,
        local_only: row.flag(20)?,
        main_number: row.text(21)?,
        // What the call path does not look at, or only the books may.
        disabled_by: None,
        created_at: 0,
        balance: 0,
        held: 0,
        burning: 0,
        entries: 0,
        head: Vec::new(),
        windows: None,
    })
}
