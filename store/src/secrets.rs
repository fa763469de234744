//! Digest secrets of users, sealed. A password is never here: what it leaves behind is HA1 by three algorithms for one realm.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};
use tollgate_routing::Ha1s;
use tollgate_types::UserId;

use crate::cells;
use crate::entity::secret;
use crate::error::{Error, Result};
use crate::open::{By, Store, Writing};
use crate::seal::{Place, Seal};

const BYTES: usize = 16 + 32 + 32;

/// The secrets of `user` in `realm`.
pub async fn get(store: &Store, user: UserId, realm: &str) -> Result<Option<Ha1s>> {
    let row = secret::Entity::find_by_id((user.0, realm.to_owned())).one(store.read()).await?;
    row.map(|row| open(store.seal(), &row)).transpose()
}

/// All realms that have secrets: changing the platform's realm strands every phone.
pub async fn realms(store: &Store) -> Result<Vec<String>> {
    use sea_orm::QuerySelect;
    let find = secret::Entity::find().select_only().column(secret::Column::Realm).distinct();
    Ok(find.into_tuple().all(store.read()).await?)
}

pub(crate) async fn put(writing: &Writing, seal: &Seal, by: &By, user: UserId, realm: &str, ha1: &Ha1s) -> Result<()> {
    let row = secret::ActiveModel {
        user_id: Set(user.0),
        realm: Set(realm.to_owned()),
        sealed: Set(seal.seal(place(&name(user.0, realm)), &pack(ha1))),
        changed_at: Set(by.at.micros()),
    };
    let replaced = OnConflict::columns([secret::Column::UserId, secret::Column::Realm])
        .update_columns([secret::Column::Sealed, secret::Column::ChangedAt])
        .to_owned();
    secret::Entity::insert(row).on_conflict(replaced).exec_without_returning(&**writing).await?;
    Ok(())
}

/// All secrets of one realm, by user.
pub(crate) async fn of_realm(store: &Store, realm: &str) -> Result<Vec<(UserId, Ha1s)>> {
    let rows = cells::all(store, "SELECT user_id, realm, sealed, changed_at FROM secrets", |row| {
        Ok(secret::Model {
            user_id: row.number(0)?,
            realm: row.word(1)?,
            sealed: row.bytes(2)?,
            changed_at: row.number(3)?,
        })
    });
    let rows = rows.await?.into_iter().filter(|row| row.realm == realm);
    rows.map(|row| Ok((UserId(row.user_id), open(store.seal(), &row)?))).collect()
}

fn open(seal: &Seal, row: &secret::Model) -> Result<Ha1s> {
    let name = name(row.user_id, &row.realm);
    unpack(&seal.open(place(&name), &row.sealed)?)
}

fn name(user: i64, realm: &str) -> String {
    format!("{user}/{realm}")
}

fn place(row: &str) -> Place<'_> {
    Place { table: "secrets", row, column: "sealed" }
}

pub(crate) fn pack(ha1: &Ha1s) -> Vec<u8> {
    [&ha1.md5[..], &ha1.sha256, &ha1.sha512_256].concat()
}

pub(crate) fn unpack(bytes: &[u8]) -> Result<Ha1s> {
    let bytes: &[u8; BYTES] = bytes.try_into().map_err(|_| Error::corrupt("digest secrets of a wrong length"))?;
    let mut ha1 = Ha1s { md5: [0; 16], sha256: [0; 32], sha512_256: [0; 32] };
    ha1.md5.copy_from_slice(&bytes[..16]);
    ha1.sha256.copy_from_slice(&bytes[16..48]);
    ha1.sha512_256.copy_from_slice(&bytes[48..]);
    Ok(ha1)
}
