//! When a refund was sent, which can be long after it was queued; and a key for digests of requests.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
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
        let backend = db.get_database_backend();
        let drawn = if backend == DbBackend::Postgres { DRAWN_POSTGRES } else { DRAWN_SQLITE };
        db.execute_unprepared(&dialect(backend, STEPS)).await?;
        db.execute_unprepared(&dialect(backend, KEY).replace("{drawn}", drawn)).await?;
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

/// 64 characters by the database's own source of what nobody can guess.
const DRAWN_SQLITE: &str = "lower(hex(randomblob(32)))";
const DRAWN_POSTGRES: &str = "replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')";

/// The key lies apart from the digests, and is drawn once for all nodes. What the claims before it were
/// compared by were plain digests of whole requests, cards' numbers and all: they go. A repeat under such
/// a key of a merchant's is known by its order, refund or transfer number alone.
const KEY: &str = "
CREATE TABLE settings (
    name {text} NOT NULL PRIMARY KEY,
    value {text} NOT NULL
){strict};
INSERT INTO settings VALUES ('digest_key', {drawn});
DELETE FROM claims;
";
