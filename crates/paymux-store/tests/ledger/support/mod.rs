//! Ledgers for tests: a SQLite file in a folder of its own, a PostgreSQL database of its own, and a
//! look at their rows past the store.

pub(crate) mod look;
pub(crate) mod postgres;

use std::sync::Arc;

use paymux_store::{Ledger, Options};
use paymux_testkit::store_contract::Subject;

use self::look::RowLook;

/// A ledger on SQLite and the folder that it lies in.
pub(crate) struct OnSqlite {
    pub(crate) folder: tempfile::TempDir,
}

impl OnSqlite {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The file.
    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("paymux.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.file().display())
    }

    pub(crate) async fn open(&self) -> Ledger {
        Ledger::connect(&self.url(), Options::default()).await.unwrap()
    }

    /// A connection beside the ledger's own, as any tool could have.
    pub(crate) async fn tool(&self) -> sqlx::SqlitePool {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
        sqlx::SqlitePool::connect_with(options).await.unwrap()
    }
}

impl postgres::OnPostgres {
    pub(crate) async fn open(&self) -> Ledger {
        let options = Options { connections: 8, ..Options::default() };
        Ledger::connect(&self.url(), options).await.unwrap()
    }
}

/// An empty ledger on SQLite, for the contract.
pub(crate) async fn sqlite() -> Subject {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    let look = Arc::new(RowLook::Sqlite(place.tool().await));
    Subject { store: ledger, look, keep: Box::new(place) }
}

/// An empty ledger on PostgreSQL, for the contract.
pub(crate) async fn postgres() -> Subject {
    let place = postgres::OnPostgres::new().await;
    let ledger = Arc::new(place.open().await);
    let look = Arc::new(RowLook::Postgres(place.tool().await));
    Subject { store: ledger, look, keep: Box::new(place) }
}
