//! What channels have collected day by day.

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::ChannelId;
use paymux_core::store::{DayBook, DayFigure, StoreError};

use super::Ledger;
use crate::ops::day_book;

#[async_trait]
impl DayBook for Ledger {
    async fn day_figures(&self, day: Day) -> Result<Vec<DayFigure>, StoreError> {
        self.read("day_figures", async |db| day_book::day_figures(db, day).await).await
    }

    async fn last_completed(&self) -> Result<Vec<(ChannelId, Timestamp)>, StoreError> {
        self.read("last_completed", async |db| day_book::last_completed(db).await).await
    }
}
