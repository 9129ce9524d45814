//! What a merchant was told or is to be told, and telling it once more.

use crate::error::PaymentError;
use crate::ids::{AppId, EventId};
use crate::store::{EventFilter, ListedEvent, Redelivery, Subject};

use super::Payments;

impl Payments {
    /// Events of one app, oldest first.
    pub async fn events(
        &self,
        app: &AppId,
        subject: Option<Subject>,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<ListedEvent>, PaymentError> {
        let filter = EventFilter { app: app.clone(), subject, after, limit };
        Ok(self.store().events(&filter).await?)
    }

    /// Has events of one app delivered once more; returns how many. One that is named and has nothing
    /// to be delivered, for want of an address, is not found either.
    pub async fn redeliver(&self, app: &AppId, which: Redelivery) -> Result<u64, PaymentError> {
        let is_named = matches!(which, Redelivery::One(_));
        match self.store().redeliver(app, which, self.now()).await? {
            0 if is_named => Err(PaymentError::NotFound("event with an address")),
            count => Ok(count),
        }
    }
}
