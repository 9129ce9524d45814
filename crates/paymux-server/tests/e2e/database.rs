//! Where a test's ledger stands: a file in a folder of its own, or a PostgreSQL database of its own.

use sea_orm::{ConnectionTrait as _, Database as Connector, QueryResult, Statement};

/// Which database.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A ledger's place, removed in the end by [`Database::drop`].
pub(crate) enum Database {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, name: String },
}

impl Database {
    pub(crate) async fn create(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Kind::Postgres => {
                let (server, name) = (server(), format!("paymux_e2e_{:016x}", fastrand::u64(..)));
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                Self::Postgres { server, name }
            }
        }
    }

    /// Its address for `store.url`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("paymux.db").display()),
            Self::Postgres { server, name } => format!("{}/{name}", server.rsplit_once('/').unwrap().0),
        }
    }

    /// Runs these statements.
    pub(crate) async fn execute(&self, sql: &str) {
        let url = match self {
            Self::Sqlite(_) => self.url() + "?mode=rwc",
            Self::Postgres { .. } => self.url(),
        };
        execute(&url, sql).await;
    }

    /// Another one with all that is in this one, which nobody uses just now.
    pub(crate) async fn copy(&self) -> Self {
        match self {
            Self::Sqlite(folder) => {
                let copy = tempfile::tempdir().unwrap();
                let file = |folder: &tempfile::TempDir| folder.path().join("paymux.db");
                std::fs::copy(file(folder), file(&copy)).unwrap();
                Self::Sqlite(copy)
            }
            Self::Postgres { server, name: own } => {
                let name = format!("paymux_e2e_{:016x}", fastrand::u64(..));
                execute(server, &format!("CREATE DATABASE {name} TEMPLATE {own}")).await;
                Self::Postgres { server: server.clone(), name }
            }
        }
    }

    /// What a `SELECT` of a text and a number says, read beside the running binary.
    pub(crate) async fn pairs(&self, select: &str) -> Vec<(String, i64)> {
        let connection = Connector::connect(self.url()).await.unwrap();
        let statement = Statement::from_string(connection.get_database_backend(), select);
        let rows = connection.query_all_raw(statement).await.unwrap();
        connection.close().await.unwrap();
        let pair = |row: &QueryResult| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        rows.iter().map(pair).collect()
    }

    pub(crate) async fn drop(self) {
        if let Self::Postgres { server, name } = self {
            execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn execute(server: &str, sql: &str) {
    let connection = Connector::connect(server).await.unwrap_or_else(|error| {
        panic!(
            "no PostgreSQL server at {server}: {error}; install one (Debian: apt install postgresql) or set \
             PAYMUX_TEST_POSTGRES_URL=postgres://user:password@host:port/database"
        )
    });
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "tests are told by their environment where the server is")]
fn server() -> String {
    let told = std::env::var("PAYMUX_TEST_POSTGRES_URL");
    told.unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}
