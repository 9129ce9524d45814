//! Transfers, and how much of an app's a day takes.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, TransferId, TransferNo};
use paymux_core::outflow::OutflowState;
use paymux_core::store::{Applied, DayLimit, StoreError, TransferChange, TransferLedger, TransferOpened};
use paymux_core::transfer::Transfer;

use super::attached::Attached;
use super::plain::plain_transfer;
use super::{Books, MemoryStore, corrupt};

#[async_trait]
impl TransferLedger for MemoryStore {
    async fn open_transfer(&self, transfer: Transfer, limit: DayLimit) -> Result<TransferOpened, StoreError> {
        self.troubled(|books| books.open_transfer(transfer, limit)).await
    }

    async fn apply_transfer(&self, change: TransferChange) -> Result<Applied, StoreError> {
        self.troubled(|books| books.apply_transfer(change)).await
    }

    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError> {
        Ok(self.books()?.transfers.one(id).cloned())
    }

    async fn transfer_by_no(&self, app: &AppId, no: &TransferNo) -> Result<Option<Transfer>, StoreError> {
        Ok(self.books()?.transfers.by_no(app, no).cloned())
    }

    async fn transfer_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Transfer>, StoreError> {
        Ok(self.books()?.transfers.by_number(channel, number).cloned())
    }

    async fn transfers_of_app(
        &self,
        app: &AppId,
        after: Option<TransferId>,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        Ok(self.books()?.transfers_of_app(app, after, limit))
    }

    async fn take_due_transfers(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        Ok(self.books()?.transfers.take_due(now, lease, limit))
    }
}

impl Books {
    fn open_transfer(
        &mut self,
        mut transfer: Transfer,
        limit: DayLimit,
    ) -> Result<TransferOpened, StoreError> {
        plain_transfer(&mut transfer);
        check_transfer(&transfer)?;
        if let Some(stored) = self.transfers.by_no(&transfer.app, &transfer.transfer_no) {
            return Ok(TransferOpened::Exists(Box::new(stored.clone())));
        }
        self.transfers.check_new(&transfer)?;
        if self.sum_with(&transfer, limit.from) > i128::from(limit.amount_max) {
            return Ok(TransferOpened::OverLimit);
        }
        let of_app = self.transfers_of.entry(transfer.app.clone()).or_default();
        of_app.insert((transfer.created_at, transfer.id));
        self.transfers.put(transfer);
        Ok(TransferOpened::New)
    }

    fn transfers_of_app(&self, app: &AppId, after: Option<TransferId>, limit: u32) -> Vec<Transfer> {
        let mut of_app: Vec<_> =
            self.transfers.all().filter(|transfer| transfer.app == *app).cloned().collect();
        of_app.reverse();
        of_app.retain(|transfer| after.is_none_or(|after| transfer.id < after));
        of_app.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        of_app
    }

    /// What the app's transfers of that currency come to, with a new one.
    fn sum_with(&self, new: &Transfer, from: Timestamp) -> i128 {
        let of_app = self.transfers_of.get(&new.app).into_iter().flatten().rev();
        let since = of_app.take_while(|(at, _)| *at >= from).filter_map(|(_, id)| self.transfers.one(*id));
        let counts = |other: &&Transfer| {
            other.state != OutflowState::Failed && other.amount.currency() == new.amount.currency()
        };
        let minor = |transfer: &Transfer| i128::from(transfer.amount.minor());
        minor(new) + since.filter(counts).map(minor).sum::<i128>()
    }

    fn apply_transfer(&mut self, change: TransferChange) -> Result<Applied, StoreError> {
        let TransferChange { transfer: mut wanted, seen_state, seen_fence, .. } = change;
        plain_transfer(&mut wanted);
        check_transfer(&wanted)?;
        let TransferChange { postings, events, callback, audit, .. } = change;
        let mut attached = Attached { postings, events, callback, audit };
        attached.make_plain();
        let seen = |stored: &&Transfer| stored.state == seen_state && stored.fence == seen_fence;
        let Some(mut next) = self.transfers.one(wanted.id).filter(seen).cloned() else {
            return Ok(Applied::Stale);
        };
        write_transfer(&mut next, &wanted);
        let applied = self.check_attached(&attached)?;
        if applied == Applied::Done {
            self.transfers.put(next);
            self.write_attached(attached);
        }
        Ok(applied)
    }
}

/// What the schema of a database checks.
fn check_transfer(transfer: &Transfer) -> Result<(), StoreError> {
    let counts_hold = transfer.fence >= 0 && transfer.checks >= 0 && transfer.events >= 0;
    if transfer.amount.minor() <= 0 || !counts_hold {
        return corrupt("a transfer's number that cannot be");
    }
    Ok(())
}

/// What a change may write of a transfer. What was agreed at the start never changes.
fn write_transfer(stored: &mut Transfer, wanted: &Transfer) {
    stored.state = wanted.state;
    stored.fence = wanted.fence;
    stored.action_url.clone_from(&wanted.action_url);
    stored.failure.clone_from(&wanted.failure);
    stored.reference.clone_from(&wanted.reference);
    stored.events = wanted.events;
    stored.ended_at = wanted.ended_at;
    stored.check_at = wanted.check_at;
    stored.checks = wanted.checks;
}
