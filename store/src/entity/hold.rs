//! Live holds.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "holds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub call: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub paid_leg: i64,
    pub node_id: i64,
    pub life: i64,
    pub paid_until: Option<i64>,
    /// JSON of the whole.
    pub hold: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
