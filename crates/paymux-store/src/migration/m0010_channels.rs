//! Which channels there are, each bound to one account for ever, and where each stands in its life. Channels that a
//! ledger of before knows by their payments alone come in at the next start, from the configuration.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Channels;

impl MigrationName for Channels {
    fn name(&self) -> &'static str {
        "m0010_channels"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Channels {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&dialect(db.get_database_backend(), TEXT)).await.map(drop)
    }
}

/// `changed_by` is empty while the state is the one that the channel came with.
const TEXT: &str = "
CREATE TABLE channels (
    id {text} NOT NULL PRIMARY KEY,
    provider {text} NOT NULL,
    account {text} NOT NULL,
    state {text} NOT NULL,
    since {int} NOT NULL,
    changed_by {text},
    version {int} NOT NULL CHECK (version >= 1),
    CONSTRAINT channels_account UNIQUE (provider, account)
){strict};
";
