//! How long an egress trunk talked on a day of UTC.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "trunk_days")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub trunk_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i64,
    pub talk_ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
