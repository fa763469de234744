//! The tables in an order in which they can be filled, and how each engine turns a row into a line and back.

use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Every table; one that others refer to comes before them.
pub const TABLES: &[&str] = &[
    "marks",
    "versions",
    "changes",
    "settings",
    "audit",
    "nodes",
    "lives",
    "bans",
    "firewall",
    "decks",
    "deck_versions",
    "deck_rows",
    "calendars",
    "currency_rates",
    "accounts",
    "account_days",
    "holds",
    "lines",
    "entries",
    "anchors",
    "anchor_heads",
    "cdrs",
    "sources",
    "trunk_days",
    "templates",
    "users",
    "secrets",
    "registrations",
    "registration_expiries",
    "trunks",
    "routes",
    "dids",
    "fraud_profiles",
    "caller_bans",
];

/// What a start of the platform writes into an empty database: no obstacle to filling it.
pub const PREFILLED: &[&str] = &["marks", "versions", "changes", "lives", "nodes"];

/// A column and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Integer,
    Text,
    Bytes,
    Boolean,
}

/// The columns of `table`, as the database knows them.
pub async fn columns(database: &impl ConnectionTrait, table: &str) -> Result<Vec<Column>> {
    let backend = database.get_database_backend();
    let ask = match backend {
        DatabaseBackend::Postgres => {
            "SELECT column_name::text AS name, data_type::text AS type FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
        }
        _ => "SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
    };
    let rows = database.query_all_raw(Statement::from_sql_and_values(backend, ask, [table.into()])).await?;
    let mut columns = Vec::with_capacity(rows.len());
    for row in rows {
        let declared: String = row.try_get("", "type")?;
        let kind = match declared.to_ascii_uppercase().as_str() {
            "BIGINT" | "INTEGER" => Kind::Integer,
            "TEXT" => Kind::Text,
            "BLOB" | "BYTEA" => Kind::Bytes,
            "BOOLEAN" => Kind::Boolean,
            _ => return Err(Error::corrupt(format!("table {table} has a column of type {declared}"))),
        };
        columns.push(Column { name: row.try_get("", "name")?, kind });
    }
    Ok(columns)
}

/// A query whose one column is each row as a line.
pub fn select(backend: DatabaseBackend, table: &str, columns: &[Column]) -> String {
    let postgres = backend == DatabaseBackend::Postgres;
    let cells: Vec<String> = columns
        .iter()
        .map(|Column { name, kind }| match (kind, postgres) {
            (Kind::Integer | Kind::Text, _) | (Kind::Boolean, true) => name.clone(),
            (Kind::Boolean, false) => {
                format!("json(CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)")
            }
            (Kind::Bytes, true) => format!("encode({name}, 'hex')"),
            (Kind::Bytes, false) => format!("CASE WHEN {name} IS NULL THEN NULL ELSE lower(hex({name})) END"),
        })
        .collect();
    let cells = cells.join(", ");
    match postgres {
        true => format!("SELECT json_build_array({cells})::text AS line FROM {table} ORDER BY 1"),
        false => format!("SELECT json_array({cells}) AS line FROM {table}"),
    }
}

/// An insert of the rows in its one argument, a JSON array of lines.
pub fn insert(backend: DatabaseBackend, table: &str, columns: &[Column]) -> String {
    let postgres = backend == DatabaseBackend::Postgres;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let cells: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, Column { kind, .. })| match (kind, postgres) {
            (Kind::Integer, true) => format!("(j ->> {at})::bigint"),
            (Kind::Boolean, true) => format!("(j ->> {at})::boolean"),
            (Kind::Bytes, true) => format!("decode(j ->> {at}, 'hex')"),
            (Kind::Text, true) => format!("j ->> {at}"),
            (Kind::Bytes, false) => format!("unhex(j.value ->> {at})"),
            (_, false) => format!("j.value ->> {at}"),
        })
        .collect();
    let from = if postgres { "json_array_elements($1::json) j" } else { "json_each($1) j" };
    format!("INSERT INTO {table} ({}) SELECT {} FROM {from}", names.join(", "), cells.join(", "))
}
