//! A peer carrier or wholesaler, in one direction.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "trunks")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub direction: String,
    pub address: String,
    pub auth: String,
    pub prefix: String,
    pub username: Option<String>,
    #[serde(skip)]
    pub secret: Option<Vec<u8>>,
    pub realms: String,
    pub algorithms: i64,
    pub credential_version: i64,
    pub account_id: Option<i64>,
    pub deck_id: Option<i64>,
    pub max_lines: Option<i64>,
    pub max_lines_offpeak: Option<i64>,
    /// Seconds.
    pub talk_day: Option<i64>,
    /// Seconds.
    pub talk_month: Option<i64>,
    pub number_format: String,
    pub cli_format: String,
    pub did_in: String,
    pub default_number: Option<String>,
    pub country: Option<String>,
    pub trusted_identity: bool,
    pub register: bool,
    /// Seconds.
    pub health_every: Option<i64>,
    pub disabled_at: Option<i64>,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
