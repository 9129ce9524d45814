//! What channels collect day by day, for the strategies that look at it. What came in before stands under a day of
//! its own, so that the days of a channel and its lines in the books come to the same.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct DayBook;

impl MigrationName for DayBook {
    fn name(&self) -> &'static str {
        "m0008_day_book"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for DayBook {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

/// `day` counts from 1 January 1970 in the zone of its writer. A channel's day is spread over slots, so that not
/// every writer waits for the same row.
const TEXT: &str = "
CREATE TABLE channel_day (
    day {int} NOT NULL,
    channel {text} NOT NULL,
    currency {text} NOT NULL CHECK (length(currency) = 3),
    slot {int} NOT NULL,
    received {int} NOT NULL CHECK (received >= 0),
    completed {int} NOT NULL CHECK (completed >= 0),
    last_completed_at {int},
    PRIMARY KEY (day, channel, currency, slot)
){strict};
INSERT INTO channel_day (day, channel, currency, slot, received, completed, last_completed_at)
    SELECT -1, a.channel, x.currency, 0, sum(x.amount), 0, NULL FROM postings x JOIN attempts a ON a.id = x.attempt
    WHERE x.kind IN ('received', 'held') GROUP BY a.channel, x.currency;
INSERT INTO channel_day (day, channel, currency, slot, received, completed, last_completed_at)
    SELECT -2, a.channel, p.currency, 0, 0, count(*), max(p.paid_at) FROM attempts a
    JOIN payments p ON p.id = a.payment WHERE a.state = 'paid' AND p.paid_at IS NOT NULL
    GROUP BY a.channel, p.currency;
";
