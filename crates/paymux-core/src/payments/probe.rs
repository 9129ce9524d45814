//! Asking a provider what became of an attempt, and believing the answer.

use crate::catalog::Catalog;
use crate::channel::{Can, ChannelError, FinalAfter, MethodSpec, OrderEnd, OrderRef, QueryAnswer};
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::{AppId, AttemptId, PaymentId};
use crate::payment::{Attempt, AttemptState, Payment};
use crate::state::{Happening, Sum};

use super::{Facts, Payments, may_be_given_up, schedule, site};

impl Payments {
    /// Asks the provider now about every attempt that can still change, and returns the payment.
    pub async fn sync(&self, app: AppId, id: PaymentId) -> Result<Payment, PaymentError> {
        let this = self.clone();
        self.run(async move { this.sync_now(&app, id).await }).await
    }

    async fn sync_now(&self, app: &AppId, id: PaymentId) -> Result<Payment, PaymentError> {
        let mut payment = self.find(app, id).await?;
        let can_change = |a: &&Attempt| {
            matches!(a.state, AttemptState::Open | AttemptState::Unknown) || a.state.is_watched()
        };
        let attempts: Vec<Attempt> = payment.attempts.iter().filter(can_change).cloned().collect();
        for attempt in attempts {
            self.check_can_query(&payment, &attempt)?;
            payment = self.probe(payment, attempt.id).await?;
        }
        Ok(payment)
    }

    fn check_can_query(&self, payment: &Payment, attempt: &Attempt) -> Result<(), PaymentError> {
        if can_ask(&self.catalog(), payment, attempt) {
            return Ok(());
        }
        Err(PaymentError::Unsupported { channel: attempt.channel.clone(), operation: "query" })
    }

    /// Asks about one attempt and stores what was learnt.
    pub(crate) async fn probe(&self, payment: Payment, id: AttemptId) -> Result<Payment, PaymentError> {
        let catalog = self.catalog();
        let Some(attempt) = payment.attempt(id).cloned() else { return Ok(payment) };
        let Some((happening, facts)) = self.ask(&catalog, &payment, &attempt).await else {
            return Ok(payment);
        };
        let happening = shown_to_nobody(&catalog, &payment, &attempt, happening);
        self.learn(payment, id, happening, &facts).await
    }

    /// What a query says; `None` where the channel is gone from the configuration.
    pub(crate) async fn ask(
        &self,
        catalog: &Catalog,
        payment: &Payment,
        attempt: &Attempt,
    ) -> Option<(Happening, Facts)> {
        let (entry, spec) = site(catalog, payment, attempt)?;
        let cx = self.cx(self.clock().mono(), entry.request.unwrap_or(catalog.timing.request));
        let order = order_ref(payment, attempt);
        let asked_at = self.now();
        crate::crash_point!("query.before_call");
        let answer =
            self.called(catalog, entry, catalog.health.slow, &cx, entry.channel.query(&cx, &order)).await;
        crate::crash_point!("query.after_call");
        Some(read(payment, attempt, spec, answer, asked_at))
    }
}

/// Whether its provider answers questions about such an order.
pub(crate) fn can_ask(catalog: &Catalog, payment: &Payment, attempt: &Attempt) -> bool {
    site(catalog, payment, attempt).is_some_and(|(entry, _)| entry.channel.descriptor().can.has(Can::QUERY))
}

/// An order that is open, but whose create answer never reached anyone, cannot be paid: it is given
/// up where that is allowed, so that the merchant learns soon that it has to begin anew.
fn shown_to_nobody(
    catalog: &Catalog,
    payment: &Payment,
    attempt: &Attempt,
    happening: Happening,
) -> Happening {
    let route = catalog.route(&payment.route);
    let gives_up = attempt.state == AttemptState::Unknown
        && happening == Happening::QueryOpen
        && route.is_some_and(|route| may_be_given_up(catalog, route, payment, attempt));
    if gives_up { Happening::GiveUp } else { happening }
}

/// An attempt as its channel is told of it.
pub(crate) fn order_ref(payment: &Payment, attempt: &Attempt) -> OrderRef {
    OrderRef {
        number: attempt.number.clone(),
        amount: payment.amount,
        method: payment.method,
        memo: attempt.memo.clone(),
        reference: attempt.reference.clone(),
        created_at: attempt.created_at,
        metadata: payment.metadata.clone(),
    }
}

fn read(
    payment: &Payment,
    attempt: &Attempt,
    spec: &MethodSpec,
    answer: Result<QueryAnswer, ChannelError>,
    asked_at: Timestamp,
) -> (Happening, Facts) {
    match answer {
        Ok(QueryAnswer::Paid(receipt)) => {
            let sum = Sum::of(payment.amount, receipt.received, receipt.discount);
            (Happening::QueryPaid(sum), Facts::asked(receipt))
        }
        // Of what is booked, a close or somebody at the provider has sent it back: as if it were closed.
        Ok(QueryAnswer::Returned(_)) if attempt.state.is_booked() => {
            (Happening::QueryClosed, Facts::default())
        }
        // Perhaps by a refund of ours: what becomes of it is not known yet.
        Ok(QueryAnswer::Returning(_)) if attempt.state.is_booked() => {
            (Happening::QueryUnknown, Facts::default())
        }
        Ok(QueryAnswer::Returned(receipt) | QueryAnswer::Returning(receipt)) => {
            let sum = Sum::of(payment.amount, receipt.received, receipt.discount);
            (Happening::QueryPaid(sum), Facts { gone_back: true, ..Facts::asked(receipt) })
        }
        Ok(QueryAnswer::Open) if timer_is_over(attempt, spec, asked_at) => {
            (Happening::TimerOver, Facts::default())
        }
        Ok(QueryAnswer::Open) => (Happening::QueryOpen, Facts::default()),
        Ok(QueryAnswer::Closed) => (Happening::QueryClosed, Facts::default()),
        Ok(QueryAnswer::NotFound) if proves_absence(attempt, spec, asked_at) => {
            (Happening::QueryAbsent, Facts::default())
        }
        Ok(QueryAnswer::NotFound) => (Happening::QueryNotFound, Facts::default()),
        Err(error) => {
            tracing::info!(attempt = %attempt.id, channel = %attempt.channel, %error, "a query was not answered");
            (Happening::QueryUnknown, Facts::default())
        }
    }
}

/// The provider's own timer and its margin are over: an unpaid order stays unpaid.
fn timer_is_over(attempt: &Attempt, spec: &MethodSpec, now: Timestamp) -> bool {
    matches!(spec.end, OrderEnd::ProviderTimer { .. }) && now >= schedule::end_due_at(attempt, spec)
}

fn proves_absence(attempt: &Attempt, spec: &MethodSpec, now: Timestamp) -> bool {
    spec.not_found_final_after.is_some_and(|after| match after {
        FinalAfter::Creation(span) => now >= attempt.created_at.plus(span),
        FinalAfter::End(span) => now >= attempt.ends_at.plus(span),
    })
}
