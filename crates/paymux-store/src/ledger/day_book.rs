//! What channels have collected day by day, and how much of their limits is used.

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::ChannelId;
use paymux_core::store::{CapacityFigure, DayBook, DayFigure, StoreError};

use super::Ledger;
use crate::ops::{capacity, day_book};

#[async_trait]
impl DayBook for Ledger {
    async fn day_figures(&self, day: Day) -> Result<Vec<DayFigure>, StoreError> {
        self.read("day_figures", async |db| day_book::day_figures(db, day).await).await
    }

    async fn last_completed(&self) -> Result<Vec<(ChannelId, Timestamp)>, StoreError> {
        self.read("last_completed", async |db| day_book::last_completed(db).await).await
    }

    async fn capacity_figures(&self, day: Day) -> Result<Vec<CapacityFigure>, StoreError> {
        self.read("capacity_figures", async |db| capacity::figures(db, day).await).await
    }
}
