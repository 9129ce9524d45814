//! How a payment came here: asked for, or taken over from its provider.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Imported;

impl MigrationName for Imported {
    fn name(&self) -> &'static str {
        "m0013_imported"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Imported {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

const TEXT: &str = "
ALTER TABLE payments ADD COLUMN origin {text} NOT NULL DEFAULT 'created';
";
