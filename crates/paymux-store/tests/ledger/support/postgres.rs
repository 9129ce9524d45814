//! A database of its own on the PostgreSQL server that tests may use, dropped with its value.

use std::sync::atomic::{AtomicU32, Ordering};

const VARIABLE: &str = "PAYMUX_TEST_POSTGRES_URL";
const DEFAULT: &str = "postgres://root@127.0.0.1:5432/postgres";

/// The address of a server on which the tests may create databases.
pub(crate) fn server() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration to read it from")]
    let url = std::env::var(VARIABLE);
    url.unwrap_or_else(|_| DEFAULT.to_owned())
}

pub(crate) struct OnPostgres {
    pub(crate) name: String,
}

impl OnPostgres {
    /// Creates the database.
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("paymux_test_{}_{count}", std::process::id());
        run(&[format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")])
            .await;
        Self { name }
    }

    /// The address of the database: the server's, with another name after the last slash.
    pub(crate) fn url(&self) -> String {
        let server = server();
        let (address, query) = server.split_once('?').map_or((server.as_str(), None), |(a, q)| (a, Some(q)));
        let start = address.rsplit_once('/').unwrap().0;
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{start}/{}{query}", self.name)
    }

    /// A connection beside the ledger's own.
    pub(crate) async fn tool(&self) -> sqlx::PgPool {
        let options = sqlx::postgres::PgPoolOptions::new().max_connections(2);
        options.connect(&self.url()).await.unwrap()
    }
}

impl Drop for OnPostgres {
    /// Runs on a thread with a runtime of its own, since a test may end in a panic.
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&[statement]));
        });
        dropper.join().unwrap();
    }
}

/// Runs statements on the server.
///
/// # Panics
/// Without a server, with the way to get one: a test that is passed over proves nothing.
async fn run(statements: &[String]) {
    use sqlx::Connection;
    let url = server();
    let connection = sqlx::PgConnection::connect(&url).await;
    let mut connection = connection.unwrap_or_else(|error| {
        panic!(
            "no PostgreSQL at `{VARIABLE}` (default {DEFAULT}): {error}. Start one, for example with \
             `docker run -p 5432:5432 -e POSTGRES_USER=root -e POSTGRES_HOST_AUTH_METHOD=trust postgres:15`, or \
             set the variable to a server where the user may create databases"
        )
    });
    for statement in statements {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}
