//! The schema, step by step. A step that was released never changes: the next one mends it.
//!
//! All steps run in one transaction at start. On PostgreSQL an advisory lock is taken first, so
//! that nodes that start together wait for each other; on SQLite the transaction is an immediate
//! one.

mod m0001_spine;

use sea_orm::{ConnectionTrait, SqliteTransactionMode, TransactionOptions};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, TransactionTrait};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Any number that nothing else in the database locks: the first eight letters of `paymux-s`.
const LOCK: i64 = i64::from_be_bytes(*b"paymux-s");

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_spine::Spine)]
    }
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
    tx.commit().await
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
mod tests {
    use sea_orm::{Iden, Iterable};

    use super::*;
    use crate::entity::{attempts, callbacks, decisions, deliveries, events, payments};
    use crate::rows::{Cells, columns};
    use crate::script::Sql;

    #[tokio::test]
    async fn the_entities_are_the_tables() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display());
        let db = sea_orm::Database::connect(url).await.unwrap();
        run(&db).await.unwrap();
        check::<payments::Column>(&db, "payments").await;
        check::<attempts::Column>(&db, "attempts").await;
        check::<decisions::Column>(&db, "decisions").await;
        check::<callbacks::Column>(&db, "callbacks").await;
        check::<events::Column>(&db, "events").await;
        check::<deliveries::Column>(&db, "deliveries").await;

        async fn check<C: Iterable + Iden>(db: &DatabaseConnection, table: &str) {
            let mut sql = Sql::new(DbBackend::Sqlite);
            sql.push("SELECT name FROM pragma_table_info(").bind(table).push(") ORDER BY cid");
            let rows = sql.rows(db).await.unwrap();
            let names: Vec<String> = rows.iter().map(|row| Cells::new(row).next().unwrap()).collect();
            assert_eq!(names.join(", "), columns::<C>(""), "{table}");
        }
    }
}
