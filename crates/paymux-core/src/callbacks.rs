//! Callbacks in: raw bytes, verified as received, compared with the ledger, stored, and only then
//! acknowledged.

use crate::catalog::{Catalog, ChannelEntry, Lifecycle};
use crate::channel::{CallbackError, Claim, ClaimKind, Evidence, Receipt, Verdict};
use crate::error::PaymentError;
use crate::ids::{AttemptId, CallbackId, ChannelId, PaymentId};
use crate::money::Money;
use crate::payment::Payment;
use crate::payments::{Facts, Payments};
use crate::state::{Effect, Happening, Sum};
use crate::store::{Applied, CallbackRow, CallbackVerdict};
use crate::wire::{WireRequest, WireResponse};

/// How often a callback reads again and decides anew when somebody was faster.
const TRIES: u32 = 8;

/// What was made of a verified claim.
struct Outcome {
    verdict: CallbackVerdict,
    payment: Option<PaymentId>,
    detail: Option<String>,
}

impl Outcome {
    fn kept(verdict: CallbackVerdict, payment: Option<PaymentId>, detail: impl Into<String>) -> Self {
        Self { verdict, payment, detail: Some(detail.into()) }
    }
}

impl Payments {
    /// Takes one request to a channel's callback address and answers it in the provider's words.
    /// `None` when there is no such channel, or it is off.
    pub async fn take_callback(&self, channel: ChannelId, request: WireRequest) -> Option<WireResponse> {
        let catalog = self.catalog();
        let entry = catalog.channel(&channel).filter(|entry| entry.state != Lifecycle::Off)?.clone();
        let this = self.clone();
        let work = {
            let entry = entry.clone();
            async move { Ok(this.take_now(&catalog, &entry, request).await) }
        };
        let verdict = self.run(work).await.unwrap_or(Verdict::TryAgain);
        metrics::counter!("paymux_callbacks_total", "channel" => channel.to_string(), "verdict" => label(verdict))
            .increment(1);
        Some(entry.channel.acknowledge(verdict))
    }

    async fn take_now(&self, catalog: &Catalog, entry: &ChannelEntry, request: WireRequest) -> Verdict {
        let row = self.row(entry, request);
        let (taken, verdict) = match entry.channel.verify_callback(&row.request) {
            Ok(claim) => {
                // Another sum for the same order is another fact: it must not pass for a repeat.
                let event_key = Some(format!("{} {}", claim.event_key, claim.received));
                let row = CallbackRow { event_key, ..row };
                (self.take_claim(entry, &claim, row).await, Verdict::Accepted)
            }
            Err(error) => (self.keep_unverified(catalog, row, &error).await, Verdict::Rejected),
        };
        match taken {
            Ok(()) => verdict,
            Err(error) => {
                tracing::error!(channel = %entry.id, %error, "a callback could not be stored; it is not acknowledged");
                Verdict::TryAgain
            }
        }
    }

    fn row(&self, entry: &ChannelEntry, request: WireRequest) -> CallbackRow {
        let now = self.now();
        CallbackRow {
            id: CallbackId::make(now, self.ports().rng.as_ref()),
            channel: entry.id.clone(),
            received_at: now,
            request,
            verdict: CallbackVerdict::Unreadable,
            event_key: None,
            payment: None,
            detail: None,
        }
    }

    async fn keep_unverified(
        &self,
        catalog: &Catalog,
        row: CallbackRow,
        error: &CallbackError,
    ) -> Result<(), PaymentError> {
        tracing::warn!(channel = %row.channel, %error, "a callback was not believed");
        let verdict = match error {
            CallbackError::Unreadable(_) => CallbackVerdict::Unreadable,
            CallbackError::BadSign(_) => CallbackVerdict::Forged,
        };
        let row = CallbackRow { verdict, detail: Some(error.to_string()), ..row };
        Ok(self.store().keep_callback(row, catalog.callback_ring).await?)
    }

    /// Applies a verified claim, or keeps it with the reason why it changes nothing.
    async fn take_claim(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        row: CallbackRow,
    ) -> Result<(), PaymentError> {
        for _ in 0..TRIES {
            let found = self.store().payment_by_number(&entry.id, &claim.number).await?;
            let step = match (found, claim.kind) {
                (Some(payment), ClaimKind::Paid) => self.apply_paid(entry, claim, payment, &row).await?,
                (payment, ClaimKind::Paid) => Some(orphan(payment)),
                (payment, _) => Some(beside_the_point(payment)),
            };
            let Some(outcome) = step else { continue };
            if outcome.verdict == CallbackVerdict::Applied {
                return Ok(());
            }
            let row = CallbackRow {
                verdict: outcome.verdict,
                payment: outcome.payment,
                detail: outcome.detail,
                ..row
            };
            let ring = self.catalog().callback_ring;
            return Ok(self.store().keep_callback(row, ring).await?);
        }
        Err(PaymentError::InFlight)
    }

    /// One try to apply a claim of money; `None` when somebody was faster.
    async fn apply_paid(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        payment: Payment,
        row: &CallbackRow,
    ) -> Result<Option<Outcome>, PaymentError> {
        let id = Some(payment.id);
        let Some(attempt) = payment.attempt_by_number(&entry.id, &claim.number).map(|a| a.id) else {
            return Ok(Some(orphan(Some(payment))));
        };
        let Some((happening, facts)) = self.evidence(claim, &payment, attempt).await? else {
            let detail = "what it claims is not signed, and the provider does not confirm it";
            return Ok(Some(Outcome::kept(CallbackVerdict::Quarantined, id, detail)));
        };
        let catalog = self.catalog();
        let mut draft = self.draft(&catalog, &payment);
        match draft.happen(attempt, happening, facts) {
            Effect::Next => draft.conclude(),
            Effect::Ignore => return Ok(Some(known(claim, &payment, attempt))),
            _ => {}
        }
        if draft.payment() == &payment {
            return Ok(Some(known(claim, &payment, attempt)));
        }
        draft.caused_by(CallbackRow { verdict: CallbackVerdict::Applied, payment: id, ..row.clone() });
        let Some(change) = draft.into_change() else { return Ok(None) };
        Ok(match self.store().apply(change).await? {
            Applied::Done => Some(Outcome { verdict: CallbackVerdict::Applied, payment: id, detail: None }),
            Applied::Stale => None,
            Applied::CallbackKnown => Some(known(claim, &payment, attempt)),
        })
    }

    /// What the claim proves: itself, or what the provider says when it is asked. A provider that
    /// cannot be asked now is to send the callback again: nobody else may come to look.
    async fn evidence(
        &self,
        claim: &Claim,
        payment: &Payment,
        attempt: AttemptId,
    ) -> Result<Option<(Happening, Facts)>, PaymentError> {
        if claim.evidence == Evidence::Settles {
            let receipt = Receipt {
                received: claim.received,
                discount: Money::zero(claim.received.currency()),
                trade_no: claim.trade_no.clone(),
                reference: None,
            };
            // An order of another amount is not ours, whatever came in.
            let is_our_order = claim.order_amount.is_none_or(|amount| amount == payment.amount);
            let sum = if is_our_order {
                Sum::of(payment.amount, claim.received, receipt.discount)
            } else {
                Sum::Foreign
            };
            let facts = Facts { receipt: Some(receipt), ..Facts::default() };
            return Ok(Some((Happening::Callback(sum), facts)));
        }
        let catalog = self.catalog();
        let Some(attempt) = payment.attempt(attempt) else { return Ok(None) };
        match self.ask(&catalog, payment, attempt).await {
            Some((Happening::QueryUnknown, _)) | None => {
                Err(PaymentError::Overloaded("the provider could not be asked".to_owned()))
            }
            Some(asked) => Ok(matches!(asked.0, Happening::QueryPaid(_)).then_some(asked)),
        }
    }
}

/// The order's money is booked already. Another trade number than the booked one is a second
/// payment, which a person must look at.
fn known(claim: &Claim, payment: &Payment, attempt: AttemptId) -> Outcome {
    let booked = payment.attempt(attempt);
    let booked_no = booked.and_then(|a| a.trade_no.as_deref());
    let other_no = claim.trade_no.as_deref().is_some_and(|no| booked_no.is_some_and(|booked| booked != no));
    let other_sum = booked.and_then(|a| a.received).is_some_and(|sum| sum != claim.received);
    if other_no || other_sum {
        tracing::error!(payment = %payment.id, attempt = %attempt, "a second payment for one order");
        return Outcome::kept(CallbackVerdict::Quarantined, Some(payment.id), "second_payment");
    }
    Outcome::kept(CallbackVerdict::Duplicate, Some(payment.id), "this was known")
}

fn orphan(payment: Option<Payment>) -> Outcome {
    tracing::error!("a verified callback for an order that is not ours");
    Outcome::kept(CallbackVerdict::Orphan, payment.map(|p| p.id), "no order of this channel has that number")
}

fn beside_the_point(payment: Option<Payment>) -> Outcome {
    Outcome::kept(CallbackVerdict::Quarantined, payment.map(|p| p.id), "not about a payment")
}

fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Rejected => "rejected",
        Verdict::TryAgain => "try_again",
    }
}
