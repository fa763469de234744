//! A number, or a range of numbers, that reaches a user.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "dids")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub first_number: String,
    pub last_number: String,
    pub user_id: i64,
    pub inbound_deck_id: Option<i64>,
    pub uri: String,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
