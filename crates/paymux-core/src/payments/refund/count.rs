//! How many refunds a provider takes of one order, and how many an order has.
//!
//! Counted before a refund is stored, so that the merchant gets a clear no, and once more when it is stored
//! and about to be sent: of two that were asked for at once neither knew of the other before.

use std::num::NonZeroU32;

use crate::catalog::Catalog;
use crate::clock::Mono;
use crate::error::PaymentError;
use crate::outflow::OutflowState;
use crate::payments::Payments;
use crate::payments::outflows::REPEAT_LOOK;
use crate::refund::Refund;
use crate::store::StoreError;

/// Whether there is room for a refund beside the others of its order.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    /// There is.
    Free,
    /// There is if one that is just being sent was asked for later, and gives way.
    Contested,
    /// There is none, with the reason.
    Full(String),
}

impl Payments {
    /// Refuses a new refund of an order that has as many as its provider takes. What failed does not count,
    /// what may still be done does.
    pub(super) async fn check_count(&self, catalog: &Catalog, refund: &Refund) -> Result<(), PaymentError> {
        let Some(most) = most(catalog, refund) else { return Ok(()) };
        match room(most, refund, &self.others(refund).await?) {
            Room::Full(why) => Err(PaymentError::NotRefundable(why)),
            // Stored, it is looked at once more.
            Room::Free | Room::Contested => Ok(()),
        }
    }

    /// Why a refund that is stored must not be sent: its order has as many others as its provider takes, or
    /// they cannot be counted. `None` only if it has room by a look that was made after it was stored: of two
    /// that have not seen each other one was stored later, and that one sees the other.
    ///
    /// Of those that meet here, the one that was asked for first waits, until `until` at the most, for the
    /// others to give way.
    pub(super) async fn why_not_sent(
        &self,
        catalog: &Catalog,
        refund: &Refund,
        until: Mono,
    ) -> Option<String> {
        let most = most(catalog, refund)?;
        loop {
            match self.others(refund).await.map(|all| room(most, refund, &all)) {
                Ok(Room::Free) => return None,
                Ok(Room::Full(why)) => return Some(why),
                Ok(Room::Contested) if self.clock().mono() < until => {
                    self.clock().sleep(REPEAT_LOOK).await;
                }
                Ok(Room::Contested) => return Some(uncounted("another one is being sent")),
                Err(error) => return Some(uncounted(&not_readable(refund, &error))),
            }
        }
    }

    /// All refunds of its payment.
    async fn others(&self, refund: &Refund) -> Result<Vec<Refund>, StoreError> {
        self.store().refunds_of(refund.payment, None, u32::MAX).await
    }
}

/// How many refunds of one order that refund's provider takes; `None` where only its money bounds them.
fn most(catalog: &Catalog, refund: &Refund) -> Option<NonZeroU32> {
    catalog.channel(&refund.channel)?.channel.descriptor().refunds_per_order
}

fn room(most: NonZeroU32, refund: &Refund, all: &[Refund]) -> Room {
    let counts = |other: &&Refund| {
        let may_be_done = other.state.reserves() || other.state == OutflowState::Succeeded;
        other.attempt == refund.attempt && other.id != refund.id && may_be_done
    };
    let gives_way = |other: &&Refund| {
        let is_later = (other.created_at, other.id) > (refund.created_at, refund.id);
        other.state == OutflowState::Sending && is_later
    };
    let others: Vec<&Refund> = all.iter().filter(counts).collect();
    let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
    let stay = others.iter().filter(|other| !gives_way(other)).count();
    if others.len() < most {
        Room::Free
    } else if stay < most {
        Room::Contested
    } else {
        let s = if most == 1 { "" } else { "s" };
        let channel = &refund.channel;
        Room::Full(format!(
            "channel `{channel}` takes at most {most} refund{s} of one order, and it has {stay}"
        ))
    }
}

fn uncounted(why: &str) -> String {
    format!("the refunds of its order could not be counted: {why}; ask for a new one")
}

fn not_readable(refund: &Refund, error: &StoreError) -> String {
    tracing::warn!(refund = %refund.id, %error, "the refunds of its order could not be counted");
    "the ledger gave no answer".to_owned()
}
