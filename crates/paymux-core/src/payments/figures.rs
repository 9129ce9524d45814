//! What channels have collected, from the ledger to the router.

use super::Payments;
use crate::error::PaymentError;

impl Payments {
    /// Reads from the ledger what the router's strategies look at; asks it nothing where no strategy does. What this
    /// process booked is known without it: call it every now and then for what other nodes book.
    pub async fn read_figures(&self) -> Result<(), PaymentError> {
        let catalog = self.catalog();
        let mut strategies = catalog.routes().iter().map(|route| route.strategy);
        if !strategies.any(|strategy| strategy.looks_at_collected() || strategy.looks_at_last_completed()) {
            return Ok(());
        }
        let live = catalog.live();
        if !live.knows_last_completed() {
            live.read_last_completed(&self.store().last_completed().await?);
        }
        let day = catalog.day_zone.day(self.now());
        live.read_day(day, &self.store().day_figures(day).await?);
        Ok(())
    }
}
