//! Which payment an order number or a provider's number belongs to: that never changes, so it may
//! be remembered. No state is ever cached, and a remembered id is checked against what it finds.

use moka::sync::Cache;
use paymux_core::ids::{AppId, ChannelId, OrderNo, PaymentId};
use paymux_core::payment::Payment;

/// The most entries of each of the two caches: some 10 MB when both are full.
const ENTRIES_MAX: u64 = 50_000;

/// The two ways from a number to a payment.
#[derive(Debug)]
pub(crate) struct Numbers {
    orders: Cache<(AppId, OrderNo), PaymentId>,
    attempts: Cache<(ChannelId, Box<str>), PaymentId>,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self { orders: Cache::new(ENTRIES_MAX), attempts: Cache::new(ENTRIES_MAX) }
    }

    pub(crate) fn by_order(&self, app: &AppId, order_no: &OrderNo) -> Option<PaymentId> {
        self.orders.get(&(app.clone(), order_no.clone()))
    }

    pub(crate) fn by_number(&self, channel: &ChannelId, number: &str) -> Option<PaymentId> {
        self.attempts.get(&(channel.clone(), number.into()))
    }

    /// Remembers the numbers of a payment that is durable.
    pub(crate) fn remember(&self, payment: &Payment) {
        self.orders.insert((payment.app.clone(), payment.order_no.clone()), payment.id);
        for attempt in &payment.attempts {
            self.attempts.insert((attempt.channel.clone(), attempt.number.as_str().into()), payment.id);
        }
    }
}
