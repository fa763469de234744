//! Accounts, what is held of them, their books and the records of calls.

use sea_orm_migration::prelude::*;

use crate::sql;

const TABLES: &[&str] = &["accounts", "account_days", "holds", "lines", "entries", "anchors", "anchor_heads", "cdrs"];

const UP: &[&str] = &[
    // Terms are the operator's, state (balance to windows) is the ledger's.
    "CREATE TABLE accounts (
        id {pk},
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        mode TEXT NOT NULL CHECK (mode IN ('prepaid', 'postpaid')),
        currency TEXT NOT NULL,
        zone TEXT NOT NULL,
        parent_id BIGINT REFERENCES accounts (id) DEFERRABLE INITIALLY IMMEDIATE,
        deck_id BIGINT REFERENCES decks (id),
        disabled_at BIGINT,
        disabled_by TEXT,
        credit_limit BIGINT,
        max_lines BIGINT,
        max_lines_offpeak BIGINT,
        daily_limit BIGINT,
        monthly_limit BIGINT,
        monthly_increment BIGINT,
        monthly_ceiling BIGINT,
        dynamic_baseline BIGINT,
        burn_rate BIGINT,
        talk_day BIGINT,
        talk_month BIGINT,
        local_only BOOLEAN NOT NULL,
        main_number TEXT,
        created_at BIGINT NOT NULL,
        balance BIGINT NOT NULL,
        held BIGINT NOT NULL,
        burning BIGINT NOT NULL,
        entries BIGINT NOT NULL,
        head {blob} NOT NULL,
        windows TEXT
    )",
    "CREATE INDEX accounts_of_parent ON accounts (parent_id)",
    "CREATE TABLE account_days (
        account_id BIGINT NOT NULL REFERENCES accounts (id),
        day BIGINT NOT NULL,
        spend BIGINT NOT NULL,
        talk_ms BIGINT NOT NULL,
        capped BIGINT,
        accepted BOOLEAN NOT NULL,
        PRIMARY KEY (account_id, day)
    )",
    // One row for each live paid leg. hold is the whole of it as JSON; the other columns find it.
    "CREATE TABLE holds (
        call BIGINT NOT NULL,
        paid_leg BIGINT NOT NULL,
        node_id BIGINT NOT NULL,
        life BIGINT NOT NULL,
        paid_until BIGINT,
        hold TEXT NOT NULL,
        PRIMARY KEY (call, paid_leg)
    )",
    "CREATE INDEX holds_of_life ON holds (node_id, life)",
    // How many live holds name a user (0), an account (1) or a trunk (2); written with the holds, never without.
    "CREATE TABLE lines (
        holder BIGINT NOT NULL,
        holder_id BIGINT NOT NULL,
        in_use BIGINT NOT NULL,
        PRIMARY KEY (holder, holder_id)
    )",
    "CREATE TABLE entries (
        account_id BIGINT NOT NULL REFERENCES accounts (id),
        number BIGINT NOT NULL,
        at BIGINT NOT NULL,
        amount BIGINT NOT NULL,
        balance BIGINT NOT NULL,
        kind TEXT NOT NULL,
        call BIGINT NOT NULL,
        paid_leg BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        note TEXT NOT NULL,
        previous {blob} NOT NULL,
        hash {blob} NOT NULL,
        PRIMARY KEY (account_id, number)
    )",
    "CREATE UNIQUE INDEX entries_by_ask ON entries (account_id, call, paid_leg, sequence)",
    // One a day, over the heads of chains and the anchor before.
    "CREATE TABLE anchors (
        day BIGINT NOT NULL PRIMARY KEY,
        at BIGINT NOT NULL,
        previous {blob} NOT NULL,
        hash {blob} NOT NULL
    )",
    // Heads that moved since the anchor before; written in parts, before their anchor.
    "CREATE TABLE anchor_heads (
        day BIGINT NOT NULL,
        account_id BIGINT NOT NULL,
        entries BIGINT NOT NULL,
        balance BIGINT NOT NULL,
        head {blob} NOT NULL,
        PRIMARY KEY (day, account_id)
    )",
    "CREATE TABLE cdrs (
        id {pk},
        call BIGINT NOT NULL,
        paid_leg BIGINT NOT NULL,
        parent BIGINT,
        kind TEXT NOT NULL,
        started_at BIGINT NOT NULL,
        answered_at BIGINT,
        ended_at BIGINT NOT NULL,
        user_name TEXT,
        user_id BIGINT,
        account_id BIGINT,
        caller TEXT NOT NULL,
        callee TEXT NOT NULL,
        source_ip TEXT,
        trunk_in TEXT,
        trunk_out TEXT,
        trunk_out_id BIGINT,
        status TEXT NOT NULL,
        sip_status BIGINT,
        q850 BIGINT,
        hangup_side TEXT,
        cause TEXT NOT NULL,
        talk_ms BIGINT NOT NULL,
        billed_seconds BIGINT NOT NULL,
        sell_cost BIGINT NOT NULL,
        buy_cost BIGINT NOT NULL,
        currency TEXT NOT NULL,
        repeats BIGINT NOT NULL,
        spend_by_day TEXT NOT NULL,
        levels TEXT NOT NULL,
        refusal TEXT,
        trace TEXT NOT NULL,
        ladder TEXT NOT NULL,
        media TEXT NOT NULL
    )",
    // A row that stands for several attempts carries the call of the last of them.
    "CREATE UNIQUE INDEX cdrs_by_call ON cdrs (call, paid_leg) WHERE repeats = 1",
    "CREATE INDEX cdrs_by_time ON cdrs (started_at)",
    "CREATE INDEX cdrs_of_user ON cdrs (user_name, started_at)",
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
