//! Rows that are found by their own id, by the merchant's number and by the provider's, and that
//! workers look at: refunds and transfers.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, RefundId, RefundNo, TransferId, TransferNo};
use paymux_core::refund::Refund;
use paymux_core::store::StoreError;
use paymux_core::transfer::Transfer;

use super::{Due, corrupt};

/// A row of a [`Register`].
pub(super) trait Row: Clone + Debug {
    /// Its id.
    type Id: Copy + Ord + Debug;
    /// The merchant's number.
    type No: Clone + Ord + Debug;

    fn id(&self) -> Self::Id;
    fn no(&self) -> Option<(AppId, Self::No)>;
    fn number(&self) -> (ChannelId, String);
    fn check_at(&self) -> Option<Timestamp>;
    fn lease(&mut self, until: Timestamp);
}

impl Row for Refund {
    type Id = RefundId;
    type No = RefundNo;

    fn id(&self) -> RefundId {
        self.id
    }

    fn no(&self) -> Option<(AppId, RefundNo)> {
        self.refund_no.clone().map(|no| (self.app.clone(), no))
    }

    fn number(&self) -> (ChannelId, String) {
        (self.channel.clone(), self.number.clone())
    }

    fn check_at(&self) -> Option<Timestamp> {
        self.check_at
    }

    fn lease(&mut self, until: Timestamp) {
        self.fence += 1;
        self.check_at = Some(until);
    }
}

impl Row for Transfer {
    type Id = TransferId;
    type No = TransferNo;

    fn id(&self) -> TransferId {
        self.id
    }

    fn no(&self) -> Option<(AppId, TransferNo)> {
        Some((self.app.clone(), self.transfer_no.clone()))
    }

    fn number(&self) -> (ChannelId, String) {
        (self.channel.clone(), self.number.clone())
    }

    fn check_at(&self) -> Option<Timestamp> {
        self.check_at
    }

    fn lease(&mut self, until: Timestamp) {
        self.fence += 1;
        self.check_at = Some(until);
    }
}

/// Rows by all that they are found by.
#[derive(Debug)]
pub(super) struct Register<T: Row> {
    rows: BTreeMap<T::Id, T>,
    by_no: BTreeMap<(AppId, T::No), T::Id>,
    by_number: BTreeMap<(ChannelId, String), T::Id>,
    due: Due<T::Id>,
}

impl<T: Row> Default for Register<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            by_no: BTreeMap::new(),
            by_number: BTreeMap::new(),
            due: Due::default(),
        }
    }
}

impl<T: Row> Register<T> {
    /// All of them, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.rows.values()
    }

    pub(super) fn one(&self, id: T::Id) -> Option<&T> {
        self.rows.get(&id)
    }

    /// The one that has that number of the merchant's.
    pub(super) fn by_no(&self, app: &AppId, no: &T::No) -> Option<&T> {
        self.by_no.get(&(app.clone(), no.clone())).and_then(|id| self.rows.get(id))
    }

    /// The one that has that number on that channel.
    pub(super) fn by_number(&self, channel: &ChannelId, number: &str) -> Option<&T> {
        self.by_number.get(&(channel.clone(), number.to_owned())).and_then(|id| self.rows.get(id))
    }

    /// Those of a channel whose number sorts after that one, by number.
    pub(super) fn after(&self, channel: &ChannelId, number: &str) -> impl Iterator<Item = &T> {
        let from = (channel.clone(), number.to_owned());
        let of_channel = self.by_number.range(from.clone()..).take_while(move |((on, _), _)| *on == from.0);
        of_channel.filter_map(|(_, id)| self.rows.get(id))
    }

    /// Whether nothing that must be its own is in use.
    pub(super) fn check_new(&self, row: &T) -> Result<(), StoreError> {
        let no_is_taken = row.no().is_some_and(|no| self.by_no.contains_key(&no));
        if no_is_taken || self.rows.contains_key(&row.id()) || self.by_number.contains_key(&row.number()) {
            return corrupt("an id or a number is in use");
        }
        Ok(())
    }

    /// Whether the number at its provider is another row's.
    pub(super) fn check_number(&self, row: &T) -> Result<(), StoreError> {
        match self.by_number.get(&row.number()) {
            Some(id) if *id != row.id() => corrupt("a number is in use"),
            _ => Ok(()),
        }
    }

    /// Writes a row, new or changed. Of what it is found by only its number can change.
    pub(super) fn put(&mut self, row: T) {
        let (id, due) = (row.id(), row.check_at());
        self.by_no.extend(row.no().map(|no| (no, id)));
        if let Some(before) = self.rows.get(&id) {
            self.by_number.remove(&before.number());
        }
        self.by_number.insert(row.number(), id);
        let before = self.rows.insert(id, row);
        self.due.moves(id, before.and_then(|before| before.check_at()), due);
    }

    /// Whether one is due.
    pub(super) fn has_due(&self, now: Timestamp) -> bool {
        self.due.by(now).next().is_some()
    }

    /// Those that are due, earliest first, each under a lease.
    pub(super) fn take_due(&mut self, now: Timestamp, lease: Duration, limit: u32) -> Vec<T> {
        let mut taken = Vec::new();
        for id in self.due.first(now, limit) {
            if let Some(mut row) = self.rows.get(&id).cloned() {
                row.lease(now.plus(lease));
                self.put(row.clone());
                taken.push(row);
            }
        }
        taken
    }
}
