//! An imported list of numbers seen in revenue share fraud.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "irsf_versions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub dated: String,
    pub source: String,
    pub live: bool,
    pub imported_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
