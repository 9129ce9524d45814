//! Where a test's ledger stands: a file in a folder of its own, or a PostgreSQL database of its own.

use sea_orm::{ConnectionTrait as _, Database as Connector};

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
