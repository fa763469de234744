//! Who registers and logs in.

mod row;

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};
use tollgate_routing::country::Country;
use tollgate_routing::trunk::Source;
use tollgate_routing::{Algorithm, Algorithms, AuthMode, Ha1s, UserKind};
use tollgate_types::{AccountId, E164, UserId, Wall};

use crate::accounts::{self, Terms};
use crate::audit::{self, Change};
use crate::entity::{account, account_day, did, entry, trunk, user};
use crate::error::{Error, Result};
use crate::extensions;
use crate::open::{By, Store, Writing};
use crate::secrets;
use crate::versions::{self, Touched};
use row::{columns, key, whole_name};

/// A user as he is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// His number; never given again.
    pub id: UserId,
    /// Who pays for him.
    pub account: AccountId,
    /// What an operator may change.
    pub terms: UserTerms,
    /// What his device answered last.
    pub last_algorithm: Option<Algorithm>,
    /// Grows with every change of his secret or way of proof.
    pub credential_version: u32,
    /// Since when he is disabled, and by whom.
    pub disabled: Option<(Wall, String)>,
    /// Since when he exists.
    pub created_at: Wall,
}

/// What an operator says of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTerms {
    /// SIP user part and digest username.
    pub name: String,
    /// The hosted domain; `None` is the platform's own.
    pub domain: Option<String>,
    /// What he is.
    pub kind: UserKind,
    /// The reseller he belongs to directly.
    pub parent: Option<UserId>,
    /// How he proves himself.
    pub auth: AuthMode,
    /// Where he may come from, for the modes that ask it.
    pub sources: Vec<Source>,
    /// Which digest algorithms he is offered.
    pub algorithms: Algorithms,
    /// Short number inside his tenant.
    pub extension: Option<String>,
    /// Shown to carriers and callees.
    pub caller_id: Option<E164>,
    /// Further numbers of his own.
    pub numbers: Vec<E164>,
    /// Completes the numbers he dials.
    pub country: Option<Country>,
    /// Lines at a time.
    pub max_lines: Option<u32>,
    /// The same outside peak hours.
    pub max_lines_offpeak: Option<u32>,
    /// Where notices go.
    pub email: Option<String>,
    /// The template he follows.
    pub template: Option<String>,
    /// Options that are as the template says, by name.
    pub inherited: Vec<String>,
}

/// Who pays for a new user.
pub enum Payer {
    /// An account of his own, which takes his name.
    Own(Box<Terms>),
    /// One that exists.
    Shared(AccountId),
}

/// Digest secrets for a realm.
pub struct NewSecret {
    /// The realm: a domain.
    pub realm: String,
    /// The secrets.
    pub ha1: Ha1s,
}

/// The user called `name`, or `name@domain` in a hosted domain; case means nothing.
pub async fn named(store: &Store, name: &str) -> Result<UserRow> {
    let row = user::Entity::find().filter(user::Column::Key.eq(key(name))).one(store.read()).await?;
    UserRow::try_from(row.ok_or_else(|| Error::missing("user", name))?)
}

/// The user with this id.
pub async fn get(store: &Store, id: UserId) -> Result<UserRow> {
    let row = user::Entity::find_by_id(id.0).one(store.read()).await?;
    UserRow::try_from(row.ok_or_else(|| Error::missing("user", id))?)
}

/// All users, newest first.
pub async fn list(store: &Store) -> Result<Vec<UserRow>> {
    let rows = user::Entity::find().order_by_desc(user::Column::Id).all(store.read()).await?;
    rows.into_iter().map(UserRow::try_from).collect()
}

/// Those who follow a template, oldest first.
pub async fn of_template(store: &Store, name: &str) -> Result<Vec<UserRow>> {
    let find = user::Entity::find().filter(user::Column::Template.eq(name)).order_by_asc(user::Column::Id);
    find.all(store.read()).await?.into_iter().map(UserRow::try_from).collect()
}

/// The user whom an account was made with: it has his name.
pub async fn maker(store: &Store, account: &str) -> Result<Option<UserRow>> {
    let row = user::Entity::find().filter(user::Column::Key.eq(key(account))).one(store.read()).await?;
    row.map(UserRow::try_from).transpose()
}

/// How many there are.
pub async fn count(store: &Store) -> Result<u64> {
    Ok(user::Entity::find().count(store.read()).await?)
}

/// Are there any?
pub async fn is_empty(store: &Store) -> Result<bool> {
    Ok(user::Entity::find().one(store.read()).await?.is_none())
}

/// Makes a user, with an account of his own unless he shares one.
pub async fn create(
    store: &Store,
    by: &By,
    terms: &UserTerms,
    payer: Payer,
    secret: Option<NewSecret>,
) -> Result<UserRow> {
    let writing = store.begin().await?;
    let made = insert(store, &writing, by, terms, payer, secret).await?;
    if made.terms.extension.is_some() {
        extensions::check(&writing).await?;
    }
    versions::touch(&writing, &both_of(&made)).await?;
    writing.commit().await?;
    Ok(made)
}

/// Makes many, all or none: an import. SQLite's write lock is held throughout, so an import of thousands comes in parts.
pub async fn create_all(
    store: &Store,
    by: &By,
    all: Vec<(UserTerms, Payer, Option<NewSecret>)>,
) -> Result<Vec<UserRow>> {
    let writing = store.begin().await?;
    let mut made = Vec::with_capacity(all.len());
    for (terms, payer, secret) in all {
        made.push(insert(store, &writing, by, &terms, payer, secret).await?);
    }
    if made.iter().any(|user| user.terms.extension.is_some()) {
        extensions::check(&writing).await?;
    }
    let touched: Vec<Touched> = made.iter().flat_map(both_of).collect();
    versions::touch(&writing, &touched).await?;
    writing.commit().await?;
    Ok(made)
}

/// Changes a user: `edit` gets his terms and those of his account as they are.
pub async fn edit(
    store: &Store,
    by: &By,
    name: &str,
    edit: impl FnOnce(&mut UserTerms, &mut Terms) -> Result<()>,
) -> Result<UserRow> {
    let writing = store.begin().await?;
    let was = find(&writing, name).await?;
    let old = UserRow::try_from(was.clone())?;
    let mut terms = old.terms.clone();
    accounts::change(&writing, by, old.account, |account| edit(&mut terms, account)).await?;
    let fresh = terms.auth != old.terms.auth || terms.name != old.terms.name;
    let version = was.credential_version + i64::from(fresh);
    let row = user::ActiveModel { id: Set(was.id), credential_version: Set(version), ..columns(&terms) };
    let is_now = user::Entity::update(row).exec(&*writing).await.map_err(|error| taken(error, &terms))?;
    if terms.extension != old.terms.extension || terms.parent != old.terms.parent || terms.kind != old.terms.kind {
        extensions::check(&writing).await?;
    }
    if let Some((before, after)) = audit::difference(&was, &is_now) {
        let (subject, was, is_now) = (is_now.name.as_str(), Some(before), Some(after));
        audit::note(&writing, by, Change { action: "set", noun: "user", subject, was, is_now }).await?;
        versions::touch(&writing, &[Touched::User(old.id)]).await?;
    }
    writing.commit().await?;
    UserRow::try_from(is_now)
}

/// Gives a user new digest secrets; what was proven by the old ones proves nothing any more.
pub async fn set_secret(store: &Store, by: &By, name: &str, secret: &NewSecret) -> Result<()> {
    let writing = store.begin().await?;
    let row = find(&writing, name).await?;
    secrets::put(&writing, store.seal(), by, UserId(row.id), &secret.realm, &secret.ha1).await?;
    let change = user::ActiveModel {
        id: Set(row.id),
        credential_version: Set(row.credential_version + 1),
        ..<user::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    user::Entity::update(change).exec(&*writing).await?;
    note(&writing, by, "set password", &row.name).await?;
    versions::touch(&writing, &[Touched::User(UserId(row.id))]).await?;
    writing.commit().await
}

/// Remembers what his device answered last, to be offered first; no person's doing, so no audit row.
pub async fn set_last_algorithm(store: &Store, user: UserId, algorithm: Algorithm) -> Result<()> {
    let writing = store.begin().await?;
    let change = user::ActiveModel {
        id: Set(user.0),
        last_algorithm: Set(Some(algorithm.token().to_owned())),
        ..<user::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    user::Entity::update(change).exec(&*writing).await?;
    writing.commit().await
}

/// He neither registers nor calls until enabled again.
pub async fn disable(store: &Store, by: &By, name: &str) -> Result<UserRow> {
    turn(store, by, name, Some((by.at, by.who.clone()))).await
}

/// The opposite of [`disable`].
pub async fn enable(store: &Store, by: &By, name: &str) -> Result<UserRow> {
    turn(store, by, name, None).await
}

/// Removes a user with his secrets and bindings. Records of his calls stay. His account goes with him, unless others share it
/// or it has entries: then it stays in the books, disabled and under another name.
pub async fn remove(store: &Store, by: &By, name: &str) -> Result<UserRow> {
    let writing = store.begin().await?;
    let row = find(&writing, name).await?;
    let refuse = |what: String| Err(Error::Refused(format!("user {} {what}", row.name)));
    if accounts::lines(&*writing, (0, row.id)).await? > 0 {
        return refuse("has live calls: disable him first".to_owned());
    }
    let numbers = did::Entity::find().filter(did::Column::UserId.eq(row.id)).count(&*writing).await?;
    if numbers > 0 {
        return refuse(format!("still has {numbers} DID(s): remove them first"));
    }
    let below = user::Entity::find().filter(user::Column::ParentId.eq(row.id)).count(&*writing).await?;
    if below > 0 {
        return refuse(format!("is a reseller with {below} user(s)"));
    }
    user::Entity::delete_by_id(row.id).exec(&*writing).await?;
    leave_account(&writing, by, &row).await?;
    note(&writing, by, "remove", &row.name).await?;
    versions::touch(&writing, &[Touched::User(UserId(row.id)), Touched::Account(AccountId(row.account_id))]).await?;
    writing.commit().await?;
    UserRow::try_from(row)
}

async fn leave_account(writing: &Writing, by: &By, row: &user::Model) -> Result<()> {
    let id = row.account_id;
    let shared = user::Entity::find().filter(user::Column::AccountId.eq(id)).count(&**writing).await?
        + trunk::Entity::find().filter(trunk::Column::AccountId.eq(id)).count(&**writing).await?
        + account::Entity::find().filter(account::Column::ParentId.eq(id)).count(&**writing).await?;
    if shared > 0 {
        return Ok(());
    }
    let entries = entry::Entity::find().filter(entry::Column::AccountId.eq(id)).count(&**writing).await?;
    if entries == 0 && accounts::lines(&**writing, (1, id)).await? == 0 {
        account_day::Entity::delete_many().filter(account_day::Column::AccountId.eq(id)).exec(&**writing).await?;
        account::Entity::delete_by_id(id).exec(&**writing).await?;
        return Ok(());
    }
    let Some(account) = account::Entity::find_by_id(id).one(&**writing).await? else { return Ok(()) };
    let change = account::ActiveModel {
        id: Set(id),
        name: Set(format!("{}#{id}", account.name)),
        disabled_at: Set(Some(by.at.micros())),
        disabled_by: Set(Some(by.who.clone())),
        ..<account::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    account::Entity::update(change).exec(&**writing).await?;
    Ok(())
}

async fn insert(
    store: &Store,
    writing: &Writing,
    by: &By,
    terms: &UserTerms,
    payer: Payer,
    secret: Option<NewSecret>,
) -> Result<UserRow> {
    let whole = whole_name(terms);
    // Looked up first: PostgreSQL lets nothing more happen in a transaction once an index has refused a row.
    if user::Entity::find().filter(user::Column::Key.eq(key(&whole))).count(&**writing).await? > 0 {
        return Err(Error::exists("user", whole));
    }
    let account = match payer {
        Payer::Own(terms) => accounts::insert(writing, by, &whole, &terms).await?,
        Payer::Shared(id) => {
            let there = account::Entity::find_by_id(id.0).one(&**writing).await?;
            AccountId(there.ok_or_else(|| Error::missing("account", id))?.id)
        }
    };
    let row = user::ActiveModel {
        id: NotSet,
        account_id: Set(account.0),
        disabled_at: Set(None),
        disabled_by: Set(None),
        last_algorithm: Set(None),
        credential_version: Set(0),
        created_at: Set(by.at.micros()),
        ..columns(terms)
    };
    let made = user::Entity::insert(row).exec_with_returning(&**writing).await.map_err(|error| taken(error, terms))?;
    if let Some(secret) = secret {
        secrets::put(writing, store.seal(), by, UserId(made.id), &secret.realm, &secret.ha1).await?;
    }
    let is_now = serde_json::to_value(&made).ok();
    audit::note(writing, by, Change { action: "add", noun: "user", subject: &made.name, was: None, is_now }).await?;
    UserRow::try_from(made)
}

async fn turn(store: &Store, by: &By, name: &str, disabled: Option<(Wall, String)>) -> Result<UserRow> {
    let writing = store.begin().await?;
    let row = find(&writing, name).await?;
    if row.disabled_at.is_some() == disabled.is_some() {
        return UserRow::try_from(row);
    }
    let action = if disabled.is_some() { "disable" } else { "enable" };
    let (at, who) = disabled.map_or((None, None), |(at, who)| (Some(at.micros()), Some(who)));
    let change = user::ActiveModel {
        id: Set(row.id),
        disabled_at: Set(at),
        disabled_by: Set(who),
        ..<user::ActiveModel as sea_orm::ActiveModelTrait>::default()
    };
    let row = user::Entity::update(change).exec(&*writing).await?;
    note(&writing, by, action, &row.name).await?;
    versions::touch(&writing, &[Touched::User(UserId(row.id))]).await?;
    writing.commit().await?;
    UserRow::try_from(row)
}

/// A user who comes may own his account from now on.
fn both_of(made: &UserRow) -> [Touched; 2] {
    [Touched::User(made.id), Touched::Account(made.account)]
}

async fn note(writing: &Writing, by: &By, action: &str, subject: &str) -> Result<()> {
    audit::note(writing, by, Change { action, noun: "user", subject, was: None, is_now: None }).await
}

async fn find(writing: &Writing, name: &str) -> Result<user::Model> {
    let row = user::Entity::find().filter(user::Column::Key.eq(key(name))).one(&**writing).await?;
    row.ok_or_else(|| Error::missing("user", name))
}

fn taken(error: sea_orm::DbErr, terms: &UserTerms) -> Error {
    match Error::is_duplicate(&error) {
        true => Error::exists("user", whole_name(terms)),
        false => error.into(),
    }
}
