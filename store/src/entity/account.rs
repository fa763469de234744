//! Who pays: terms are the operator's, state (balance to windows) is the ledger's.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub kind: String,
    pub mode: String,
    pub currency: String,
    pub zone: String,
    pub parent_id: Option<i64>,
    pub deck_id: Option<i64>,
    pub disabled_at: Option<i64>,
    pub disabled_by: Option<String>,
    /// Amounts are in 10⁻⁶, the burn rate in 10⁻⁹ a minute.
    pub credit_limit: Option<i64>,
    pub max_lines: Option<i64>,
    pub max_lines_offpeak: Option<i64>,
    pub daily_limit: Option<i64>,
    pub monthly_limit: Option<i64>,
    pub monthly_increment: Option<i64>,
    pub monthly_ceiling: Option<i64>,
    pub dynamic_baseline: Option<i64>,
    pub burn_rate: Option<i64>,
    pub talk_day: Option<i64>,
    pub talk_month: Option<i64>,
    pub local_only: bool,
    pub main_number: Option<String>,
    /// In 10⁻⁹ a minute.
    pub sell_max: Option<i64>,
    pub early_media: Option<String>,
    pub created_at: i64,
    #[serde(skip)]
    pub balance: i64,
    #[serde(skip)]
    pub held: i64,
    #[serde(skip)]
    pub burning: i64,
    #[serde(skip)]
    pub entries: i64,
    #[serde(skip)]
    pub head: Vec<u8>,
    #[serde(skip)]
    /// JSON; none until the account is first used.
    pub windows: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
