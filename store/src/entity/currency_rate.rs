//! What a unit of one currency costs in another, from a time on.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "currency_rates")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub base: String,
    pub quote: String,
    /// In 10⁻⁹.
    pub rate: i64,
    pub valid_from: i64,
    pub set_by: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
