//! Limits of a channel's day, and of what is under way at once: how much of them is used, and by which attempts.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Capacity;

impl MigrationName for Capacity {
    fn name(&self) -> &'static str {
        "m0009_capacity"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Capacity {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

/// `day` counts from 1 January 1970 in the zone of its writer. What is under way stands under day 0 and no currency.
/// No sum has a bound here: money that came in is booked even where one of them is wrong.
const TEXT: &str = "
ALTER TABLE attempts ADD COLUMN limits_day {int};
ALTER TABLE attempts ADD COLUMN reserved {int} NOT NULL DEFAULT 0 CHECK (reserved >= 0);
ALTER TABLE attempts ADD COLUMN in_flight {bool} NOT NULL DEFAULT {false};
CREATE TABLE channel_capacity (
    day {int} NOT NULL,
    channel {text} NOT NULL,
    currency {text} NOT NULL,
    reserved {int} NOT NULL,
    booked {int} NOT NULL,
    counted {int} NOT NULL,
    PRIMARY KEY (day, channel, currency)
){strict};
";
