//! One import of a deck.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deck_versions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub deck_id: i64,
    pub number: i64,
    pub complete: bool,
    pub row_count: i64,
    pub source: String,
    pub imported_by: String,
    pub imported_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
