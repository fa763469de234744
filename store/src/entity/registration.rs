//! A binding: where a user is reached.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registrations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub transport: String,
    pub local: String,
    pub source: String,
    pub contact: String,
    pub instance: String,
    pub reg_id: Option<i64>,
    pub call_id: String,
    pub user_agent: String,
    pub cseq: i64,
    pub paths: String,
    pub q: i64,
    pub since: i64,
    pub refreshed_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
