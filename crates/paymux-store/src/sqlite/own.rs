//! A connection that is its holder's own: no pool takes it back and tests it between two batches,
//! and nothing begins or ends a transaction on it but the holder.

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Value, Values,
};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Connection, Sqlite};
use tokio::sync::Mutex;

#[derive(Debug)]
pub(super) struct Own(Mutex<SqliteConnection>);

impl Own {
    pub(super) async fn connect(options: &SqliteConnectOptions) -> Result<Self, DbErr> {
        let connection = SqliteConnection::connect_with(options).await;
        connection.map(|connection| Self(Mutex::new(connection))).map_err(|error| DbErr::Conn(wrapped(error)))
    }

    /// Runs text without values, prepared once.
    pub(super) async fn run(&self, text: &'static str) -> Result<(), DbErr> {
        self.execute_unprepared(text).await.map(drop)
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        self.0.into_inner().close().await.map_err(|error| DbErr::Conn(wrapped(error)))
    }
}

fn wrapped(error: sqlx::Error) -> RuntimeErr {
    RuntimeErr::SqlxError(error.into())
}

/// The driver's query for a statement of ours, which holds numbers, texts, truths and bytes only.
fn query(statement: Statement) -> Result<Query<'static, Sqlite, SqliteArguments>, DbErr> {
    let mut arguments = SqliteArguments::default();
    for value in statement.values.map(|Values(values)| values).unwrap_or_default() {
        let added = match value {
            Value::BigInt(number) => arguments.add(number),
            Value::String(text) => arguments.add(text),
            Value::Bool(truth) => arguments.add(truth),
            Value::Bytes(bytes) => arguments.add(bytes),
            _ => return Err(DbErr::Type("a value that no column holds".to_owned())),
        };
        added.map_err(|_| DbErr::Type("a value that does not fit".to_owned()))?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(statement.sql), arguments))
}

#[async_trait]
impl ConnectionTrait for Own {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Sqlite
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let done = query(statement)?.execute(&mut *self.0.lock().await).await;
        done.map(Into::into).map_err(|error| DbErr::Exec(wrapped(error)))
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(DbBackend::Sqlite, text)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let rows = query(statement)?.fetch_all(&mut *self.0.lock().await).await;
        let rows = rows.map_err(|error| DbErr::Query(wrapped(error)))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}
