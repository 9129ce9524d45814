//! What is remembered of transfers that clients of fronts asked for, and the list of an app's transfers.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct FrontTransfers;

impl MigrationName for FrontTransfers {
    fn name(&self) -> &'static str {
        "m0014_front_transfers"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for FrontTransfers {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

const TEXT: &str = "
ALTER TABLE transfers ADD COLUMN front {text};
CREATE INDEX transfers_by_app ON transfers (app, id);
";
