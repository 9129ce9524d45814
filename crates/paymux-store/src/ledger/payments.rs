//! Payments, their attempts, and callbacks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, AttemptId, ChannelId, OrderNo, PaymentId};
use paymux_core::payment::Payment;
use paymux_core::secret::Secret;
use paymux_core::store::{
    Applied, CallbackRow, Change, Claim, Claimed, DueAttempt, Opened, Opening, PaymentFilter, PaymentLedger,
    Ring, StoreError,
};

use super::Ledger;
use crate::ops::apply::Apply;
use crate::ops::callbacks::KeepCallback;
use crate::ops::claims::{Claiming, Tidy};
use crate::ops::due::TakeAttempts;
use crate::ops::open::Open;
use crate::ops::ping::Ping;
use crate::ops::read;

/// One claim in so many also forgets old ones.
const CLAIMS_PER_TIDYING: u64 = 16;

impl Ledger {
    async fn read_by_id(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read("payment", async |db| read::by_id(db, id).await).await
    }

    fn remember(&self, found: Option<Payment>) -> Option<Payment> {
        found.inspect(|payment| self.numbers.remember(payment))
    }
}

#[async_trait]
impl PaymentLedger for Ledger {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        self.write(Open(opening)).await
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        self.write(Apply(change)).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read_by_id(id).await
    }

    async fn payment_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Option<Payment>, StoreError> {
        if let Some(id) = self.numbers.by_order(app, order_no) {
            let found = self.read_by_id(id).await?;
            if found.as_ref().is_some_and(|payment| payment.app == *app && payment.order_no == *order_no) {
                return Ok(found);
            }
        }
        let found = self.read("payment_by_order", async |db| read::by_order(db, app, order_no).await).await?;
        Ok(self.remember(found))
    }

    async fn payment_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Payment>, StoreError> {
        if let Some(id) = self.numbers.by_number(channel, number) {
            let found = self.read_by_id(id).await?;
            if found.as_ref().is_some_and(|payment| payment.attempt_by_number(channel, number).is_some()) {
                return Ok(found);
            }
        }
        let found =
            self.read("payment_by_number", async |db| read::by_number(db, channel, number).await).await?;
        Ok(self.remember(found))
    }

    async fn payment_by_attempt(&self, id: AttemptId) -> Result<Option<Payment>, StoreError> {
        self.read("payment_by_attempt", async |db| read::by_attempt(db, id).await).await
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        self.read("payments", async |db| read::list(db, filter).await).await
    }

    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        self.write(KeepCallback { row, ring }).await
    }

    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        busy: &[ChannelId],
    ) -> Result<Vec<DueAttempt>, StoreError> {
        self.write(TakeAttempts { now, lease, limit, busy: busy.to_vec() }).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let count = self.claims.fetch_add(1, Ordering::Relaxed);
        let tidy = if count.is_multiple_of(CLAIMS_PER_TIDYING) { Tidy::Yes } else { Tidy::No };
        self.write(Claiming { claim, tidy }).await
    }

    async fn digest_key(&self) -> Result<Secret, StoreError> {
        self.read("digest_key", async |db| read::digest_key(db).await).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.write(Ping).await
    }
}
