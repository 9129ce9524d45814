//! SQL text with its values, and writes that are all or nothing in one round trip.
//!
//! Not here: what is written ([`crate::ops`]).

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

use crate::fault::Fault;

/// A statement under construction: text, and the values that its `$1`, `$2`, ... stand for.
pub(crate) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(backend: DbBackend) -> Self {
        Self { backend, text: String::with_capacity(1024), values: Vec::with_capacity(48) }
    }

    /// Adds text as it is. Never anything from outside: that goes through [`Sql::bind`].
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder and its value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// Takes a value whose placeholder is written by hand.
    pub(crate) fn hold(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self
    }

    /// The placeholder of the next value.
    pub(crate) fn next_place(&self) -> String {
        format!("${}", self.values.len() + 1)
    }

    /// Adds `INSERT INTO table (columns) SELECT values WHERE 1 = 1`, ready for an `AND`.
    pub(crate) fn insert(&mut self, table: &str, columns: &str, values: Vec<Value>) {
        self.push("INSERT INTO ").push(table).push(" (").push(columns).push(") SELECT ");
        for (place, value) in values.into_iter().enumerate() {
            self.push(if place == 0 { "" } else { ", " }).bind(value);
        }
        self.push(" WHERE 1 = 1");
    }

    /// Adds `UPDATE table SET column = value, ... WHERE id = id`, ready for an `AND`.
    pub(crate) fn update(&mut self, table: &str, values: Vec<(&'static str, Value)>, id: String) {
        self.push("UPDATE ").push(table).push(" SET ").assign(values);
        self.push(" WHERE id = ").bind(id);
    }

    /// Adds `column = value, ...`.
    pub(crate) fn assign(&mut self, values: Vec<(&'static str, Value)>) -> &mut Self {
        for (place, (column, value)) in values.into_iter().enumerate() {
            self.push(if place == 0 { "" } else { ", " }).push(column).push(" = ").bind(value);
        }
        self
    }

    pub(crate) async fn rows<C: ConnectionTrait>(self, db: &C) -> Result<Vec<QueryResult>, DbErr> {
        db.query_all_raw(Statement::from_sql_and_values(self.backend, self.text, self.values)).await
    }

    pub(crate) async fn execute<C: ConnectionTrait>(self, db: &C) -> Result<(), DbErr> {
        self.affected(db).await.map(drop)
    }

    /// Runs it and tells how many rows it changed.
    pub(crate) async fn affected<C: ConnectionTrait>(self, db: &C) -> Result<u64, DbErr> {
        let statement = Statement::from_sql_and_values(self.backend, self.text, self.values);
        db.execute_raw(statement).await.map(|done| done.rows_affected())
    }
}

/// Writes that follow from one another, sent at once: either every one of them changes exactly one
/// row, or nothing changes.
///
/// On PostgreSQL it is one statement of chained `WITH` parts, and so a transaction by itself. What
/// must be seen is locked, so that nobody changes it between the look and the write; not so far that a
/// row which refers to it had to wait, since keys never change.
///
/// On SQLite it is several statements in the writer's savepoint, sent to its connection together:
/// each one looks at whether the one before it changed its row.
pub(crate) struct Script {
    sql: Sql,
    /// Parts on PostgreSQL, writes on SQLite.
    parts: usize,
    /// Conditions that the first write on SQLite must see.
    seen: Vec<String>,
    /// Where the last write on SQLite ends, before its semicolon.
    last: usize,
}

impl Script {
    pub(crate) fn new(backend: DbBackend) -> Self {
        Self { sql: Sql::new(backend), parts: 0, seen: Vec::new(), last: 0 }
    }

    /// Nothing is written unless this finds a row. `look` writes `FROM table WHERE ...`. All looks
    /// come before the first write.
    pub(crate) fn must_see(&mut self, look: impl FnOnce(&mut Sql)) {
        if self.sql.backend == DbBackend::Postgres {
            self.open_part();
            self.sql.push("SELECT 1 ");
            look(&mut self.sql);
            self.follow(" AND ");
            self.sql.push(" FOR NO KEY UPDATE)");
            self.parts += 1;
        } else {
            let text = std::mem::take(&mut self.sql.text);
            look(&mut self.sql);
            self.seen.push(std::mem::replace(&mut self.sql.text, text));
        }
    }

    /// A write of one row. `write` ends in a condition.
    pub(crate) fn step(&mut self, write: impl FnOnce(&mut Sql)) {
        self.step_unless(write, "");
    }

    /// A write of one row that `conflict`, an `ON CONFLICT` clause, may turn into none.
    pub(crate) fn step_unless(&mut self, write: impl FnOnce(&mut Sql), conflict: &str) {
        if self.sql.backend == DbBackend::Postgres {
            self.open_part();
            write(&mut self.sql);
            self.follow(" AND ");
            self.sql.push(conflict).push(" RETURNING 1)");
        } else {
            write(&mut self.sql);
            for look in std::mem::take(&mut self.seen) {
                self.sql.push(" AND EXISTS (SELECT 1 ").push(&look).push(")");
            }
            let follow = if self.parts == 0 { "" } else { " AND changes() = 1" };
            self.sql.push(follow).push(conflict);
            // The first and the last tell all, since each one follows from the one before it.
            self.last = self.sql.text.len();
            self.sql.push(if self.parts == 0 { " RETURNING 1; " } else { "; " });
        }
        self.parts += 1;
    }

    fn open_part(&mut self) {
        let start = if self.parts == 0 { "WITH" } else { "," };
        let _ = write!(self.sql.text, "{start} s{} AS (", self.parts);
    }

    fn follow(&mut self, word: &str) {
        if let Some(before) = self.parts.checked_sub(1) {
            let _ = write!(self.sql.text, "{word}EXISTS (SELECT 1 FROM s{before})");
        }
    }

    /// Runs it: whether everything was written, or nothing.
    pub(crate) async fn run<C: ConnectionTrait>(mut self, db: &C) -> Result<bool, Fault> {
        if self.sql.backend == DbBackend::Postgres {
            let last = self.parts.saturating_sub(1);
            let _ = write!(self.sql.text, " SELECT 1 FROM s{last}");
            return Ok(!self.sql.rows(db).await?.is_empty());
        }
        if self.parts > 1 {
            self.sql.text.insert_str(self.last, " RETURNING 1");
        }
        match self.sql.rows(db).await?.len() {
            0 => Ok(false),
            told if told == self.parts.min(2) => Ok(true),
            _ => Err(Fault::Corrupt("a chain of writes broke in its middle")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(backend: DbBackend) -> Script {
        let mut script = Script::new(backend);
        script.must_see(|sql| {
            sql.push("FROM t WHERE id = ").bind("a");
        });
        script.step(|sql| sql.update("t", vec![("x", 1_i64.into())], "a".into()));
        script.step_unless(|sql| sql.insert("u", "id", vec!["b".into()]), " ON CONFLICT (id) DO NOTHING");
        script
    }

    #[test]
    fn is_one_statement_of_parts_that_follow_each_other_on_postgresql() {
        assert_eq!(
            script(DbBackend::Postgres).sql.text,
            "WITH s0 AS (SELECT 1 FROM t WHERE id = $1 FOR NO KEY UPDATE)\
             , s1 AS (UPDATE t SET x = $2 WHERE id = $3 AND EXISTS (SELECT 1 FROM s0) RETURNING 1)\
             , s2 AS (INSERT INTO u (id) SELECT $4 WHERE 1 = 1 AND EXISTS (SELECT 1 FROM s1) \
             ON CONFLICT (id) DO NOTHING RETURNING 1)"
        );
    }

    #[test]
    fn is_statements_that_look_back_on_sqlite() {
        assert_eq!(
            script(DbBackend::Sqlite).sql.text,
            "UPDATE t SET x = $2 WHERE id = $3 AND EXISTS (SELECT 1 FROM t WHERE id = $1) RETURNING 1; \
             INSERT INTO u (id) SELECT $4 WHERE 1 = 1 AND changes() = 1 ON CONFLICT (id) DO NOTHING; "
        );
    }
}
