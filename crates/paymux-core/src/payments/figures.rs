//! What channels have collected and what is used of their limits, from the ledger to the router.

use super::Payments;
use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::store::{DayBook, StoreError};

impl Payments {
    /// Reads from the ledger what the router looks at; asks it nothing that no strategy and no limit needs. What this
    /// process booked is known without it: call it every now and then for what other nodes book.
    pub async fn read_figures(&self) -> Result<(), PaymentError> {
        let catalog = self.catalog();
        Ok(read_figures(&catalog, self.store(), self.now()).await?)
    }
}

/// Reads what that catalog's strategies look at: what was collected on the day that it is at that moment, and who
/// completed the last payment; and what is used of its channels' limits, where one has any. All of a kind, or nothing
/// of it where the ledger fails.
pub async fn read_figures(catalog: &Catalog, book: &dyn DayBook, at: Timestamp) -> Result<(), StoreError> {
    let (live, day) = (catalog.live(), catalog.day_zone.day(at));
    live.begins(day);
    if catalog.channels().iter().any(|entry| entry.rules.has_limits()) {
        read_capacity(catalog, book, at).await?;
    }
    if !catalog.routes().iter().any(|route| route.strategy.looks_at_figures()) {
        return Ok(());
    }
    let last_completed = if live.knows_last_completed() { None } else { Some(book.last_completed().await?) };
    let figures = book.day_figures(day).await?;
    if let Some(last_completed) = last_completed {
        live.read_last_completed(&last_completed);
    }
    live.read_day(day, &figures);
    Ok(())
}

/// Reads how much is used of the limits of the day that it is at that moment, and under way.
pub(super) async fn read_capacity(
    catalog: &Catalog,
    book: &dyn DayBook,
    at: Timestamp,
) -> Result<(), StoreError> {
    let day = catalog.day_zone.day(at);
    catalog.live().read_capacity(day, &book.capacity_figures(day).await?);
    Ok(())
}
