//! Who registers and logs in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub domain: Option<String>,
    pub key: String,
    pub kind: String,
    pub account_id: i64,
    pub parent_id: Option<i64>,
    pub disabled_at: Option<i64>,
    pub disabled_by: Option<String>,
    pub auth: String,
    /// Separated by blanks, as numbers are.
    pub sources: String,
    pub algorithms: i64,
    pub last_algorithm: Option<String>,
    pub credential_version: i64,
    pub extension: Option<String>,
    pub caller_id: Option<String>,
    pub numbers: String,
    pub country: Option<String>,
    pub max_lines: Option<i64>,
    pub max_lines_offpeak: Option<i64>,
    pub email: Option<String>,
    pub template: Option<String>,
    /// Names of options that follow the template, as a JSON array.
    pub inherited: String,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
