//! One price of one version.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deck_rows")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub version_id: i64,
    pub prefix: String,
    pub destination: String,
    /// Per minute, in 10⁻⁹.
    pub price: i64,
    /// In 10⁻⁶.
    pub setup_fee: i64,
    /// In seconds, as the next two.
    pub first_increment: i64,
    pub next_increment: i64,
    pub grace: i64,
    pub band: String,
    pub effective_from: Option<i64>,
    pub blocked: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
