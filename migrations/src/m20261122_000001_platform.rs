//! What the platform knows of itself: settings, who changed what, nodes and their lives, bans.

use sea_orm_migration::prelude::*;

use crate::sql;

const TABLES: &[&str] = &["marks", "versions", "settings", "audit", "nodes", "lives", "bans", "firewall"];

const UP: &[&str] = &[
    // Single facts: the proof that the seal key fits, the realm of stored secrets.
    "CREATE TABLE marks (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    )",
    // Bumped by every write of a topic, so that each node sees when to load again.
    "CREATE TABLE versions (
        topic TEXT NOT NULL PRIMARY KEY,
        version BIGINT NOT NULL
    )",
    "CREATE TABLE settings (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL,
        changed_at BIGINT NOT NULL,
        changed_by TEXT NOT NULL
    )",
    "CREATE TABLE audit (
        id {pk},
        at BIGINT NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        noun TEXT NOT NULL,
        subject TEXT NOT NULL,
        was TEXT,
        is_now TEXT
    )",
    "CREATE INDEX audit_of ON audit (noun, subject, id)",
    "CREATE TABLE nodes (
        id BIGINT NOT NULL PRIMARY KEY CHECK (id BETWEEN 0 AND 1023),
        name TEXT NOT NULL UNIQUE
    )",
    // One row for each start of a node. alive_at is the proof of talk; ended_at says that its holds are settled.
    "CREATE TABLE lives (
        id {pk},
        node_id BIGINT NOT NULL REFERENCES nodes (id),
        started_at BIGINT NOT NULL,
        alive_at BIGINT NOT NULL,
        ended_at BIGINT
    )",
    "CREATE INDEX lives_open ON lives (node_id) WHERE ended_at IS NULL",
    "CREATE TABLE bans (
        id {pk},
        scope TEXT NOT NULL,
        subject TEXT NOT NULL,
        reason TEXT NOT NULL,
        evidence TEXT NOT NULL,
        created_by TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT,
        UNIQUE (scope, subject)
    )",
    "CREATE INDEX bans_expiry ON bans (expires_at)",
    "CREATE TABLE firewall (
        id {pk},
        verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'deny')),
        cidr TEXT NOT NULL UNIQUE,
        created_by TEXT NOT NULL,
        created_at BIGINT NOT NULL
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
