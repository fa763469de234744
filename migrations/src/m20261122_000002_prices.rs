//! What calls cost: decks in versions, calendars, currency rates.

use sea_orm_migration::prelude::*;

use crate::sql;

const TABLES: &[&str] = &["decks", "deck_versions", "deck_rows", "calendars", "currency_rates"];

const UP: &[&str] = &[
    // The live version is one number here: an import makes a version, one update makes it live, rollback turns back.
    "CREATE TABLE decks (
        id {pk},
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('sell', 'buy')),
        currency TEXT NOT NULL,
        zone TEXT NOT NULL,
        live_version BIGINT,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE deck_versions (
        id {pk},
        deck_id BIGINT NOT NULL REFERENCES decks (id) ON DELETE CASCADE,
        number BIGINT NOT NULL,
        complete BOOLEAN NOT NULL,
        row_count BIGINT NOT NULL,
        source TEXT NOT NULL,
        imported_by TEXT NOT NULL,
        imported_at BIGINT NOT NULL,
        UNIQUE (deck_id, number)
    )",
    "CREATE TABLE deck_rows (
        id {pk},
        version_id BIGINT NOT NULL REFERENCES deck_versions (id) ON DELETE CASCADE,
        prefix TEXT NOT NULL,
        destination TEXT NOT NULL,
        price BIGINT NOT NULL,
        setup_fee BIGINT NOT NULL,
        first_increment BIGINT NOT NULL,
        next_increment BIGINT NOT NULL,
        grace BIGINT NOT NULL,
        band TEXT NOT NULL,
        effective_from BIGINT,
        blocked BOOLEAN NOT NULL
    )",
    "CREATE INDEX deck_rows_of ON deck_rows (version_id, prefix)",
    "CREATE TABLE calendars (
        name TEXT NOT NULL PRIMARY KEY,
        definition TEXT NOT NULL,
        changed_at BIGINT NOT NULL
    )",
    // What one unit of base costs in quote, in 10⁻⁹, from a time on.
    "CREATE TABLE currency_rates (
        id {pk},
        base TEXT NOT NULL,
        quote TEXT NOT NULL,
        rate BIGINT NOT NULL CHECK (rate > 0),
        valid_from BIGINT NOT NULL,
        set_by TEXT NOT NULL,
        UNIQUE (base, quote, valid_from)
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
