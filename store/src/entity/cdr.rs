//! One row for each attempt and paid leg.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cdrs")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub call: i64,
    pub paid_leg: i64,
    pub parent: Option<i64>,
    pub kind: String,
    pub started_at: i64,
    pub answered_at: Option<i64>,
    pub ended_at: i64,
    pub user_name: Option<String>,
    pub user_id: Option<i64>,
    pub account_id: Option<i64>,
    pub caller: String,
    pub callee: String,
    pub source_ip: Option<String>,
    pub trunk_in: Option<String>,
    pub trunk_out: Option<String>,
    pub trunk_out_id: Option<i64>,
    pub status: String,
    pub sip_status: Option<i64>,
    pub q850: Option<i64>,
    pub hangup_side: Option<String>,
    pub cause: String,
    pub talk_ms: i64,
    pub billed_seconds: i64,
    pub sell_cost: i64,
    pub buy_cost: i64,
    pub currency: String,
    pub repeats: i64,
    /// JSON, as the rest of it.
    pub spend_by_day: String,
    pub levels: String,
    pub refusal: Option<String>,
    pub trace: String,
    pub ladder: String,
    pub media: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
