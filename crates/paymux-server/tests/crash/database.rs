//! A PostgreSQL database of its own for one run.

use sea_orm::{ConnectionTrait, Database as Connector};

/// A database that the run made and drops.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Makes one on the server of `PAYMUX_TEST_POSTGRES_URL`.
    pub(crate) async fn create() -> Self {
        let server = server();
        let name = format!("paymux_crash_{:016x}", fastrand::u64(..));
        Self::execute(&server, &format!("CREATE DATABASE {name}")).await;
        Self { server, name }
    }

    pub(crate) fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').unwrap();
        format!("{base}/{}", self.name)
    }

    pub(crate) async fn drop(self) {
        Self::execute(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
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
}

#[expect(clippy::disallowed_methods, reason = "tests are told by their environment where the server is")]
fn server() -> String {
    std::env::var("PAYMUX_TEST_POSTGRES_URL")
        .unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}
