//! What each channel has collected, day by day: what strategies look at, and what a person is shown.

use async_trait::async_trait;

use super::{CapacityFigure, StoreError};
use crate::clock::Timestamp;
use crate::day::Day;
use crate::ids::ChannelId;
use crate::money::{Currency, Money};

/// What one change adds to the day of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Income {
    /// The channel.
    pub channel: ChannelId,
    /// The day on which it came, in the day zone.
    pub day: Day,
    /// How much came in; nothing where money that waited has only been given to the merchant.
    pub money: Money,
    /// When it made a payment a success; `None` where it did not.
    pub completed_at: Option<Timestamp>,
}

/// What a channel has collected on one day in one currency. Refunds take nothing away from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFigure {
    /// The channel.
    pub channel: ChannelId,
    /// The currency.
    pub currency: Currency,
    /// How much came in, in minor units: of payments that succeeded, and of money that waits for a person.
    pub received: i64,
    /// How many payments it made a success.
    pub completed: i64,
    /// When it did so last.
    pub last_completed_at: Option<Timestamp>,
}

/// What channels have collected, and how much of their limits is used.
#[async_trait]
pub trait DayBook: Send + Sync + 'static {
    /// What came in on that day, by channel and currency. Channels that collected nothing are not there.
    async fn day_figures(&self, day: Day) -> Result<Vec<DayFigure>, StoreError>;

    /// When each channel last made a payment a success, on whichever day.
    async fn last_completed(&self) -> Result<Vec<(ChannelId, Timestamp)>, StoreError>;

    /// How much is used of the limits of that day, and of what is under way at once. Channels of which nothing is
    /// are not there.
    async fn capacity_figures(&self, day: Day) -> Result<Vec<CapacityFigure>, StoreError>;
}
