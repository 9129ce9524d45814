//! When a refund was sent, which can be long after it was queued.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Sending;

impl MigrationName for Sending {
    fn name(&self) -> &'static str {
        "m0005_sending"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Sending {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), STEPS)).await?;
        Ok(())
    }
}

/// A merchant's refund was sent when it was made. When another one was is not known any more: its next
/// look or its end is later than that, and nobody calls off too early what counts from there.
const STEPS: &str = "
ALTER TABLE refunds ADD COLUMN sent_at {int};
UPDATE refunds SET sent_at = created_at WHERE origin = 'merchant' AND state <> 'queued';
UPDATE refunds SET sent_at = coalesce(check_at, ended_at, created_at)
    WHERE origin <> 'merchant' AND state <> 'queued';
";
