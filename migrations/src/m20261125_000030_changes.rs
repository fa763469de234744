//! Which rows each version of the directory changed, and records that stand for several attempts.

use sea_orm_migration::prelude::*;

use crate::sql;

const UP: &[&str] = &[
    // What nodes load again after a change, instead of everything. Old versions are forgotten.
    "CREATE TABLE changes (
        version BIGINT NOT NULL,
        noun TEXT NOT NULL,
        row_id BIGINT NOT NULL,
        PRIMARY KEY (version, noun, row_id)
    )",
    // A record that stands for several attempts carries the call of the first; its count grows while they repeat.
    "DROP INDEX cdrs_by_call",
    "CREATE UNIQUE INDEX cdrs_by_call ON cdrs (call, paid_leg)",
];

const DOWN: &[&str] = &[
    "DROP INDEX cdrs_by_call",
    "CREATE UNIQUE INDEX cdrs_by_call ON cdrs (call, paid_leg) WHERE repeats = 1",
    "DROP TABLE changes",
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
