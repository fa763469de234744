//! Who pays: the terms an operator agreed on, and where an account stands. Only the books write the latter.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};
use tollgate_billing::account::AccountState;
use tollgate_billing::hold::Holder;
use tollgate_billing::{AccountRow, AccountTerms};
use tollgate_types::{AccountId, DeckId, E164, Wall};

use crate::audit::{self, Change};
use crate::book::rows;
use crate::column;
use crate::entity::{account, deck, hold};
use crate::error::{Error, Result};
use crate::open::{By, Store, Writing};
use crate::versions::{self, Touched};

/// Resellers above each other, at most: each is locked and charged with every call below.
const CHAIN_MOST: usize = 8;

/// An account as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its name: that of the user it was made with.
    pub name: String,
    /// Money terms and state, as the books see them.
    pub row: AccountRow,
    /// The deck it is charged by.
    pub deck: Option<DeckId>,
    /// May reach users and numbers of this platform only.
    pub local_only: bool,
    /// Shown to carriers for users without a caller id of their own.
    pub main_number: Option<E164>,
    /// Since when it is disabled, and by whom.
    pub disabled: Option<(Wall, String)>,
    /// Since when it exists.
    pub created_at: Wall,
}

/// What an operator may change. `account.disabled` is not looked at: see [`disable`] and [`enable`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Money terms.
    pub account: AccountTerms,
    /// See [`Account::deck`].
    pub deck: Option<DeckId>,
    /// See [`Account::local_only`].
    pub local_only: bool,
    /// See [`Account::main_number`].
    pub main_number: Option<E164>,
}

/// The account called `name`.
pub async fn named(store: &Store, name: &str) -> Result<Account> {
    let row = account::Entity::find().filter(account::Column::Name.eq(name)).one(store.read()).await?;
    Account::try_from(row.ok_or_else(|| Error::missing("account", name))?)
}

/// The account with this id.
pub async fn get(store: &Store, id: AccountId) -> Result<Account> {
    let row = account::Entity::find_by_id(id.0).one(store.read()).await?;
    Account::try_from(row.ok_or_else(|| Error::missing("account", id))?)
}

/// All accounts, by id.
pub async fn list(store: &Store) -> Result<Vec<Account>> {
    let rows = account::Entity::find().order_by_asc(account::Column::Id).all(store.read()).await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// Makes an account of its own, as for a traffic sender without a user.
pub async fn create(store: &Store, by: &By, name: &str, terms: &Terms) -> Result<AccountId> {
    let writing = store.begin().await?;
    let id = insert(&writing, by, name, terms).await?;
    versions::touch(&writing, &[Touched::Account(id)]).await?;
    writing.commit().await?;
    Ok(id)
}

/// Changes terms: `edit` gets them as they are. Nothing is written when it refuses or changes nothing.
pub async fn edit(store: &Store, by: &By, id: AccountId, edit: impl FnOnce(&mut Terms) -> Result<()>) -> Result<()> {
    let writing = store.begin().await?;
    change(&writing, by, id, edit).await?;
    writing.commit().await
}

/// Nothing new starts, nothing is extended, until it is enabled again.
pub async fn disable(store: &Store, by: &By, id: AccountId) -> Result<()> {
    turn(store, by, id, Some((by.at, by.who.clone()))).await
}

/// The opposite of [`disable`].
pub async fn enable(store: &Store, by: &By, id: AccountId) -> Result<()> {
    turn(store, by, id, None).await
}

/// How many live paid legs name `id` in their chain: what stands in the way of removing it.
pub(crate) async fn lines(writing: &impl ConnectionTrait, holder: (i64, i64)) -> Result<i64> {
    let row = crate::entity::line::Entity::find_by_id(holder).one(writing).await?;
    Ok(row.map_or(0, |row| row.in_use))
}

pub(crate) async fn insert(writing: &Writing, by: &By, name: &str, terms: &Terms) -> Result<AccountId> {
    check(writing, None, terms).await?;
    let row = account::ActiveModel {
        id: NotSet,
        name: Set(name.to_owned()),
        created_at: Set(by.at.micros()),
        disabled_at: Set(None),
        disabled_by: Set(None),
        balance: Set(0),
        held: Set(0),
        burning: Set(0),
        entries: Set(0),
        head: Set(AccountState::default().head.0.to_vec()),
        windows: Set(None),
        ..columns(terms)?
    };
    let made = account::Entity::insert(row).exec_with_returning(&**writing).await;
    let made = made.map_err(|error| match Error::is_duplicate(&error) {
        true => Error::exists("account", name),
        false => error.into(),
    })?;
    let is_now = serde_json::to_value(&made).ok();
    audit::note(writing, by, Change { action: "add", noun: "account", subject: name, was: None, is_now }).await?;
    Ok(AccountId(made.id))
}

pub(crate) async fn change(
    writing: &Writing,
    by: &By,
    id: AccountId,
    edit: impl FnOnce(&mut Terms) -> Result<()>,
) -> Result<()> {
    let was = locked(writing, id).await?;
    let old = Account::try_from(was.clone())?.terms();
    let mut terms = old.clone();
    edit(&mut terms)?;
    if terms == old {
        return Ok(());
    }
    if terms.account.currency != old.account.currency && was.entries > 0 {
        let text = format!("account {} has entries in {}: its currency cannot change", was.name, was.currency);
        return Err(Error::Refused(text));
    }
    check(writing, Some(id), &terms).await?;
    let row = account::ActiveModel { id: Set(id.0), ..columns(&terms)? };
    let is_now = account::Entity::update(row).exec(&**writing).await?;
    if let Some((was, is_now)) = audit::difference(&was, &is_now) {
        let (was, is_now, subject) = (Some(was), Some(is_now), old_name(writing, id).await?);
        audit::note(writing, by, Change { action: "set", noun: "account", subject: &subject, was, is_now }).await?;
    }
    versions::touch(writing, &[Touched::Account(id)]).await
}

async fn old_name(writing: &Writing, id: AccountId) -> Result<String> {
    Ok(account::Entity::find_by_id(id.0).one(&**writing).await?.map(|row| row.name).unwrap_or_default())
}

async fn turn(store: &Store, by: &By, id: AccountId, disabled: Option<(Wall, String)>) -> Result<()> {
    let writing = store.begin().await?;
    let row = locked(&writing, id).await?;
    if row.disabled_at.is_some() == disabled.is_some() {
        return Ok(());
    }
    let action = if disabled.is_some() { "disable" } else { "enable" };
    let (at, who) = disabled.map_or((None, None), |(at, who)| (Some(at.micros()), Some(who)));
    let change = account::ActiveModel {
        id: Set(id.0),
        disabled_at: Set(at),
        disabled_by: Set(who),
        ..<account::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    account::Entity::update(change).exec(&*writing).await?;
    audit::note(&writing, by, Change { action, noun: "account", subject: &row.name, was: None, is_now: None }).await?;
    versions::touch(&writing, &[Touched::Account(id)]).await?;
    writing.commit().await
}

async fn locked(writing: &Writing, id: AccountId) -> Result<account::Model> {
    use sea_orm::QuerySelect;
    use sea_orm::sea_query::LockType;
    // SQLite has no row locks and needs none: the pen is taken.
    let find = account::Entity::find_by_id(id.0).lock(LockType::NoKeyUpdate);
    find.one(&**writing).await?.ok_or_else(|| Error::missing("account", id))
}

/// Terms that cannot be: a deck in another currency, a circle of resellers.
async fn check(writing: &Writing, id: Option<AccountId>, terms: &Terms) -> Result<()> {
    if let Some(wanted) = terms.deck {
        let deck = deck::Entity::find_by_id(wanted.0).one(&**writing).await?;
        let deck = deck.ok_or_else(|| Error::missing("deck", wanted))?;
        if deck.kind != "sell" {
            return Err(Error::Refused(format!(
                "deck {} is a buying deck: an account pays by a selling deck",
                deck.name
            )));
        }
        if deck.currency != terms.account.currency.as_str() {
            let text = format!("deck {} is in {}, the account in {}", deck.name, deck.currency, terms.account.currency);
            return Err(Error::Refused(text));
        }
    }
    let (mut above, mut levels) = (terms.account.parent, 1);
    while let Some(parent) = above {
        levels += 1;
        if Some(parent) == id || levels > CHAIN_MOST {
            return Err(Error::Refused(format!("resellers above each other: a circle, or more than {CHAIN_MOST}")));
        }
        let row = account::Entity::find_by_id(parent.0).one(&**writing).await?;
        above = row.ok_or_else(|| Error::missing("account", parent))?.parent_id.map(AccountId);
    }
    Ok(())
}

fn columns(terms: &Terms) -> Result<account::ActiveModel> {
    let money = &terms.account;
    let seconds = |limit: Option<u64>| limit.map(rows::signed).transpose();
    Ok(account::ActiveModel {
        kind: Set(money.kind.id().to_owned()),
        mode: Set(money.mode.id().to_owned()),
        currency: Set(money.currency.to_string()),
        zone: Set(money.zone.to_string()),
        parent_id: Set(money.parent.map(|id| id.0)),
        deck_id: Set(terms.deck.map(|id| id.0)),
        credit_limit: Set(money.credit_limit.map(|limit| limit.micros())),
        max_lines: Set(money.max_lines.map(i64::from)),
        max_lines_offpeak: Set(money.max_lines_offpeak.map(i64::from)),
        daily_limit: Set(money.daily_limit.map(|limit| limit.micros())),
        monthly_limit: Set(money.monthly_limit.map(|limit| limit.micros())),
        monthly_increment: Set(money.monthly_increment.map(|limit| limit.micros())),
        monthly_ceiling: Set(money.monthly_ceiling.map(|limit| limit.micros())),
        dynamic_baseline: Set(money.dynamic_baseline.map(|limit| limit.micros())),
        burn_rate: Set(money.burn_rate.map(|rate| rate.nanos())),
        talk_day: Set(seconds(money.talk_day)?),
        talk_month: Set(seconds(money.talk_month)?),
        local_only: Set(terms.local_only),
        main_number: Set(terms.main_number.map(|number| number.digits().to_owned())),
        ..<account::ActiveModel as sea_orm::ActiveModelTrait>::default()
    })
}

impl Account {
    /// What an operator may change, as it is.
    pub fn terms(&self) -> Terms {
        Terms {
            account: self.row.terms.clone(),
            deck: self.deck,
            local_only: self.local_only,
            main_number: self.main_number,
        }
    }
}

impl TryFrom<account::Model> for Account {
    type Error = Error;
    fn try_from(row: account::Model) -> Result<Account> {
        Ok(Account {
            name: row.name.clone(),
            deck: row.deck_id.map(DeckId),
            local_only: row.local_only,
            main_number: column::read_option(row.main_number.as_deref(), format_args!("account {}: number", row.id))?,
            disabled: row.disabled_at.map(|at| (Wall::from_micros(at), row.disabled_by.clone().unwrap_or_default())),
            created_at: Wall::from_micros(row.created_at),
            row: rows::account(row)?,
        })
    }
}

/// Live holds that name `account`, for its owner's page and for recounts.
pub async fn holds(store: &Store, account: AccountId) -> Result<Vec<tollgate_billing::HoldRow>> {
    let mut found = live_holds(store).await?;
    found.retain(|hold| hold.levels.iter().any(|level| level.account == account));
    Ok(found)
}

/// Every live hold, newest first.
pub async fn live_holds(store: &Store) -> Result<Vec<tollgate_billing::HoldRow>> {
    let rows = hold::Entity::find().order_by_desc(hold::Column::Call).all(store.read()).await?;
    rows.iter().map(|row| rows::hold(rows::hold_key(row.call, row.paid_leg)?, &row.hold)).collect()
}

/// How many live paid legs name `holder`: lines in use, the same on every node.
pub async fn lines_in_use(store: &Store, holder: Holder) -> Result<u32> {
    let in_use = lines(store.read(), rows::flat_holder(holder)).await?;
    u32::try_from(in_use).map_err(|_| Error::corrupt(format!("lines of {holder:?}")))
}
