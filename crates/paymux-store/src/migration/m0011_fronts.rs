//! What is remembered of payments and refunds that clients of fronts asked for, and the list of an app's refunds.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Fronts;

impl MigrationName for Fronts {
    fn name(&self) -> &'static str {
        "m0011_fronts"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Fronts {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

const TEXT: &str = "
ALTER TABLE payments ADD COLUMN front {text};
ALTER TABLE refunds ADD COLUMN front {text};
CREATE INDEX refunds_by_app ON refunds (app, id);
";
