//! A ledger that is only looked at, beside a service that may be running on it: nothing is locked, brought
//! up to date or written.

use paymux_core::store::StoreError;
use sea_orm::{DatabaseConnection, DbErr};

use crate::address::Address;
use crate::error::ConnectError;
use crate::fault;
use crate::ledger::Options;
use crate::rows::Cells;
use crate::script::Sql;
use crate::{migration, postgres, sqlite};

#[derive(Debug)]
pub(crate) struct Reader(DatabaseConnection);

impl Reader {
    pub(crate) async fn open(address: &Address, options: &Options) -> Result<Self, ConnectError> {
        let db = match address {
            Address::Sqlite(file) => sqlite::look(file, options).await?,
            Address::Postgres(url) => postgres::look(url, options).await?,
        };
        check_schema(&db).await?;
        Ok(Self(db))
    }

    pub(crate) fn pool(&self) -> &DatabaseConnection {
        &self.0
    }

    /// What a write comes to.
    pub(crate) fn refuse<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable("the ledger was opened to be looked at only".into()))
    }

    pub(crate) async fn close(&self) {
        if let Err(error) = self.0.close_by_ref().await {
            fault::log("closing the readers failed", &error);
        }
    }
}

/// The steps of the schema must be those that this version knows, and all of them: what reads it says
/// what it means only then.
async fn check_schema(db: &DatabaseConnection) -> Result<(), ConnectError> {
    let unreadable = |error: DbErr| ConnectError::Schema(format!("no ledger can be read there: {error}"));
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT version FROM seaql_migrations ORDER BY version");
    let rows = sql.rows(db).await.map_err(unreadable)?;
    let names = rows.iter().map(|row| Cells::new(row).next::<String>());
    let found: Result<Vec<String>, _> = names.collect();
    let found = found.map_err(|_| ConnectError::Schema("its steps have no readable names".into()))?;
    let known = migration::names();
    if let Some(newer) = found.iter().find(|step| !known.contains(step)) {
        let what = format!("it has the step `{newer}` of a newer version; use that version");
        return Err(ConnectError::Schema(what));
    }
    match known.iter().find(|step| !found.contains(step)) {
        Some(missing) => {
            let what =
                format!("the step `{missing}` is still to be made; start the service of this version once");
            Err(ConnectError::Schema(what))
        }
        None => Ok(()),
    }
}
