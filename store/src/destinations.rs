//! The policy of destinations: rules, groups, risks, and the imported list of fraud's numbers.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
};
use serde_json::json;
use tollgate_routing::destination::{Laid, Member, Risk, Rule, Target};
use tollgate_types::{AccountId, Prefix};

use crate::audit::{self, Change};
use crate::column;
use crate::entity::{destination_group, destination_risk, destination_rule, irsf_prefix, irsf_version};
use crate::error::{Error, Result};
use crate::open::{By, Store};
use crate::versions::{self, Topic};

/// Rows in one statement of an import.
const CHUNK: usize = 500;
/// Imported lists kept to go back to.
const KEPT: usize = 5;

/// An imported list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IrsfVersion {
    /// Its number; later ones have higher ones.
    pub id: i64,
    /// The day it is of.
    pub dated: String,
    /// The file it came from.
    pub source: String,
    /// Is it in force?
    pub live: bool,
}

/// All of it, for a snapshot.
pub async fn load(store: &Store) -> Result<Laid> {
    let mut laid = Laid {
        rules: rules(store).await?,
        groups: groups(store).await?,
        risks: risks(store).await?,
        ..Laid::default()
    };
    if let Some(live) = irsf(store).await?.into_iter().find(|version| version.live) {
        let find = irsf_prefix::Entity::find().filter(irsf_prefix::Column::VersionId.eq(live.id));
        for row in find.all(store.read()).await? {
            laid.irsf.push(column::read(&row.prefix, "IRSF prefix")?);
        }
    }
    Ok(laid)
}

/// All rules, newest first.
pub async fn rules(store: &Store) -> Result<Vec<Rule>> {
    let rows = destination_rule::Entity::find().order_by_desc(destination_rule::Column::Id).all(store.read()).await?;
    rows.into_iter()
        .map(|row| {
            let target = Target::parse(&row.target);
            let target =
                target.ok_or_else(|| Error::corrupt(format!("destination rule {}: {}", row.id, row.target)))?;
            Ok(Rule { id: row.id, account: row.account_id.map(AccountId), target, allows: row.allows })
        })
        .collect()
}

/// Adds a rule, or turns one of the same scope and target round; answers its row.
pub async fn put_rule(
    store: &Store,
    by: &By,
    account: Option<AccountId>,
    target: &Target,
    allows: bool,
) -> Result<i64> {
    let writing = store.begin().await?;
    if let Target::Group(name) = target {
        let known = destination_group::Entity::find_by_id(name.to_string()).one(&*writing).await?;
        known.ok_or_else(|| Error::missing("destination group", name))?;
    }
    let text = target.to_string();
    let scope = match account {
        Some(account) => destination_rule::Column::AccountId.eq(account.0),
        None => destination_rule::Column::AccountId.is_null(),
    };
    let same = destination_rule::Entity::find().filter(scope).filter(destination_rule::Column::Target.eq(&text));
    let made = match same.one(&*writing).await? {
        Some(known) if known.allows == allows => return Ok(known.id),
        Some(known) => {
            let change = destination_rule::ActiveModel {
                id: Set(known.id),
                allows: Set(allows),
                ..<destination_rule::ActiveModel as sea_orm::ActiveModelTrait>::default()
            };
            destination_rule::Entity::update(change).exec(&*writing).await?
        }
        None => {
            let row = destination_rule::ActiveModel {
                id: NotSet,
                account_id: Set(account.map(|id| id.0)),
                target: Set(text),
                allows: Set(allows),
                created_at: Set(by.at.micros()),
            };
            destination_rule::Entity::insert(row).exec_with_returning(&*writing).await?
        }
    };
    let (subject, is_now) = (made.id.to_string(), serde_json::to_value(&made).ok());
    let change = Change { action: "set", noun: "destination rule", subject: &subject, was: None, is_now };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await?;
    Ok(made.id)
}

/// Removes a rule.
pub async fn remove_rule(store: &Store, by: &By, id: i64) -> Result<()> {
    let writing = store.begin().await?;
    let row = destination_rule::Entity::find_by_id(id).one(&*writing).await?;
    let row = row.ok_or_else(|| Error::missing("destination rule", id))?;
    destination_rule::Entity::delete_by_id(id).exec(&*writing).await?;
    let (subject, was) = (id.to_string(), serde_json::to_value(&row).ok());
    let change = Change { action: "remove", noun: "destination rule", subject: &subject, was, is_now: None };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await
}

/// All groups by name.
pub async fn groups(store: &Store) -> Result<Vec<(String, Vec<Member>)>> {
    let rows =
        destination_group::Entity::find().order_by_asc(destination_group::Column::Name).all(store.read()).await?;
    rows.into_iter()
        .map(|row| {
            let members = column::read_list(&row.members, format_args!("destination group {}", row.name))?;
            Ok((row.name, members))
        })
        .collect()
}

/// Makes or replaces a group.
pub async fn put_group(store: &Store, by: &By, name: &str, members: &[Member]) -> Result<()> {
    let writing = store.begin().await?;
    let text = column::write_list(members);
    let row = destination_group::ActiveModel { name: Set(name.to_owned()), members: Set(text.clone()) };
    let conflict = OnConflict::column(destination_group::Column::Name)
        .update_column(destination_group::Column::Members)
        .to_owned();
    destination_group::Entity::insert(row).on_conflict(conflict).exec_without_returning(&*writing).await?;
    let is_now = Some(json!(text));
    let change = Change { action: "set", noun: "destination group", subject: name, was: None, is_now };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await
}

/// Removes a group that no rule names.
pub async fn remove_group(store: &Store, by: &By, name: &str) -> Result<()> {
    let writing = store.begin().await?;
    let target = Target::Group(name.into()).to_string();
    let named = destination_rule::Entity::find().filter(destination_rule::Column::Target.eq(target));
    if let Some(rule) = named.one(&*writing).await? {
        return Err(Error::Refused(format!("destination rule {} names group {name}: remove it first", rule.id)));
    }
    let gone = destination_group::Entity::delete_by_id(name.to_owned()).exec(&*writing).await?;
    if gone.rows_affected == 0 {
        return Err(Error::missing("destination group", name));
    }
    let change = Change { action: "remove", noun: "destination group", subject: name, was: None, is_now: None };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await
}

/// What operators said of risks.
pub async fn risks(store: &Store) -> Result<Vec<(Member, Risk)>> {
    let rows =
        destination_risk::Entity::find().order_by_asc(destination_risk::Column::Member).all(store.read()).await?;
    rows.into_iter()
        .map(|row| {
            let place = format!("destination risk {}", row.member);
            Ok((column::read(&row.member, &place)?, column::read(&row.risk, &place)?))
        })
        .collect()
}

/// Says how risky a prefix or country is; `None` takes it back.
pub async fn put_risk(store: &Store, by: &By, member: Member, risk: Option<Risk>) -> Result<()> {
    let writing = store.begin().await?;
    let subject = member.to_string();
    match risk {
        Some(risk) => {
            let row = destination_risk::ActiveModel { member: Set(subject.clone()), risk: Set(risk.name().to_owned()) };
            let conflict = OnConflict::column(destination_risk::Column::Member)
                .update_column(destination_risk::Column::Risk)
                .to_owned();
            destination_risk::Entity::insert(row).on_conflict(conflict).exec_without_returning(&*writing).await?;
        }
        None => {
            let gone = destination_risk::Entity::delete_by_id(subject.clone()).exec(&*writing).await?;
            if gone.rows_affected == 0 {
                return Err(Error::missing("destination risk", member));
            }
        }
    }
    let is_now = risk.map(|risk| json!(risk.name()));
    let change = Change { action: "set", noun: "destination risk", subject: &subject, was: None, is_now };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await
}

/// The imported lists, newest first.
pub async fn irsf(store: &Store) -> Result<Vec<IrsfVersion>> {
    let rows = irsf_version::Entity::find().order_by_desc(irsf_version::Column::Id).all(store.read()).await?;
    let read =
        |row: irsf_version::Model| IrsfVersion { id: row.id, dated: row.dated, source: row.source, live: row.live };
    Ok(rows.into_iter().map(read).collect())
}

/// Imports a list and puts it in force instead of the one before; the oldest beyond a few are forgotten.
pub async fn import_irsf(store: &Store, by: &By, dated: &str, source: &str, prefixes: &[Prefix]) -> Result<()> {
    let writing = store.begin().await?;
    all_off(&writing).await?;
    let row = irsf_version::ActiveModel {
        id: NotSet,
        dated: Set(dated.to_owned()),
        source: Set(source.to_owned()),
        live: Set(true),
        imported_at: Set(by.at.micros()),
    };
    let made = irsf_version::Entity::insert(row).exec_with_returning(&*writing).await?;
    for part in prefixes.chunks(CHUNK) {
        let rows = part.iter().map(|prefix| irsf_prefix::ActiveModel {
            id: NotSet,
            version_id: Set(made.id),
            prefix: Set(prefix.digits().to_owned()),
        });
        irsf_prefix::Entity::insert_many(rows).exec_without_returning(&*writing).await?;
    }
    let all = irsf_version::Entity::find().order_by_desc(irsf_version::Column::Id).all(&*writing).await?;
    for old in all.iter().skip(KEPT) {
        irsf_prefix::Entity::delete_many().filter(irsf_prefix::Column::VersionId.eq(old.id)).exec(&*writing).await?;
        irsf_version::Entity::delete_by_id(old.id).exec(&*writing).await?;
    }
    let is_now = Some(json!({ "dated": dated, "source": source, "prefixes": prefixes.len() }));
    let change = Change { action: "import", noun: "IRSF list", subject: source, was: None, is_now };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await
}

/// Goes back to the list before the one in force, or to none.
pub async fn rollback_irsf(store: &Store, by: &By) -> Result<()> {
    let writing = store.begin().await?;
    let all = irsf_version::Entity::find().order_by_desc(irsf_version::Column::Id).all(&*writing).await?;
    let at = all.iter().position(|version| version.live);
    let at = at.ok_or_else(|| Error::Refused("no IRSF list is in force".to_owned()))?;
    all_off(&writing).await?;
    if let Some(before) = all.get(at + 1) {
        let change = irsf_version::ActiveModel {
            id: Set(before.id),
            live: Set(true),
            ..<irsf_version::ActiveModel as sea_orm::ActiveModelTrait>::default()
        };
        irsf_version::Entity::update(change).exec(&*writing).await?;
    }
    let change = Change { action: "rollback", noun: "IRSF list", subject: &all[at].source, was: None, is_now: None };
    audit::note(&writing, by, change).await?;
    versions::bump(&writing, Topic::Destinations).await?;
    writing.commit().await
}

async fn all_off(writing: &crate::open::Writing) -> Result<()> {
    use sea_orm::sea_query::Expr;
    let live = irsf_version::Entity::update_many().col_expr(irsf_version::Column::Live, Expr::value(false));
    live.filter(irsf_version::Column::Live.eq(true)).exec(&**writing).await?;
    Ok(())
}
