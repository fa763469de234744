//! The gate remembers: how often somebody was banned, rules with a port, transport and end, and who was here lately.

use sea_orm_migration::prelude::*;

use crate::sql;

const UP: &[&str] = &[
    "ALTER TABLE bans ADD COLUMN times BIGINT NOT NULL DEFAULT 0",
    // In order of position, the first that fits decides; one network may have several.
    "CREATE TABLE firewall_rules (
        id {pk},
        position BIGINT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'deny')),
        cidr TEXT NOT NULL,
        port BIGINT CHECK (port BETWEEN 1 AND 65535),
        transport TEXT,
        created_by TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT
    )",
    "INSERT INTO firewall_rules (position, verdict, cidr, created_by, created_at)
        SELECT id, verdict, cidr, created_by, created_at FROM firewall ORDER BY id",
    "DROP TABLE firewall",
    // Addresses at which somebody has registered: served first when strangers storm.
    "CREATE TABLE known_sources (
        address TEXT NOT NULL PRIMARY KEY,
        seen_at BIGINT NOT NULL
    )",
    "CREATE INDEX known_sources_age ON known_sources (seen_at)",
];

const DOWN: &[&str] = &[
    "DROP TABLE known_sources",
    "CREATE TABLE firewall (
        id {pk},
        verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'deny')),
        cidr TEXT NOT NULL UNIQUE,
        created_by TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "INSERT INTO firewall (verdict, cidr, created_by, created_at)
        SELECT verdict, cidr, created_by, created_at FROM firewall_rules
        WHERE id IN (SELECT MIN(id) FROM firewall_rules GROUP BY cidr)",
    "DROP TABLE firewall_rules",
    "ALTER TABLE bans DROP COLUMN times",
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
