//! How risky an operator holds a prefix or country.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "destination_risks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub member: String,
    pub risk: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
