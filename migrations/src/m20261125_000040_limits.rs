//! Limits: templates of users, what source addresses use, talk time of egress trunks, lines of trunks by the hour.

use sea_orm_migration::prelude::*;

use crate::sql;

const UP: &[&str] = &[
    // What user add takes where nothing is said: options by name, as they are typed.
    "CREATE TABLE templates (
        name TEXT NOT NULL PRIMARY KEY,
        terms TEXT NOT NULL,
        changed_at BIGINT NOT NULL
    )",
    // Names of the options that follow the template, as a JSON array.
    "ALTER TABLE users ADD COLUMN inherited TEXT NOT NULL DEFAULT '[]'",
    // What an address used within the rolling period, as JSON. Written with holds, and only while addresses are limited.
    "CREATE TABLE sources (
        source TEXT NOT NULL PRIMARY KEY,
        used TEXT NOT NULL,
        counted_at BIGINT NOT NULL
    )",
    // Days are those of UTC.
    "CREATE TABLE trunk_days (
        trunk_id BIGINT NOT NULL,
        day BIGINT NOT NULL,
        talk_ms BIGINT NOT NULL,
        PRIMARY KEY (trunk_id, day)
    )",
    "ALTER TABLE trunks ADD COLUMN max_lines_offpeak BIGINT",
    "ALTER TABLE trunks ADD COLUMN talk_day BIGINT",
    "ALTER TABLE trunks ADD COLUMN talk_month BIGINT",
];

const DOWN: &[&str] = &[
    "ALTER TABLE trunks DROP COLUMN talk_month",
    "ALTER TABLE trunks DROP COLUMN talk_day",
    "ALTER TABLE trunks DROP COLUMN max_lines_offpeak",
    "DROP TABLE trunk_days",
    "DROP TABLE sources",
    "ALTER TABLE users DROP COLUMN inherited",
    "DROP TABLE templates",
];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, DOWN).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
