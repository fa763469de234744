//! Who may call where, which numbers are listed, and what calls taught of them.

use sea_orm_migration::prelude::*;

use crate::sql;

const TABLES: &[&str] = &[
    "destination_rules",
    "destination_groups",
    "destination_risks",
    "irsf_versions",
    "irsf_prefixes",
    "number_lists",
    "reputations",
];

const UP: &[&str] = &[
    // Without an account a rule is everybody's.
    "CREATE TABLE destination_rules (
        id {pk},
        account_id BIGINT REFERENCES accounts (id) ON DELETE CASCADE,
        target TEXT NOT NULL,
        allows BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE destination_groups (
        name TEXT NOT NULL PRIMARY KEY,
        members TEXT NOT NULL
    )",
    "CREATE TABLE destination_risks (
        member TEXT NOT NULL PRIMARY KEY,
        risk TEXT NOT NULL
    )",
    "CREATE TABLE irsf_versions (
        id {pk},
        dated TEXT NOT NULL,
        source TEXT NOT NULL,
        live BOOLEAN NOT NULL,
        imported_at BIGINT NOT NULL
    )",
    "CREATE TABLE irsf_prefixes (
        id {pk},
        version_id BIGINT NOT NULL REFERENCES irsf_versions (id) ON DELETE CASCADE,
        prefix TEXT NOT NULL
    )",
    "CREATE INDEX irsf_prefixes_of_version ON irsf_prefixes (version_id)",
    "CREATE TABLE number_lists (
        id {pk},
        color TEXT NOT NULL CHECK (color IN ('black', 'white')),
        numbers TEXT NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('caller', 'callee')),
        certainty BIGINT NOT NULL,
        account_id BIGINT REFERENCES accounts (id) ON DELETE CASCADE,
        until BIGINT,
        source TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE reputations (
        number TEXT NOT NULL PRIMARY KEY,
        in_a_row BIGINT NOT NULL,
        answered BIGINT NOT NULL,
        unroutable BIGINT NOT NULL,
        unanswered BIGINT NOT NULL,
        score BIGINT NOT NULL,
        heard_at BIGINT NOT NULL,
        until BIGINT
    )",
    "CREATE INDEX reputations_by_time ON reputations (heard_at)",
    "ALTER TABLE users ADD COLUMN verified TEXT NOT NULL DEFAULT ''",
    // A rate in 10⁻⁹ a minute.
    "ALTER TABLE accounts ADD COLUMN sell_max BIGINT",
    "ALTER TABLE accounts ADD COLUMN early_media TEXT",
    "ALTER TABLE trunks ADD COLUMN early_media TEXT",
];

const DOWN: &[&str] = &[
    "ALTER TABLE trunks DROP COLUMN early_media",
    "ALTER TABLE accounts DROP COLUMN early_media",
    "ALTER TABLE accounts DROP COLUMN sell_max",
    "ALTER TABLE users DROP COLUMN verified",
];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, DOWN).await?;
        sql::drop(manager, TABLES).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
