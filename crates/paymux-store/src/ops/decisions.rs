//! Why each attempt was made where it was, and the versions of the configuration that its record is read with. How a
//! decision is written stands with its attempt.

use async_trait::async_trait;
use paymux_core::ids::AttemptId;
use paymux_core::router::VersionDigest;
use paymux_core::store::{ConfigVersion, KeptDecision};
use sea_orm::ConnectionTrait;

use super::{Guard, Work};
use crate::fault::Fault;
use crate::rows::{self, Cells, names};
use crate::script::Sql;

pub(crate) struct KeepVersion(pub(crate) ConfigVersion);

#[async_trait]
impl Work for KeepVersion {
    type Answer = ();
    const NAME: &'static str = "keep_version";
    const GUARD: Guard = Guard::Statement;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.insert("config_versions", &names::CONFIG_VERSIONS, rows::version_values(&self.0));
        sql.push(" ON CONFLICT (digest) DO NOTHING");
        Ok(sql.execute(db).await?)
    }
}

pub(crate) async fn version<C: ConnectionTrait>(
    db: &C,
    digest: &VersionDigest,
) -> Result<Option<ConfigVersion>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&names::CONFIG_VERSIONS).push(" FROM config_versions WHERE digest = ");
    sql.bind(digest.to_string());
    sql.rows(db).await?.first().map(|row| rows::read_version(&mut Cells::new(row))).transpose()
}

pub(crate) async fn of_attempt<C: ConnectionTrait>(
    db: &C,
    attempt: AttemptId,
) -> Result<Option<KeptDecision>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&names::DECISIONS).push(" FROM decisions WHERE attempt = ");
    sql.bind(attempt.to_string());
    sql.rows(db).await?.first().map(|row| rows::read_decision(&mut Cells::new(row))).transpose()
}
