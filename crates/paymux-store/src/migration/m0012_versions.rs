//! Versions of the configuration, and decisions in numbers that are read with them. Decisions of before stay as they
//! are: in words, of no version.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Versions;

impl MigrationName for Versions {
    fn name(&self) -> &'static str {
        "m0012_versions"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Versions {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

/// No foreign key leads from a decision to its version: on PostgreSQL every payment would lock that one row. The
/// doctor's rule `decision_has_its_version` looks instead.
const TEXT: &str = "
CREATE TABLE config_versions (
    digest {text} NOT NULL PRIMARY KEY,
    content {text} NOT NULL,
    since {int} NOT NULL
){strict};
ALTER TABLE decisions ADD COLUMN version {text};
";
