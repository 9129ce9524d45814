//! Which channels there are: each bound to one account for ever, and where each stands in its life.

use async_trait::async_trait;

use super::{AuditRow, StoreError};
use crate::catalog::Lifecycle;
use crate::clock::Timestamp;
use crate::ids::ChannelId;

/// The most channels that one call of [`ChannelBook::bind_channels`] takes.
pub const BOUND_AT_ONCE: usize = 64;

/// What the ledger knows of a channel. Its account never changes, and the row is never deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRecord {
    /// Its id.
    pub id: ChannelId,
    /// The provider's slug.
    pub provider: String,
    /// Which account it is there: [`crate::channel::Descriptor::account_key`].
    pub account: String,
    /// Where it stands in its life.
    pub state: Lifecycle,
    /// Since when.
    pub since: Timestamp,
    /// Which operator said so; `None` where it is what the configuration said when the channel was new.
    pub by: Option<String>,
    /// Counts the changes of its state, from 1.
    pub version: i64,
}

/// Which channels there are.
///
/// # Behaviour
/// - No id has two accounts and no account has two ids; the database refuses it, whatever the code did.
#[async_trait]
pub trait ChannelBook: Send + Sync + 'static {
    /// Every channel that was ever bound, by id, byte by byte.
    async fn channel_records(&self) -> Result<Vec<ChannelRecord>, StoreError>;

    /// Binds new channels, all of them or none: at most [`BOUND_AT_ONCE`], each of version 1. `false` where one of the
    /// ids or accounts is bound already: whoever binds reads again.
    async fn bind_channels(&self, new: Vec<ChannelRecord>) -> Result<bool, StoreError>;

    /// Gives a channel another state, if its version is still the one that was seen, with the audit line that says
    /// who did so and when. `false` where somebody was faster or there is no such channel, and where it is turned off
    /// while an attempt, a refund or a transfer of it is still to be looked at: nothing is written then.
    async fn move_channel(
        &self,
        id: &ChannelId,
        seen_version: i64,
        state: Lifecycle,
        audit: AuditRow,
    ) -> Result<bool, StoreError>;
}
