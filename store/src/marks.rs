//! Single facts about this database: the proof that the seal key fits, the realm its secrets were made for.

use sea_orm::ColumnTrait;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter};

use crate::entity::{mark, secret, trunk};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::seal::{Place, Seal};

const KEY_PROOF: &str = "seal_key_proof";
const PROOF_PLACE: Place<'_> = Place { table: "marks", row: KEY_PROOF, column: "value" };
const PROOF: &[u8] = b"this key fits";

/// The value of the mark called `name`.
pub async fn get(store: &Store, name: &str) -> Result<Option<String>> {
    Ok(mark::Entity::find_by_id(name.to_owned()).one(store.read()).await?.map(|row| row.value))
}

/// Sets the mark called `name`.
pub async fn set(store: &Store, name: &str, value: &str) -> Result<()> {
    let writing = store.begin().await?;
    write(&*writing, name, value).await?;
    writing.commit().await
}

/// Sets the mark called `name`; answers what it was.
pub(crate) async fn replace(database: &impl ConnectionTrait, name: &str, value: &str) -> Result<Option<String>> {
    let was = mark::Entity::find_by_id(name.to_owned()).one(database).await?;
    write(database, name, value).await?;
    Ok(was.map(|row| row.value))
}

/// How many rows hold something sealed.
pub(crate) async fn sealed_rows(database: &DatabaseConnection) -> Result<i64> {
    let secrets = secret::Entity::find().count(database).await?;
    let trunks = trunk::Entity::find().filter(trunk::Column::Secret.is_not_null()).count(database).await?;
    Ok(i64::try_from(secrets + trunks).unwrap_or(i64::MAX))
}

/// Does `seal` fit what was sealed here before? The first key that comes by is remembered.
pub(crate) async fn check_key(database: &DatabaseConnection, seal: &Seal) -> Result<()> {
    match mark::Entity::find_by_id(KEY_PROOF.to_owned()).one(database).await? {
        Some(row) => {
            let sealed = hex::decode(&row.value).map_err(|_| Error::SealKeyWrong)?;
            match seal.open(PROOF_PLACE, &sealed) {
                Ok(proof) if proof == PROOF => Ok(()),
                // A key that was lost while nothing was sealed yet strands nothing.
                _ if sealed_rows(database).await? == 0 => prove(database, seal).await,
                _ => Err(Error::SealKeyWrong),
            }
        }
        None => prove(database, seal).await,
    }
}

async fn prove(database: &DatabaseConnection, seal: &Seal) -> Result<()> {
    write(database, KEY_PROOF, &hex::encode(seal.seal(PROOF_PLACE, PROOF))).await
}

async fn write(database: &impl ConnectionTrait, name: &str, value: &str) -> Result<()> {
    let row = mark::ActiveModel { name: Set(name.to_owned()), value: Set(value.to_owned()) };
    let conflict = OnConflict::column(mark::Column::Name).update_column(mark::Column::Value).to_owned();
    mark::Entity::insert(row).on_conflict(conflict).exec_without_returning(database).await?;
    Ok(())
}
