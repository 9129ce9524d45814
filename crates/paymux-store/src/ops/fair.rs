//! Rows whose time has come, some of each group, so that the backlog of one group holds no other up.

use sea_orm::DbBackend;

use super::among;

/// A table whose rows wait, each for its time, and the column that groups them. An index on group, time
/// and id over those that wait stands behind it.
pub(crate) struct Fair {
    pub(crate) table: &'static str,
    pub(crate) group: &'static str,
    pub(crate) id: &'static str,
    pub(crate) at: &'static str,
    /// Whether a row `{x}` waits.
    pub(crate) waits: &'static str,
}

impl Fair {
    /// `WITH` every group that has something waiting, found by one step on the index each, so that the
    /// backlog of one costs nothing when others are looked at.
    pub(crate) fn groups(&self) -> String {
        let Self { table, group, .. } = self;
        let (first, next) = (self.waits("w"), self.waits("n"));
        format!(
            "WITH RECURSIVE all_groups(name) AS (SELECT min(w.{group}) FROM {table} w WHERE {first} \
             UNION ALL SELECT (SELECT min(n.{group}) FROM {table} n WHERE {next} AND n.{group} > all_groups.name) \
             FROM all_groups WHERE all_groups.name IS NOT NULL) "
        )
    }

    /// `FROM` those groups that are not in the list `busy`, of each the first `most` rows `d` that are due at
    /// `$1`; on PostgreSQL locked, past those that somebody else has locked.
    ///
    /// The same search twice: SQLite has no `LATERAL`, and PostgreSQL would try every pair of a group and
    /// a row for the other way of saying it.
    pub(crate) fn from(&self, backend: DbBackend, most: &str, busy: &str) -> String {
        let Self { table, group, id, at, .. } = self;
        let (busy, waits) = (among(backend, "name", busy), self.waits("x"));
        let groups =
            format!("FROM (SELECT name FROM all_groups WHERE name IS NOT NULL AND NOT ({busy})) free");
        let some = format!(
            "FROM {table} x WHERE x.{group} = free.name AND {waits} AND x.{at} <= $1 \
             ORDER BY x.{at}, x.{id} LIMIT {most}"
        );
        if backend == DbBackend::Postgres {
            return format!(
                "{groups} CROSS JOIN LATERAL (SELECT x.* {some} FOR NO KEY UPDATE SKIP LOCKED) d"
            );
        }
        format!("{groups} JOIN {table} d ON d.{id} IN (SELECT x.{id} {some})")
    }

    fn waits(&self, alias: &str) -> String {
        self.waits.replace("{x}", alias)
    }
}
