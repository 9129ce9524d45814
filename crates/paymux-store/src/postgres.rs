//! The ledger on PostgreSQL: a pool, one transaction an operation, and nothing of state in here.
//!
//! Each write runs in a task of its own: a caller that goes away in the middle of a `BEGIN` would
//! otherwise hand a connection with an open transaction back to the pool.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::crash_point;
use paymux_core::store::StoreError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr, TransactionTrait};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::error::ConnectError;
use crate::fault::{self, Fault};
use crate::ledger::Options;
use crate::migration;
use crate::ops::{Guard, Work};
use crate::rows::Cells;
use crate::script::Sql;

/// A connection that idled so long is asked whether it still lives before it is used.
const IDLE_BEFORE_TEST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct PostgresLedger {
    pool: DatabaseConnection,
    /// One for each write that waits or runs.
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl PostgresLedger {
    pub(crate) async fn open(url: &str, options: &Options) -> Result<Self, ConnectError> {
        let driver = driver_options(url, options)?;
        let pool = connect(driver, options).await?;
        check_durability(&pool).await?;
        migration::run(&pool).await.map_err(|error| ConnectError::Migration(error.to_string()))?;
        let slots = Arc::new(Semaphore::new(options.write_queue.clamp(1, Semaphore::MAX_PERMITS)));
        Ok(Self { pool, slots, tasks: TaskTracker::new() })
    }

    pub(crate) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(crate) async fn write<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let slot = self.slots.clone().try_acquire_owned().map_err(|refused| match refused {
            tokio::sync::TryAcquireError::NoPermits => {
                metrics::counter!("paymux_store_overloads_total").increment(1);
                StoreError::Unavailable("too many writes are waiting; try again".into())
            }
            tokio::sync::TryAcquireError::Closed => StoreError::Unavailable("the ledger is closed".into()),
        })?;
        let pool = self.pool.clone();
        let task = self.tasks.spawn(async move {
            let _slot = slot;
            crash_point!("postgres.before_write" => return Err(StoreError::Unavailable("crash point".into())));
            let outcome = run(&pool, work).await;
            crash_point!("postgres.after_write" => return Err(StoreError::Unconfirmed("crash point".into())));
            outcome
        });
        task.await.unwrap_or_else(|_| Err(StoreError::Unconfirmed("a write's task ended".into())))
    }

    pub(crate) async fn close(&self) {
        self.slots.close();
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.pool.close_by_ref().await {
            fault::log("closing the pool failed", &error);
        }
    }
}

async fn run<W: Work>(pool: &DatabaseConnection, work: W) -> Result<W::Answer, StoreError> {
    let outcome = match W::GUARD {
        Guard::Itself | Guard::Statement => work.run(pool).await,
        Guard::Transaction => return in_transaction(pool, work).await,
    };
    outcome.or_else(|fault| match fault {
        Fault::Constraint(constraint) => work.refused(constraint),
        other => Err(other.of_autocommit()),
    })
}

async fn in_transaction<W: Work>(pool: &DatabaseConnection, work: W) -> Result<W::Answer, StoreError> {
    let tx = pool.begin().await.map_err(|error| Fault::from(error).not_written())?;
    match work.run(&tx).await {
        Ok(answer) => {
            crash_point!("postgres.before_commit");
            tx.commit().await.map_err(|error| fault::unconfirmed(&error))?;
            Ok(answer)
        }
        Err(fault) => {
            // A connection on which this fails is of no use any more, and its transaction ends with it.
            let _ = tx.rollback().await;
            match fault {
                Fault::Constraint(constraint) => work.refused(constraint),
                other => Err(other.not_written()),
            }
        }
    }
}

/// Connections that look only: the server refuses every write on them.
pub(crate) async fn look(url: &str, options: &Options) -> Result<DatabaseConnection, ConnectError> {
    let driver = driver_options(url, options)?.options([("default_transaction_read_only", "on")]);
    connect(driver, options).await
}

async fn connect(driver: PgConnectOptions, options: &Options) -> Result<DatabaseConnection, ConnectError> {
    greet(&driver, options).await?;
    // The URL is a stand-in: every setting is made on the driver's own type.
    let mut pool = ConnectOptions::new("postgres://localhost");
    pool.max_connections(options.connections.max(1)).min_connections(1);
    pool.acquire_timeout(options.acquire).connect_timeout(options.acquire);
    pool.test_before_acquire_if_idle_for(IDLE_BEFORE_TEST);
    pool.sqlx_logging(false).record_stmt_in_spans(false);
    pool.map_sqlx_postgres_opts(move |_| driver.clone());
    Database::connect(pool).await.map_err(|error| ConnectError::Open(error.to_string()))
}

/// One connection without the pool, which would hide why there is none behind a time-out.
async fn greet(driver: &PgConnectOptions, options: &Options) -> Result<(), ConnectError> {
    use sea_orm::sqlx::{Connection as _, PgConnection};
    let server = format!("{}:{}", driver.get_host(), driver.get_port());
    let failed = |why: String| ConnectError::Open(format!("{server}: {why}"));
    match tokio::time::timeout(options.acquire, PgConnection::connect_with(driver)).await {
        Ok(Ok(connection)) => connection.close().await.map_err(|error| failed(error.to_string())),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("no answer in time".into())),
    }
}

/// The driver's settings for that URL. Ours come after the URL's own `options`, and so win.
fn driver_options(url: &str, options: &Options) -> Result<PgConnectOptions, ConnectError> {
    use sea_orm::sqlx::ConnectOptions as _;
    let wrong = |_| ConnectError::Url("write `postgres://user:password@host:port/db`".into());
    let driver = PgConnectOptions::from_str(url).map_err(wrong)?;
    let mode = tls_mode(&driver, asked_mode(url).as_deref())?;
    let ms = |span: Duration| span.as_millis().to_string();
    Ok(driver.ssl_mode(mode).application_name("paymux").disable_statement_logging().options([
        ("synchronous_commit", "on".to_owned()),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("statement_timeout", ms(options.statement)),
        ("idle_in_transaction_session_timeout", ms(options.idle_in_transaction)),
    ]))
}

/// What the URL itself says of `sslmode`: an environment variable may not weaken it.
fn asked_mode(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut modes = pairs.filter(|(key, _)| matches!(*key, "sslmode" | "ssl-mode"));
    modes.next_back().map(|(_, mode)| mode.to_ascii_lowercase())
}

/// Bytes that leave this machine go over TLS to a server that proves its name, unless the URL says
/// in so many words that they need not. Bytes that stay here need none, which spares each round
/// trip its work; a server that insists all the same gets `sslmode=require` in the URL.
fn tls_mode(driver: &PgConnectOptions, asked: Option<&str>) -> Result<PgSslMode, ConnectError> {
    let is_here = driver.get_socket().is_some() || is_this_machine(driver.get_host());
    match asked {
        None if is_here => Ok(PgSslMode::Disable),
        Some(_) if is_here => Ok(driver.get_ssl_mode()),
        None | Some("verify-full") => Ok(PgSslMode::VerifyFull),
        Some("disable") => Ok(PgSslMode::Disable),
        Some(weak) => Err(ConnectError::Tls(format!(
            "`sslmode={weak}` does not prove which server answers; leave it out for `verify-full`, \
             or write `disable` where the network itself is trusted"
        ))),
    }
}

fn is_this_machine(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.starts_with('/') || literal.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Reads back what decides whether a commit is on the disk when it is answered.
///
/// Source: PostgreSQL, "Write Ahead Log" settings.
async fn check_durability(pool: &DatabaseConnection) -> Result<(), ConnectError> {
    let names = "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
        current_setting('full_page_writes'), current_setting('transaction_isolation')";
    let mut sql = Sql::new(DbBackend::Postgres);
    sql.push(names);
    let rows = sql.rows(pool).await.map_err(|error: DbErr| ConnectError::Open(error.to_string()))?;
    let unreadable = || ConnectError::Open("the server's settings have no readable answer".into());
    let mut cells = Cells::new(rows.first().ok_or_else(unreadable)?);
    RULES.iter().try_for_each(|rule| obey(rule, cells.next().map_err(|_| unreadable())?))
}

fn obey((setting, good, rule): &Rule, value: String) -> Result<(), ConnectError> {
    if good.contains(&value.as_str()) {
        Ok(())
    } else {
        Err(ConnectError::Durability { setting, value, rule })
    }
}

/// A setting, the values that it may have, and what to do about another, in the order of the query.
type Rule = (&'static str, &'static [&'static str], &'static str);

const RULES: [Rule; 4] = [
    (
        "synchronous_commit",
        &["on", "remote_write", "remote_apply"],
        "must be `on`: less loses acknowledged payments when the server crashes",
    ),
    ("fsync", &["on"], "must be `on` in postgresql.conf: without it a loss of power loses everything"),
    ("full_page_writes", &["on"], "must be `on` in postgresql.conf: without it a crash can tear pages"),
    (
        "transaction_isolation",
        &["read committed"],
        "must be `read committed`, for which the ledger is written",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_verified_tls_leaves_this_machine() {
        check("postgres://h.example/d", Ok(PgSslMode::VerifyFull));
        check("postgres://10.0.0.1/d", Ok(PgSslMode::VerifyFull));
        check("postgres://h.example/d?sslmode=verify-full", Ok(PgSslMode::VerifyFull));
        check("postgres://h.example/d?sslmode=disable", Ok(PgSslMode::Disable));
        check("postgres://h.example/d?sslmode=verify-full&sslmode=disable", Ok(PgSslMode::Disable));
        for weak in ["allow", "prefer", "require", "verify-ca"] {
            check(
                &format!("postgres://h.example/d?sslmode={weak}"),
                Err("does not prove which server answers"),
            );
        }
        check("postgres://h.example/d?ssl-mode=prefer", Err("does not prove which server answers"));
        check("postgres://h.example/d?x=1&SSLMODE=prefer", Ok(PgSslMode::VerifyFull));
        check("postgres://localhost.evil.example/d", Ok(PgSslMode::VerifyFull));
        check("postgres://127.0.0.1.evil.example/d", Ok(PgSslMode::VerifyFull));
        check("postgres://127.0.0.1/d?host=h.example", Ok(PgSslMode::VerifyFull));

        check("postgres://localhost/d", Ok(PgSslMode::Disable));
        check("postgres://127.0.0.1/d", Ok(PgSslMode::Disable));
        check("postgres://[::1]/d", Ok(PgSslMode::Disable));
        check("postgres://127.0.0.1/d?sslmode=prefer", Ok(PgSslMode::Prefer));
        check("postgres://127.0.0.1/d?sslmode=require", Ok(PgSslMode::Require));
        check("postgres://localhost/d?sslmode=verify-full", Ok(PgSslMode::VerifyFull));
        check("postgres:///d?host=/var/run/postgresql", Ok(PgSslMode::Disable));
        check("postgres://%2Fvar%2Frun%2Fpostgresql/d", Ok(PgSslMode::Disable));

        #[track_caller]
        fn check(url: &str, want: Result<PgSslMode, &str>) {
            let got = driver_options(url, &Options::default()).map(|driver| driver.get_ssl_mode());
            match want {
                Ok(mode) => assert_eq!(format!("{:?}", got.unwrap()), format!("{mode:?}"), "{url}"),
                Err(why) => assert!(got.unwrap_err().to_string().contains(why), "{url}"),
            }
        }
    }

    #[test]
    fn our_settings_come_last() {
        let url = "postgres://localhost/d?options=-c%20synchronous_commit%3Doff";
        let driver = driver_options(url, &Options::default()).unwrap();
        let text = driver.get_options().unwrap();
        let places = ["synchronous_commit=off", "synchronous_commit=on"].map(|part| text.find(part).unwrap());
        assert!(places[0] < places[1], "{text}");
        for part in
            ["statement_timeout=10000", "idle_in_transaction_session_timeout=10000", "read\\ committed"]
        {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn settings_that_lose_acknowledged_writes_are_refused() {
        for (place, good, bad) in [
            (0, &["on", "remote_write", "remote_apply"][..], &["off", "local", ""][..]),
            (1, &["on"], &["off"]),
            (2, &["on"], &["off"]),
            (3, &["read committed"], &["serializable", "repeatable read"]),
        ] {
            for value in good {
                assert!(obey(&RULES[place], (*value).to_owned()).is_ok(), "{value}");
            }
            for value in bad {
                let refused = obey(&RULES[place], (*value).to_owned()).unwrap_err().to_string();
                assert!(refused.contains(&format!("is `{value}`: must be")), "{refused}");
            }
        }
    }
}
