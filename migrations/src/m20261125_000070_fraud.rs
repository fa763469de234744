//! What the fraud score remembers of accounts, and callers that are refused for how their calls went.

use sea_orm_migration::prelude::*;

use crate::sql;

const TABLES: &[&str] = &["fraud_profiles", "caller_bans"];

const UP: &[&str] = &[
    // history is one line of the guard's own; the block is null where there is none.
    "CREATE TABLE fraud_profiles (
        account_id BIGINT NOT NULL PRIMARY KEY,
        history TEXT NOT NULL,
        blocked_at BIGINT,
        blocked_until BIGINT,
        reason TEXT,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE caller_bans (
        subject TEXT NOT NULL PRIMARY KEY,
        setting TEXT NOT NULL,
        observed TEXT NOT NULL,
        usual TEXT NOT NULL,
        since BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )",
];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::drop(manager, TABLES).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
