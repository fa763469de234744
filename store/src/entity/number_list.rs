//! A number, prefix or range on a black or white list.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "number_lists")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub color: String,
    pub numbers: String,
    pub side: String,
    pub certainty: i64,
    pub account_id: Option<i64>,
    pub until: Option<i64>,
    pub source: String,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
