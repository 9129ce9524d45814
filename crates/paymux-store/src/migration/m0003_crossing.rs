//! What an attempt needs so that a close and money can cross: until when a close may act, and how much it
//! may have sent back. What may be gone waits for a person, beside what waited before.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Crossing;

impl MigrationName for Crossing {
    fn name(&self) -> &'static str {
        "m0003_crossing"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Crossing {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

/// What is contested is neither set aside for refunds nor gone back, and came in.
const TEXT: &str = r#"
ALTER TABLE attempts ADD COLUMN closing_until {int};
ALTER TABLE attempts ADD COLUMN contested {int} NOT NULL DEFAULT 0 CONSTRAINT attempts_contested
    CHECK (contested >= 0 AND refunding + refunded + contested <= coalesce(received, 0));
DROP INDEX attempts_held;
CREATE INDEX attempts_held ON attempts (created_at, id)
    WHERE (state <> 'paid' AND received > refunding + refunded) OR contested > 0 OR more LIKE '%"settled":false%';
"#;
