//! Peer carriers and wholesalers, in one direction each.

use std::time::Duration;

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};
use tollgate_routing::country::Country;
use tollgate_routing::format::{CallerIdFormat, NumberFormat};
use tollgate_routing::trunk::NumberFrom;
use tollgate_routing::{Algorithms, AuthMode, Ha1s};
use tollgate_types::{AccountId, DeckId, E164, TrunkId, Wall};

use crate::accounts;
use crate::audit::{self, Change};
use crate::column;
use crate::entity::{account, deck, route, trunk};
use crate::error::{Error, Result};
use crate::open::{By, Store, Writing};
use crate::seal::Place;
use crate::secrets;
use crate::versions::{self, Touched};

/// A trunk as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkRow {
    /// Its number; never given again.
    pub id: TrunkId,
    /// What an operator may change.
    pub terms: TrunkTerms,
    /// Has it a secret?
    pub has_secret: bool,
    /// Grows with every change of its secret.
    pub credential_version: u32,
    /// Since when it is disabled.
    pub disabled_at: Option<Wall>,
    /// Since when it exists.
    pub created_at: Wall,
}

/// Which way calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It sends calls to us.
    Ingress,
    /// It takes calls from us.
    Egress,
}

/// What an operator says of a trunk. What concerns the other direction is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkTerms {
    /// Its name.
    pub name: String,
    /// Which way.
    pub direction: Direction,
    /// Ingress: addresses, networks and host names, separated by blanks or commas. Egress: where calls go.
    pub address: String,
    /// How an ingress trunk proves itself.
    pub auth: AuthMode,
    /// What an ingress trunk's numbers begin with; stripped.
    pub prefix: String,
    /// Its digest user name with us, or ours with it.
    pub username: Option<String>,
    /// Realms in which our password may be proven to an egress trunk; empty: the first one seen.
    pub realms: Vec<String>,
    /// Digest algorithms an ingress trunk is offered.
    pub algorithms: Algorithms,
    /// Who pays for an ingress trunk; none: a carrier that brings calls to our numbers.
    pub account: Option<AccountId>,
    /// What an egress trunk charges.
    pub deck: Option<DeckId>,
    /// Calls at a time.
    pub max_lines: Option<u32>,
    /// The same outside peak hours; none: as in peak hours.
    pub max_lines_offpeak: Option<u32>,
    /// Seconds an egress trunk may talk on a day of UTC.
    pub talk_day: Option<u64>,
    /// Seconds it may talk in a month.
    pub talk_month: Option<u64>,
    /// How an egress trunk wants numbers.
    pub number_format: NumberFormat,
    /// How it wants the caller.
    pub cli_format: CallerIdFormat,
    /// Where an ingress trunk writes the number dialled.
    pub did_in: NumberFrom,
    /// Shown where the caller has no number.
    pub default_number: Option<E164>,
    /// Completes an ingress trunk's numbers; national formats of an egress trunk.
    pub country: Option<Country>,
    /// Does it belong to those who tell each other who calls by P-Asserted-Identity (RFC 3325's trust domain)? Then an ingress
    /// trunk is believed, and an egress trunk is told.
    pub trusted_identity: bool,
    /// Do we register with an egress trunk?
    pub register: bool,
    /// How often an egress trunk is asked by OPTIONS; none: the setting decides; zero: never.
    pub health_every: Option<Duration>,
}

/// A trunk's secret.
pub enum TrunkSecret {
    /// Of an ingress trunk: what its password leaves behind.
    Digest(Box<Ha1s>),
    /// Of an egress trunk: our password with it.
    Password(String),
}

/// The trunk called `name`.
pub async fn named(store: &Store, name: &str) -> Result<TrunkRow> {
    let row = trunk::Entity::find().filter(trunk::Column::Name.eq(name)).one(store.read()).await?;
    TrunkRow::try_from(&row.ok_or_else(|| Error::missing("trunk", name))?)
}

/// All trunks, newest first.
pub async fn list(store: &Store) -> Result<Vec<TrunkRow>> {
    let rows = trunk::Entity::find().order_by_desc(trunk::Column::Id).all(store.read()).await?;
    rows.iter().map(TrunkRow::try_from).collect()
}

/// Makes a trunk.
pub async fn create(store: &Store, by: &By, terms: &TrunkTerms, secret: Option<TrunkSecret>) -> Result<TrunkRow> {
    let writing = store.begin().await?;
    check(&writing, terms).await?;
    let row = trunk::ActiveModel {
        id: NotSet,
        secret: Set(None),
        credential_version: Set(0),
        disabled_at: Set(None),
        created_at: Set(by.at.micros()),
        ..columns(terms)
    };
    let made = trunk::Entity::insert(row).exec_with_returning(&*writing).await.map_err(|error| taken(error, terms))?;
    let is_now = serde_json::to_value(&made).ok();
    audit::note(&writing, by, Change { action: "add", noun: "trunk", subject: &terms.name, was: None, is_now }).await?;
    let made = match secret {
        Some(secret) => put_secret(store, &writing, &made, &secret).await?,
        None => made,
    };
    versions::touch(&writing, &[Touched::Trunk(TrunkId(made.id))]).await?;
    writing.commit().await?;
    TrunkRow::try_from(&made)
}

/// Changes a trunk: `edit` gets its terms as they are; a new secret replaces the old one. The direction stays.
pub async fn edit(
    store: &Store,
    by: &By,
    name: &str,
    secret: Option<TrunkSecret>,
    edit: impl FnOnce(&mut TrunkTerms) -> Result<()>,
) -> Result<TrunkRow> {
    let writing = store.begin().await?;
    let was = find(&writing, name).await?;
    let mut terms = TrunkRow::try_from(&was)?.terms;
    let direction = terms.direction;
    edit(&mut terms)?;
    if terms.direction != direction {
        return Err(Error::Refused(format!("trunk {name} cannot change its direction: add another one")));
    }
    check(&writing, &terms).await?;
    let row = trunk::ActiveModel { id: Set(was.id), ..columns(&terms) };
    let mut is_now = trunk::Entity::update(row).exec(&*writing).await.map_err(|error| taken(error, &terms))?;
    if let Some(secret) = secret {
        is_now = put_secret(store, &writing, &is_now, &secret).await?;
    }
    if let Some((before, after)) = audit::difference(&was, &is_now) {
        let (was, after) = (Some(before), Some(after));
        audit::note(&writing, by, Change { action: "set", noun: "trunk", subject: name, was, is_now: after }).await?;
        versions::touch(&writing, &[Touched::Trunk(TrunkId(is_now.id))]).await?;
    }
    writing.commit().await?;
    TrunkRow::try_from(&is_now)
}

/// Disables or enables a trunk.
pub async fn set_enabled(store: &Store, by: &By, name: &str, enabled: bool) -> Result<()> {
    let writing = store.begin().await?;
    let row = find(&writing, name).await?;
    if row.disabled_at.is_none() == enabled {
        return Ok(());
    }
    let change = trunk::ActiveModel {
        id: Set(row.id),
        disabled_at: Set((!enabled).then_some(by.at.micros())),
        ..<trunk::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    trunk::Entity::update(change).exec(&*writing).await?;
    let action = if enabled { "enable" } else { "disable" };
    audit::note(&writing, by, Change { action, noun: "trunk", subject: name, was: None, is_now: None }).await?;
    versions::touch(&writing, &[Touched::Trunk(TrunkId(row.id))]).await?;
    writing.commit().await
}

/// Removes a trunk that carries nothing and that no route names.
pub async fn remove(store: &Store, by: &By, name: &str) -> Result<TrunkRow> {
    let writing = store.begin().await?;
    let row = find(&writing, name).await?;
    let routes = route::Entity::find().filter(route::Column::TrunkId.eq(row.id)).count(&*writing).await?;
    if routes > 0 {
        return Err(Error::Refused(format!("trunk {name} still has {routes} route(s): remove them first")));
    }
    if accounts::lines(&*writing, (2, row.id)).await? > 0 {
        return Err(Error::Refused(format!("trunk {name} has live calls: disable it first")));
    }
    trunk::Entity::delete_by_id(row.id).exec(&*writing).await?;
    let was = serde_json::to_value(&row).ok();
    audit::note(&writing, by, Change { action: "remove", noun: "trunk", subject: name, was, is_now: None }).await?;
    versions::touch(&writing, &[Touched::Trunk(TrunkId(row.id))]).await?;
    writing.commit().await?;
    TrunkRow::try_from(&row)
}

/// Our password with an egress trunk, to answer its challenge.
pub async fn password(store: &Store, id: TrunkId) -> Result<Option<String>> {
    let Some(row) = trunk::Entity::find_by_id(id.0).one(store.read()).await? else { return Ok(None) };
    if row.direction != Direction::Egress.name() {
        return Ok(None);
    }
    let Some(bytes) = open_secret(store, &row)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| Error::corrupt(format!("trunk {}: password", row.id)))
}

/// Digest secrets of an ingress trunk.
pub(crate) fn digest(store: &Store, row: &trunk::Model) -> Result<Option<Ha1s>> {
    open_secret(store, row)?.map(|bytes| secrets::unpack(&bytes)).transpose()
}

fn open_secret(store: &Store, row: &trunk::Model) -> Result<Option<Vec<u8>>> {
    let id = row.id.to_string();
    row.secret.as_ref().map(|sealed| store.seal().open(place(&id), sealed)).transpose()
}

async fn put_secret(
    store: &Store,
    writing: &Writing,
    row: &trunk::Model,
    secret: &TrunkSecret,
) -> Result<trunk::Model> {
    let plain = match secret {
        TrunkSecret::Digest(ha1) => secrets::pack(ha1),
        TrunkSecret::Password(text) => text.clone().into_bytes(),
    };
    let change = trunk::ActiveModel {
        id: Set(row.id),
        secret: Set(Some(store.seal().seal(place(&row.id.to_string()), &plain))),
        credential_version: Set(row.credential_version + 1),
        ..<trunk::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    Ok(trunk::Entity::update(change).exec(&**writing).await?)
}

fn place(row: &str) -> Place<'_> {
    Place { table: "trunks", row, column: "secret" }
}

async fn find(writing: &Writing, name: &str) -> Result<trunk::Model> {
    let row = trunk::Entity::find().filter(trunk::Column::Name.eq(name)).one(&**writing).await?;
    row.ok_or_else(|| Error::missing("trunk", name))
}

async fn check(writing: &Writing, terms: &TrunkTerms) -> Result<()> {
    if let Some(id) = terms.account {
        account::Entity::find_by_id(id.0).one(&**writing).await?.ok_or_else(|| Error::missing("account", id))?;
    }
    if let Some(id) = terms.deck {
        let deck = deck::Entity::find_by_id(id.0).one(&**writing).await?.ok_or_else(|| Error::missing("deck", id))?;
        if deck.kind != "buy" {
            return Err(Error::Refused(format!(
                "deck {} is a selling deck: a trunk charges by a buying deck",
                deck.name
            )));
        }
    }
    Ok(())
}

fn taken(error: sea_orm::DbErr, terms: &TrunkTerms) -> Error {
    match Error::is_duplicate(&error) {
        true => Error::exists("trunk", &terms.name),
        false => error.into(),
    }
}

fn columns(terms: &TrunkTerms) -> trunk::ActiveModel {
    trunk::ActiveModel {
        name: Set(terms.name.clone()),
        direction: Set(terms.direction.name().to_owned()),
        address: Set(terms.address.clone()),
        auth: Set(terms.auth.name().to_owned()),
        prefix: Set(terms.prefix.clone()),
        username: Set(terms.username.clone()),
        realms: Set(serde_json::Value::from(terms.realms.clone()).to_string()),
        algorithms: Set(i64::from(terms.algorithms.bits())),
        account_id: Set(terms.account.map(|id| id.0)),
        deck_id: Set(terms.deck.map(|id| id.0)),
        max_lines: Set(terms.max_lines.map(i64::from)),
        max_lines_offpeak: Set(terms.max_lines_offpeak.map(i64::from)),
        talk_day: Set(terms.talk_day.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))),
        talk_month: Set(terms.talk_month.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))),
        number_format: Set(terms.number_format.to_string()),
        cli_format: Set(terms.cli_format.to_string()),
        did_in: Set(if terms.did_in == NumberFrom::To { "to" } else { "uri" }.to_owned()),
        default_number: Set(terms.default_number.map(|number| number.digits().to_owned())),
        country: Set(terms.country.map(|country| country.to_string())),
        trusted_identity: Set(terms.trusted_identity),
        register: Set(terms.register),
        health_every: Set(terms.health_every.map(|every| i64::try_from(every.as_secs()).unwrap_or(i64::MAX))),
        ..<trunk::ActiveModel as sea_orm::ActiveModelTrait>::default()
    }
}

impl Direction {
    /// As the command line and the database name it.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }
}

impl TrunkTerms {
    /// A trunk at `address` with nothing set.
    pub fn new(name: &str, direction: Direction, address: &str) -> TrunkTerms {
        TrunkTerms {
            name: name.to_owned(),
            direction,
            address: address.to_owned(),
            auth: AuthMode::Ip,
            prefix: String::new(),
            username: None,
            realms: Vec::new(),
            algorithms: Algorithms::ALL,
            account: None,
            deck: None,
            max_lines: None,
            max_lines_offpeak: None,
            talk_day: None,
            talk_month: None,
            number_format: NumberFormat::default(),
            cli_format: CallerIdFormat::default(),
            did_in: NumberFrom::Uri,
            default_number: None,
            country: None,
            trusted_identity: false,
            register: false,
            health_every: None,
        }
    }
}

impl TryFrom<&trunk::Model> for TrunkRow {
    type Error = Error;
    fn try_from(row: &trunk::Model) -> Result<TrunkRow> {
        let place = format!("trunk {}", row.id);
        let realms = serde_json::from_str(&row.realms).map_err(|_| Error::corrupt(format!("{place}: realms")))?;
        Ok(TrunkRow {
            id: TrunkId(row.id),
            terms: TrunkTerms {
                name: row.name.clone(),
                direction: if row.direction == "ingress" { Direction::Ingress } else { Direction::Egress },
                address: row.address.clone(),
                auth: column::read(&row.auth, &place)?,
                prefix: row.prefix.clone(),
                username: row.username.clone(),
                realms,
                algorithms: Algorithms::from_bits(column::count(row.algorithms, &place)?),
                account: row.account_id.map(AccountId),
                deck: row.deck_id.map(DeckId),
                max_lines: column::count_option(row.max_lines, &place)?,
                max_lines_offpeak: column::count_option(row.max_lines_offpeak, &place)?,
                talk_day: column::count_option(row.talk_day, &place)?,
                talk_month: column::count_option(row.talk_month, &place)?,
                number_format: column::read(&row.number_format, &place)?,
                cli_format: column::read(&row.cli_format, &place)?,
                did_in: if row.did_in == "to" { NumberFrom::To } else { NumberFrom::Uri },
                default_number: column::read_option(row.default_number.as_deref(), &place)?,
                country: column::read_option(row.country.as_deref(), &place)?,
                trusted_identity: row.trusted_identity,
                register: row.register,
                health_every: column::count_option(row.health_every, &place)?.map(Duration::from_secs),
            },
            has_secret: row.secret.is_some(),
            credential_version: column::count(row.credential_version, &place)?,
            disabled_at: row.disabled_at.map(Wall::from_micros),
            created_at: Wall::from_micros(row.created_at),
        })
    }
}
