//! Who registers and logs in, with sealed secrets, and where they are reached.

use sea_orm_migration::prelude::*;

use crate::sql;

const TABLES: &[&str] = &["users", "secrets", "registrations", "registration_expiries"];

const UP: &[&str] = &[
    // key is the name in lower case, with its domain where that is not the platform's own: two names that differ in case are one.
    "CREATE TABLE users (
        id {pk},
        name TEXT NOT NULL,
        domain TEXT,
        key TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        account_id BIGINT NOT NULL REFERENCES accounts (id),
        parent_id BIGINT REFERENCES users (id),
        disabled_at BIGINT,
        disabled_by TEXT,
        auth TEXT NOT NULL,
        sources TEXT NOT NULL,
        algorithms BIGINT NOT NULL,
        last_algorithm TEXT,
        credential_version BIGINT NOT NULL,
        extension TEXT,
        caller_id TEXT,
        numbers TEXT NOT NULL,
        country TEXT,
        max_lines BIGINT,
        max_lines_offpeak BIGINT,
        email TEXT,
        template TEXT,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX users_of_account ON users (account_id)",
    "CREATE INDEX users_of_parent ON users (parent_id)",
    // The digest secrets (HA1) of one user in one realm, sealed: MD5, SHA-256, SHA-512/256.
    "CREATE TABLE secrets (
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        realm TEXT NOT NULL,
        sealed {blob} NOT NULL,
        changed_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, realm)
    )",
    // A binding; its name is the digest of what makes it one (contact or instance). Its expiry is a row of its own, because a
    // mere refresh changes nothing else.
    "CREATE TABLE registrations (
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        binding {blob} NOT NULL,
        contact TEXT NOT NULL,
        source TEXT NOT NULL,
        transport TEXT NOT NULL,
        user_agent TEXT NOT NULL,
        node_id BIGINT NOT NULL,
        state TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, binding)
    )",
    "CREATE TABLE registration_expiries (
        user_id BIGINT NOT NULL,
        binding {blob} NOT NULL,
        expires_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, binding),
        FOREIGN KEY (user_id, binding) REFERENCES registrations (user_id, binding) ON DELETE CASCADE
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
