//! What should have ended by itself and did not waits for a person: orders long after their end, and money
//! that has been under way for days.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(super) struct Overdue;

impl MigrationName for Overdue {
    fn name(&self) -> &'static str {
        "m0007_overdue"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Overdue {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(TEXT).await.map(drop)
    }
}

const TEXT: &str = "
CREATE INDEX attempts_overdue ON attempts (ends_at)
    WHERE state = 'open' AND received IS NULL AND said_paid_at IS NULL;
CREATE INDEX refunds_pending ON refunds (created_at, id) WHERE state = 'pending';
CREATE INDEX transfers_pending ON transfers (created_at, id) WHERE state = 'pending';
";
