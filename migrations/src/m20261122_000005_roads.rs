//! Where calls come from and go to: trunks, routes, DIDs.

use sea_orm_migration::prelude::*;

use crate::sql;

const TABLES: &[&str] = &["trunks", "routes", "dids"];

const UP: &[&str] = &[
    // secret is sealed: digest secrets of an ingress trunk, our password with an egress trunk.
    "CREATE TABLE trunks (
        id {pk},
        name TEXT NOT NULL UNIQUE,
        direction TEXT NOT NULL CHECK (direction IN ('ingress', 'egress')),
        address TEXT NOT NULL,
        auth TEXT NOT NULL,
        prefix TEXT NOT NULL,
        username TEXT,
        secret {blob},
        realms TEXT NOT NULL,
        algorithms BIGINT NOT NULL,
        credential_version BIGINT NOT NULL,
        account_id BIGINT REFERENCES accounts (id),
        deck_id BIGINT REFERENCES decks (id),
        max_lines BIGINT,
        number_format TEXT NOT NULL,
        cli_format TEXT NOT NULL,
        did_in TEXT NOT NULL,
        default_number TEXT,
        country TEXT,
        trusted_identity BOOLEAN NOT NULL,
        register BOOLEAN NOT NULL,
        health_every BIGINT,
        disabled_at BIGINT,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE routes (
        id {pk},
        prefix TEXT NOT NULL,
        trunk_id BIGINT NOT NULL REFERENCES trunks (id),
        priority BIGINT NOT NULL,
        weight BIGINT NOT NULL,
        band TEXT NOT NULL,
        emergency BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX routes_by_prefix ON routes (prefix)",
    "CREATE INDEX routes_of_trunk ON routes (trunk_id)",
    // A number, or a range of numbers of one length.
    "CREATE TABLE dids (
        id {pk},
        first_number TEXT NOT NULL UNIQUE,
        last_number TEXT NOT NULL,
        user_id BIGINT NOT NULL REFERENCES users (id),
        inbound_deck_id BIGINT REFERENCES decks (id),
        uri TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX dids_of_user ON dids (user_id)",
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
