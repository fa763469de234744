//! Short numbers: one holder each inside a tenant, and no user's name there.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use tollgate_routing::UserKind;

use crate::entity::user;
use crate::error::{Error, Result};
use crate::open::Writing;

/// Who has an extension, as far as it is compared.
type Holder = (i64, String, Option<i64>, Option<String>);

/// Refuses when two users of one tenant have, or would have, the same short number. Looks at all that have one: asked when a
/// number or a place in the tree changes.
pub(crate) async fn check(writing: &Writing) -> Result<()> {
    let resellers: Vec<(i64, Option<i64>)> = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::ParentId])
        .filter(user::Column::Kind.eq(UserKind::Reseller.name()))
        .into_tuple()
        .all(&**writing)
        .await?;
    let resellers: BTreeMap<i64, Option<i64>> = resellers.into_iter().collect();
    // A reseller at the top is his own tenant.
    let tenant = |id: i64, parent: Option<i64>| {
        let mut top = parent.or(resellers.contains_key(&id).then_some(id));
        for _ in 0..resellers.len() {
            match top.and_then(|top| resellers.get(&top)).copied().flatten() {
                Some(above) => top = Some(above),
                None => break,
            }
        }
        top
    };
    let columns = [user::Column::Id, user::Column::Name, user::Column::ParentId, user::Column::Extension];
    let find = || user::Entity::find().select_only().columns(columns);
    let holders: Vec<Holder> =
        find().filter(user::Column::Extension.is_not_null()).into_tuple().all(&**writing).await?;
    let mut taken: BTreeMap<(Option<i64>, String), String> = BTreeMap::new();
    for (id, name, parent, extension) in holders {
        let Some(extension) = extension else { continue };
        if let Some(other) = taken.insert((tenant(id, parent), extension.to_lowercase()), name.clone()) {
            return Err(Error::Refused(format!("extension {extension} would be that of {other} and of {name}")));
        }
    }
    // Names of digits are few; a number is looked for before a name.
    let digits = (b'0'..=b'9')
        .fold(Condition::any(), |any, digit| any.add(user::Column::Key.starts_with(char::from(digit).to_string())));
    let named: Vec<Holder> = find().filter(digits).into_tuple().all(&**writing).await?;
    for (id, name, parent, own) in named {
        let key = (tenant(id, parent), name.to_lowercase());
        if let Some(other) = taken.get(&key).filter(|_| own.as_deref() != Some(name.as_str())) {
            return Err(Error::Refused(format!("extension {name} of {other} is the name of another user")));
        }
    }
    Ok(())
}
