//! A user as his table keeps him.

use sea_orm::ActiveValue::Set;
use tollgate_routing::{Algorithms, AuthMode, UserKind};
use tollgate_types::{AccountId, E164, UserId, Wall};

use super::{UserRow, UserTerms};
use crate::column;
use crate::entity::user;
use crate::error::{Error, Result};

pub(super) fn whole_name(terms: &UserTerms) -> String {
    match &terms.domain {
        Some(domain) => format!("{}@{domain}", terms.name),
        None => terms.name.clone(),
    }
}

pub(super) fn key(name: &str) -> String {
    name.to_lowercase()
}

pub(super) fn columns(terms: &UserTerms) -> user::ActiveModel {
    user::ActiveModel {
        name: Set(terms.name.clone()),
        domain: Set(terms.domain.clone()),
        key: Set(key(&whole_name(terms))),
        kind: Set(terms.kind.name().to_owned()),
        parent_id: Set(terms.parent.map(|id| id.0)),
        auth: Set(terms.auth.name().to_owned()),
        sources: Set(column::write_list(&terms.sources)),
        algorithms: Set(i64::from(terms.algorithms.bits())),
        extension: Set(terms.extension.clone()),
        caller_id: Set(terms.caller_id.map(|number| number.digits().to_owned())),
        numbers: Set(column::write_list(terms.numbers.iter().map(E164::digits))),
        country: Set(terms.country.map(|country| country.to_string())),
        max_lines: Set(terms.max_lines.map(i64::from)),
        max_lines_offpeak: Set(terms.max_lines_offpeak.map(i64::from)),
        email: Set(terms.email.clone()),
        template: Set(terms.template.clone()),
        inherited: Set(serde_json::Value::from(terms.inherited.clone()).to_string()),
        ..<user::ActiveModel as sea_orm::ActiveModelTrait>::default()
    }
}

impl UserTerms {
    /// An end user with nothing set.
    pub fn new(name: &str) -> UserTerms {
        UserTerms {
            name: name.to_owned(),
            domain: None,
            kind: UserKind::EndUser,
            parent: None,
            auth: AuthMode::Digest,
            sources: Vec::new(),
            algorithms: Algorithms::ALL,
            extension: None,
            caller_id: None,
            numbers: Vec::new(),
            country: None,
            max_lines: None,
            max_lines_offpeak: None,
            email: None,
            template: None,
            inherited: Vec::new(),
        }
    }
}

impl TryFrom<user::Model> for UserRow {
    type Error = Error;
    fn try_from(row: user::Model) -> Result<UserRow> {
        let place = format!("user {}", row.id);
        Ok(UserRow {
            id: UserId(row.id),
            account: AccountId(row.account_id),
            terms: UserTerms {
                kind: column::read(&row.kind, &place)?,
                parent: row.parent_id.map(UserId),
                auth: column::read(&row.auth, &place)?,
                sources: column::read_list(&row.sources, &place)?,
                algorithms: Algorithms::from_bits(column::count(row.algorithms, &place)?),
                extension: row.extension,
                caller_id: column::read_option(row.caller_id.as_deref(), &place)?,
                numbers: column::read_list(&row.numbers, &place)?,
                country: column::read_option(row.country.as_deref(), &place)?,
                max_lines: column::count_option(row.max_lines, &place)?,
                max_lines_offpeak: column::count_option(row.max_lines_offpeak, &place)?,
                email: row.email,
                template: row.template,
                inherited: serde_json::from_str(&row.inherited)
                    .map_err(|_| Error::corrupt(format!("{place}: inherited")))?,
                name: row.name,
                domain: row.domain,
            },
            last_algorithm: column::read_option(row.last_algorithm.as_deref(), &place)?,
            credential_version: column::count(row.credential_version, &place)?,
            disabled: row.disabled_at.map(|at| (Wall::from_micros(at), row.disabled_by.unwrap_or_default())),
            created_at: Wall::from_micros(row.created_at),
        })
    }
}
