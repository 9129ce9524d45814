//! When a create's own late answer said that money was taken: until somebody shows that money or its end, the
//! attempt waits for a person.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct SaidPaid;

impl MigrationName for SaidPaid {
    fn name(&self) -> &'static str {
        "m0006_said_paid"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for SaidPaid {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

const TEXT: &str = "
ALTER TABLE attempts ADD COLUMN said_paid_at {int};
DROP INDEX attempts_unknown;
CREATE INDEX attempts_unknown ON attempts (created_at, id) WHERE state = 'unknown'
    OR (said_paid_at IS NOT NULL AND received IS NULL AND state IN ('open', 'abandoned', 'lapsed'));
";
