//! The database's history, on SQLite and PostgreSQL alike. It never imports the store.
//!
//! Money and rates are BIGINT (10⁻⁶ and 10⁻⁹ of a unit), times are BIGINT microseconds since 1970: no column can round.

#![allow(elided_lifetimes_in_paths, reason = "the trait elides them, and async_trait wants both sides alike")]

mod m20261122_000001_platform;
mod m20261122_000002_prices;
mod m20261122_000003_money;
mod m20261122_000004_people;
mod m20261122_000005_roads;
mod m20261125_000030_changes;
mod m20261125_000040_limits;
mod m20261125_000070_fraud;
mod sql;

use sea_orm_migration::prelude::*;

/// Runs the migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_platform::Migration),
            Box::new(m20261122_000002_prices::Migration),
            Box::new(m20261122_000003_money::Migration),
            Box::new(m20261122_000004_people::Migration),
            Box::new(m20261122_000005_roads::Migration),
            Box::new(m20261125_000030_changes::Migration),
            Box::new(m20261125_000040_limits::Migration),
            Box::new(m20261125_000070_fraud::Migration),
        ]
    }
}

/// Names of the migrations that `database` has not seen yet; an empty database misses all of them.
pub async fn pending(database: &sea_orm_migration::sea_orm::DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let missing = Migrator::get_pending_migrations_read_only(database).await?;
    Ok(missing.iter().map(|migration| migration.name().to_owned()).collect())
}

/// Brings `database` up to date.
pub async fn up(database: &sea_orm_migration::sea_orm::DatabaseConnection) -> Result<(), DbErr> {
    Migrator::up(database, None).await
}

/// Takes the last `steps` migrations back; their tables go with all they hold.
pub async fn down(database: &sea_orm_migration::sea_orm::DatabaseConnection, steps: u32) -> Result<(), DbErr> {
    Migrator::down(database, Some(steps)).await
}

/// The newest migration this program knows: what a backup says it was made from.
pub fn newest() -> String {
    Migrator::migrations().last().map(|migration| migration.name().to_owned()).unwrap_or_default()
}
