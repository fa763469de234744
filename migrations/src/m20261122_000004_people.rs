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
        parent_id BIGINT REFERENCES users (id) DEFERRABLE INITIALLY IMMEDIATE,
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
    // A binding, numbered within its user. What a mere refresh changes has a narrow row of its own.
    "CREATE TABLE registrations (
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        number BIGINT NOT NULL,
        transport TEXT NOT NULL,
        local TEXT NOT NULL,
        source TEXT NOT NULL,
        contact TEXT NOT NULL,
        instance TEXT NOT NULL,
        reg_id BIGINT,
        call_id TEXT NOT NULL,
        user_agent TEXT NOT NULL,
        cseq BIGINT NOT NULL,
        paths TEXT NOT NULL,
        q BIGINT NOT NULL,
        since BIGINT NOT NULL,
        refreshed_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, number)
    )",
    "CREATE TABLE registration_expiries (
        user_id BIGINT NOT NULL,
        number BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, number),
        FOREIGN KEY (user_id, number) REFERENCES registrations (user_id, number) ON DELETE CASCADE
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
