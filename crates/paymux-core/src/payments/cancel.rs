//! Ending an order before it is paid: at the merchant's word, or because its time is over.
//!
//! Close at the provider, then ask it once more: money that slipped in before the close counts. Where a
//! close sends money back, what is booked meanwhile may be gone: so that a close is under way is stored
//! before it is called, and what is booked in spite of it is looked at again.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::channel::{Can, CancelAnswer, ChannelError, OrderEnd};
use crate::clock::{Mono, Timestamp};
use crate::error::PaymentError;
use crate::ids::{AppId, AttemptId, PaymentId};
use crate::payment::{Attempt, AttemptState, Payment, Status};
use crate::state::{Happening, Sum};

use super::draft::CancelWish;
use super::probe::{can_ask, order_ref};
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
        let can_end = |payment: &Payment| matches!(cancelable(payment), Ok(Cancelable::Attempt(_)));
        let payment = self.wish(payment, CancelWish::Yes, can_end).await?;
        // Somebody may have been faster. To close what is paid would send the money back where a
        // close is a reversal.
        match cancelable(&payment)? {
            Cancelable::Done => return Ok(payment),
            Cancelable::Attempt(now) if (now.id, now.state) != (attempt.id, attempt.state) => {
                return Err(PaymentError::InFlight);
            }
            Cancelable::Attempt(_) => {}
        }
        match self.close(payment, attempt.id).await? {
            (payment, CloseEnd::Refused { why, until }) => {
                // Another cancel that has called a close since goes on, and so does the wish.
                let is_last = |payment: &Payment| {
                    let now = payment.attempt(attempt.id).and_then(|now| now.closing_until);
                    !payment.status.is_over() && now == Some(until)
                };
                self.wish(payment, CancelWish::No, is_last).await?;
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
        let now = self.now();
        let from = closable_from(&self.catalog(), payment, attempt, now);
        if from <= now {
            return Ok(());
        }
        Err(PaymentError::NotCancelable(format!("its provider takes a close from {from} on")))
    }

    /// Stores whether a cancel is wanted, so that a crash in between does not forget it; nothing where
    /// `counts` says that it does not count any more.
    async fn wish(
        &self,
        mut payment: Payment,
        wish: CancelWish,
        counts: impl Fn(&Payment) -> bool + Send,
    ) -> Result<Payment, PaymentError> {
        const TRIES: u32 = 5;
        for _ in 0..TRIES {
            if !counts(&payment) {
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

    /// Closes an attempt at its provider and stores what was learnt. Whoever decides it decides it on
    /// `payment`: nothing is called where anything of that has changed meanwhile.
    pub(crate) async fn close(
        &self,
        payment: Payment,
        id: AttemptId,
    ) -> Result<(Payment, CloseEnd), PaymentError> {
        let catalog = self.catalog();
        let Some(closing) = self.begin_close(&catalog, &payment, id).await? else {
            return Ok((self.reload(payment.id).await?, CloseEnd::NotBegun));
        };
        let answer = self.call_close(&catalog, &closing).await;
        let Closing { payment, attempt, until, .. } = closing;
        let (happening, facts, end) = match answer {
            Ok(CancelAnswer::Closed) => return self.after_close(&catalog, payment, &attempt).await,
            Ok(CancelAnswer::Paid(receipt)) => {
                let sum = Sum::of(payment.amount, receipt.received, receipt.discount);
                (Happening::QueryPaid(sum), Facts::asked(receipt), CloseEnd::Known)
            }
            Ok(CancelAnswer::Refused(why)) => {
                (Happening::CloseRefused, Facts::default(), CloseEnd::Refused { why, until })
            }
            Err(ChannelError::Refused(refusal)) => {
                let why = refusal.message;
                (Happening::CloseRefused, Facts::default(), CloseEnd::Refused { why, until })
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
        let can_ask = can_ask(catalog, &payment, attempt);
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

    /// Stores that a close is under way, before it is; `None` where somebody was faster. The call's time
    /// counts from before that: a node that stood still in between sends nothing that nobody waits for.
    async fn begin_close(
        &self,
        catalog: &Catalog,
        payment: &Payment,
        id: AttemptId,
    ) -> Result<Option<Closing>, PaymentError> {
        let site = payment.attempt(id).and_then(|attempt| site(catalog, payment, attempt));
        let Some((entry, _)) = site else { return Ok(None) };
        let limit = entry.request.unwrap_or(catalog.timing.request);
        let begun = self.clock().mono();
        let mut draft = self.draft(catalog, payment);
        let Some(until) = draft.begin_close(id, limit + catalog.timing.settle) else { return Ok(None) };
        let stored = self.commit(draft).await?;
        Ok(stored.and_then(|payment| {
            let attempt = payment.attempt(id)?.clone();
            Some(Closing { payment, attempt, begun, limit, until })
        }))
    }

    async fn call_close(&self, catalog: &Catalog, closing: &Closing) -> Result<CancelAnswer, ChannelError> {
        let Closing { payment, attempt, begun, limit, .. } = closing;
        let Some((entry, _)) = site(catalog, payment, attempt) else { return Err(ChannelError::Unsupported) };
        let cx = self.cx(*begun, *limit);
        let order = order_ref(payment, attempt);
        crate::crash_point!("close.before_call");
        let answer = self.called(catalog, entry, None, &cx, entry.channel.cancel(&cx, &order)).await;
        crate::crash_point!("close.after_call");
        answer
    }
}

/// A close that is stored as under way.
struct Closing {
    payment: Payment,
    attempt: Attempt,
    /// A moment before it was handed to the store.
    begun: Mono,
    /// How long the call may take.
    limit: Duration,
    /// Until when it may act; no other close of the attempt has that moment.
    until: Timestamp,
}

/// How a close ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloseEnd {
    /// The order's end, or its money, is known.
    Known,
    /// It was not called: somebody was faster.
    NotBegun,
    /// The provider would not.
    Refused {
        /// Its reason.
        why: String,
        /// By which moment the close is known.
        until: Timestamp,
    },
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
        Some(attempt) if attempt.is_said_paid() => {
            let why = "its provider has said that it is paid, and is being asked about that";
            Err(PaymentError::NotCancelable(why.to_owned()))
        }
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

/// The moment from which the provider takes a close of that order, as it is seen at `now`.
pub(crate) fn closable_from(
    catalog: &Catalog,
    payment: &Payment,
    attempt: &Attempt,
    now: Timestamp,
) -> Timestamp {
    let Some((entry, spec)) = site(catalog, payment, attempt) else { return attempt.created_at };
    let OrderEnd::Call { not_before, .. } = spec.end else { return attempt.created_at };
    let from = attempt.created_at.plus(not_before);
    entry.channel.cancel_not_before(payment.method, from.max(now)).unwrap_or(from)
}
