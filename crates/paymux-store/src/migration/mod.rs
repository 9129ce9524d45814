//! The schema, step by step. A step that was released never changes: the next one mends it.
//!
//! All steps run in one transaction at start. On PostgreSQL an advisory lock is taken first, so
//! that nodes that start together wait for each other; on SQLite the transaction is an immediate
//! one.

mod m0001_spine;
mod m0002_money;
mod m0003_crossing;
mod m0004_fair;
mod m0005_sending;
mod m0006_said_paid;
mod m0007_overdue;
mod m0008_day_book;
mod m0009_capacity;
mod m0010_channels;
mod m0011_fronts;
mod m0012_versions;
mod m0013_imported;
mod m0014_front_transfers;

use sea_orm::{ConnectionTrait, SqliteTransactionMode, TransactionOptions};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, TransactionTrait};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Any number that nothing else in the database locks: the first eight letters of `paymux-s`.
const LOCK: i64 = i64::from_be_bytes(*b"paymux-s");

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_spine::Spine),
            Box::new(m0002_money::Money),
            Box::new(m0003_crossing::Crossing),
            Box::new(m0004_fair::FairShares),
            Box::new(m0005_sending::Sending),
            Box::new(m0006_said_paid::SaidPaid),
            Box::new(m0007_overdue::Overdue),
            Box::new(m0008_day_book::DayBook),
            Box::new(m0009_capacity::Capacity),
            Box::new(m0010_channels::Channels),
            Box::new(m0011_fronts::Fronts),
            Box::new(m0012_versions::Versions),
            Box::new(m0013_imported::Imported),
            Box::new(m0014_front_transfers::FrontTransfers),
        ]
    }
}

/// The names of all steps that this version knows.
pub(crate) fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

/// A text with the database's own names for our five types, and for what is not so.
fn dialect(backend: DbBackend, text: &str) -> String {
    let names = match backend {
        DbBackend::Postgres => [r#"text COLLATE "C""#, "bigint", "boolean", "bytea", "", "false"],
        _ => ["TEXT", "INTEGER", "INTEGER", "BLOB", " STRICT", "0"],
    };
    let marks = ["{text}", "{int}", "{bool}", "{bytes}", "{strict}", "{false}"];
    marks.iter().zip(names).fold(text.to_owned(), |text, (mark, name)| text.replace(mark, name))
}

/// Brings the database to the newest schema, wholly or not at all. Does nothing when it is there.
///
/// # Errors
/// Besides the database's own: the database has a step that this version does not know.
pub(crate) async fn run(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = db.begin_with_options(immediate()).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        // Another node's migration may take longer than any statement of the day's work may.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    apply(&tx).await?;
    paymux_core::crash_point!("migrate.before_commit");
    tx.commit().await?;
    paymux_core::crash_point!("migrate.after_commit");
    Ok(())
}

async fn apply(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    Migrator::up(tx, None).await
}

/// A transaction that takes SQLite's write lock at once: one that takes it later fails at once
/// when somebody else was faster, whatever the busy timeout says.
fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
