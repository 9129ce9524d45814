//! What nobody may fill up: attempts are found by their channel, so that one provider that hangs holds up no
//! look at another's; a verified callback that comes again is counted.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct FairShares;

impl MigrationName for FairShares {
    fn name(&self) -> &'static str {
        "m0004_fair"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for FairShares {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), PARTS)).await.map(drop)
    }
}

/// `times` is how often a callback came. `spare` is 1 for a duplicate under a key that a verified row had
/// before: it is no evidence that is not there already, and lives in a ring.
const PARTS: &str = "
CREATE INDEX attempts_due_of ON attempts (channel, check_at, id) WHERE check_at IS NOT NULL;
DROP INDEX attempts_due;

ALTER TABLE callbacks ADD COLUMN times {int} NOT NULL DEFAULT 1 CHECK (times > 0);
ALTER TABLE callbacks ADD COLUMN spare {int} NOT NULL DEFAULT 0 CHECK (spare IN (0, 1));
CREATE INDEX callbacks_spare ON callbacks (channel, received_at, id, size) WHERE spare = 1;
CREATE INDEX callbacks_again ON callbacks (channel, event_key, received_at, id)
    WHERE verdict IN ('duplicate', 'orphan', 'quarantined');
";
