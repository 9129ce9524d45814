//! Ending an order before it is paid: at the merchant's word, or because its time is over.
//!
//! Close at the provider, then ask it once more: money that slipped in before the close counts.

use crate::catalog::Catalog;
use crate::channel::{Can, CancelAnswer, ChannelError, OrderEnd};
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::{AppId, PaymentId};
use crate::payment::{Attempt, AttemptState, Payment, Status};
use crate::state::{Happening, Sum};

use super::draft::CancelWish;
use super::probe::order_ref;
use super::{Facts, Payments, site};

impl Payments {
    /// Closes an unpaid payment at its provider. Canceling twice has one effect.
    pub async fn cancel(&self, app: AppId, id: PaymentId) -> Result<Payment, PaymentError> {
        let this = self.clone();
        self.run(async move { this.cancel_now(&app, id).await }).await
    }

    async fn cancel_now(&self, app: &AppId, id: PaymentId) -> Result<Payment, PaymentError> {
        let Some(_guard) = self.begin_cancel(id) else { return Err(PaymentError::InFlight) };
        let payment = self.find(app, id).await?;
        let attempt = match cancelable(&payment)? {
            Cancelable::Done => return Ok(payment),
            Cancelable::Attempt(attempt) => attempt.clone(),
        };
        self.check_can_cancel(&payment, &attempt)?;
        self.check_not_too_early(&payment, &attempt)?;
        let payment = self.wish(payment, CancelWish::Yes).await?;
        // Somebody may have been faster. To close what is paid would send the money back where a
        // close is a reversal.
        if payment.attempt(attempt.id).is_none_or(|now| now.state != attempt.state) {
            return match cancelable(&payment)? {
                Cancelable::Done => Ok(payment),
                Cancelable::Attempt(_) => Err(PaymentError::InFlight),
            };
        }
        match self.close(payment, &attempt).await? {
            (payment, CloseEnd::Refused(why)) => {
                self.wish(payment, CancelWish::No).await?;
                Err(PaymentError::NotCancelable(format!("the provider refused: {why}")))
            }
            (payment, _) => match payment.status {
                Status::Succeeded => Err(PaymentError::AlreadyPaid),
                Status::Processing | Status::Pending => Err(PaymentError::InFlight),
                Status::Canceled | Status::Failed | Status::Expired => Ok(payment),
            },
        }
    }

    fn check_can_cancel(&self, payment: &Payment, attempt: &Attempt) -> Result<(), PaymentError> {
        let catalog = self.catalog();
        if can_close(&catalog, payment, attempt) {
            return Ok(());
        }
        Err(PaymentError::Unsupported { channel: attempt.channel.clone(), operation: "cancel" })
    }

    fn check_not_too_early(&self, payment: &Payment, attempt: &Attempt) -> Result<(), PaymentError> {
        let from = closable_from(&self.catalog(), payment, attempt);
        if from <= self.now() {
            return Ok(());
        }
        Err(PaymentError::NotCancelable(format!("its provider takes a close from {from} on")))
    }

    /// Stores whether a cancel is wanted, so that a crash in between does not forget it.
    async fn wish(&self, mut payment: Payment, wish: CancelWish) -> Result<Payment, PaymentError> {
        const TRIES: u32 = 5;
        for _ in 0..TRIES {
            if payment.status.is_over() {
                return Ok(payment);
            }
            crate::crash_point!("cancel.before_wish");
            let catalog = self.catalog();
            let mut draft = self.draft(&catalog, &payment);
            draft.request_cancel(wish);
            if draft.payment() == &payment {
                return Ok(payment);
            }
            let stored = self.commit(draft).await?;
            crate::crash_point!("cancel.after_wish");
            match stored {
                Some(stored) => return Ok(stored),
                None => payment = self.reload(payment.id).await?,
            }
        }
        Err(PaymentError::InFlight)
    }

    /// Closes an attempt at its provider and stores what was learnt.
    pub(crate) async fn close(
        &self,
        payment: Payment,
        attempt: &Attempt,
    ) -> Result<(Payment, CloseEnd), PaymentError> {
        let catalog = self.catalog();
        let (happening, facts, end) = match self.call_close(&catalog, &payment, attempt).await {
            Ok(CancelAnswer::Closed) => return self.after_close(&catalog, payment, attempt).await,
            Ok(CancelAnswer::Paid(receipt)) => {
                let sum = Sum::of(payment.amount, receipt.received, receipt.discount);
                (Happening::QueryPaid(sum), Facts::asked(receipt), CloseEnd::Known)
            }
            Ok(CancelAnswer::Refused(why)) => {
                (Happening::CloseRefused, Facts::default(), CloseEnd::Refused(why))
            }
            Err(ChannelError::Refused(refusal)) => {
                (Happening::CloseRefused, Facts::default(), CloseEnd::Refused(refusal.message))
            }
            Err(error) => {
                tracing::warn!(attempt = %attempt.id, channel = %attempt.channel, %error, "a close was not confirmed");
                (Happening::CloseUnknown, Facts::default(), CloseEnd::Unknown)
            }
        };
        let payment = self.learn(payment, attempt.id, happening, &facts).await?;
        Ok((payment, end))
    }

    /// The provider confirmed: a last query, since money may have come just before.
    async fn after_close(
        &self,
        catalog: &Catalog,
        payment: Payment,
        attempt: &Attempt,
    ) -> Result<(Payment, CloseEnd), PaymentError> {
        let can_ask = site(catalog, &payment, attempt)
            .is_some_and(|(entry, _)| entry.channel.descriptor().can.has(Can::QUERY));
        let last = if can_ask { self.ask(catalog, &payment, attempt).await } else { None };
        let (happening, facts) = match last {
            Some((Happening::QueryPaid(sum), facts)) => (Happening::QueryPaid(sum), facts),
            // The close stands as confirmed; the query only had to rule money out, and has not.
            Some((Happening::QueryUnknown, _)) => (Happening::CloseUnknown, Facts::default()),
            Some((Happening::QueryOpen, _)) => (Happening::CloseDoubted, Facts::default()),
            _ => (Happening::CloseDone, Facts::default()),
        };
        let payment = self.learn(payment, attempt.id, happening, &facts).await?;
        Ok((payment, CloseEnd::Known))
    }

    async fn call_close(
        &self,
        catalog: &Catalog,
        payment: &Payment,
        attempt: &Attempt,
    ) -> Result<CancelAnswer, ChannelError> {
        let Some((entry, _)) = site(catalog, payment, attempt) else { return Err(ChannelError::Unsupported) };
        let cx = self.cx(self.clock().mono(), entry.request.unwrap_or(catalog.timing.request));
        let order = order_ref(payment, attempt);
        crate::crash_point!("close.before_call");
        let answer = self.guarded(&cx, entry.channel.cancel(&cx, &order)).await;
        crate::crash_point!("close.after_call");
        answer
    }
}

/// How a close ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloseEnd {
    /// The order's end, or its money, is known.
    Known,
    /// The provider would not.
    Refused(String),
    /// Nobody knows.
    Unknown,
}

/// What a cancel has to do.
enum Cancelable<'a> {
    /// Nothing: it is canceled.
    Done,
    /// Close this attempt.
    Attempt(&'a Attempt),
}

fn cancelable(payment: &Payment) -> Result<Cancelable<'_>, PaymentError> {
    match payment.status {
        Status::Canceled => return Ok(Cancelable::Done),
        Status::Succeeded => return Err(PaymentError::AlreadyPaid),
        Status::Failed | Status::Expired => {
            return Err(PaymentError::NotCancelable(format!("it has {} already", payment.status)));
        }
        Status::Processing | Status::Pending => {}
    }
    if let Some(held) = payment.held {
        return Err(PaymentError::NotCancelable(format!("money came in and is held: {held}")));
    }
    match payment.live() {
        Some(attempt) if attempt.state == AttemptState::Sending => Err(PaymentError::InFlight),
        Some(attempt) => Ok(Cancelable::Attempt(attempt)),
        None => Err(PaymentError::InFlight),
    }
}

/// Whether the provider ends such an order by a call.
pub(crate) fn can_close(catalog: &Catalog, payment: &Payment, attempt: &Attempt) -> bool {
    site(catalog, payment, attempt).is_some_and(|(entry, spec)| {
        entry.channel.descriptor().can.has(Can::CANCEL) && matches!(spec.end, OrderEnd::Call { .. })
    })
}

/// The moment from which the provider takes a close of that order.
pub(crate) fn closable_from(catalog: &Catalog, payment: &Payment, attempt: &Attempt) -> Timestamp {
    match site(catalog, payment, attempt).map(|(_, spec)| spec.end) {
        Some(OrderEnd::Call { not_before }) => attempt.created_at.plus(not_before),
        _ => attempt.created_at,
    }
}
