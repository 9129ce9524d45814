//! What operators do: say what became of money where nobody else can, and look at what waits.
//!
//! Each word is compared with the state that it was given on, changes it by the same table as all else,
//! and leaves a line in the audit trail in the same transaction.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::channel::{OrderEnd, Receipt};
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::{AttemptId, AuditId, CallbackId, ChannelId, PaymentId, RefundId, TransferId};
use crate::money::Money;
use crate::payment::request::InvalidField;
use crate::payment::{Attempt, AttemptState, Held, Payment, Status};
use crate::refund::{Refund, RefundOrigin};
use crate::state::{Effect, Happening, Sum};
use crate::store::{
    AuditRow, CallbackFilter, CallbackRow, Patience, QueueCounts, QueueFilter, QueueItem, QueueKind,
};
use crate::transfer::Transfer;
use crate::words::words;

use super::outflows::OperatorWord;
use super::{Draft, Facts, Payments, Queued, TradeNo, schedule, site};

/// How long a provider may have money under way on its way out before that waits for a person: banks take
/// days over a weekend.
const UNDER_WAY_MAX: Duration = Duration::from_hours(3 * 24);

/// How often a word is given again when somebody was faster.
const TRIES: u32 = 8;

words! {
    /// What an operator says became of money.
    Outcome {
        /// It is there. Of a refund or a transfer: it has left.
        Paid = "paid",
        /// It is not, and will not be.
        NotPaid = "not_paid",
        /// Less came in than was asked, and that is enough.
        AcceptUnderpaid = "accept_underpaid",
        /// What came in has gone back by another way.
        ReturnedOutside = "returned_outside",
        /// What came in shall go back through its provider.
        Refund = "refund",
    }
}

/// Who says something, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The operator's id.
    pub id: String,
    /// The request.
    pub request_id: String,
}

/// An operator's word on an attempt, a refund or a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What became of it.
    pub outcome: Outcome,
    /// How much, in minor units; needed where money is said to be there.
    pub amount: Option<i64>,
    /// The wallet's or bank's number of the money.
    pub provider_trade_no: Option<String>,
    /// Why, for the audit trail.
    pub note: String,
}

/// What a resolution comes to.
enum Plan {
    /// What it says is so already.
    Known,
    /// This happens to the attempt.
    Happen(Happening, Box<Facts>),
    /// Its money goes back.
    Refund,
}

impl Payments {
    /// An operator's word that a payment's money is there. Runs the ordinary success path, once: the
    /// same word again changes nothing. `attempt` is needed where several could have taken the money.
    pub async fn confirm(
        &self,
        by: Operator,
        payment: PaymentId,
        attempt: Option<AttemptId>,
        resolution: Resolution,
    ) -> Result<Payment, PaymentError> {
        let found = self.store().payment(payment).await?.ok_or(PaymentError::NotFound("payment"))?;
        let attempt = match attempt {
            Some(id) => found.attempt(id).map(|a| a.id).ok_or(PaymentError::NotFound("attempt"))?,
            None => only_candidate(&found)?,
        };
        self.resolve_attempt(by, attempt, Resolution { outcome: Outcome::Paid, ..resolution }).await
    }

    /// An operator's word on an attempt.
    pub async fn resolve_attempt(
        &self,
        by: Operator,
        id: AttemptId,
        resolution: Resolution,
    ) -> Result<Payment, PaymentError> {
        let this = self.clone();
        self.run(async move { this.resolve_attempt_now(&by, id, &resolution).await }).await
    }

    async fn resolve_attempt_now(
        &self,
        by: &Operator,
        id: AttemptId,
        resolution: &Resolution,
    ) -> Result<Payment, PaymentError> {
        for _ in 0..TRIES {
            let found = self.store().payment_by_attempt(id).await?;
            let payment = found.ok_or(PaymentError::NotFound("attempt"))?;
            let catalog = self.catalog();
            let Some(attempt) = payment.attempt(id) else { return Err(PaymentError::NotFound("attempt")) };
            let mut draft = self.draft(&catalog, &payment);
            match plan(&catalog, &payment, attempt, resolution, self.now())? {
                Plan::Known => return Ok(payment),
                Plan::Happen(happening, facts) => happen(&mut draft, id, happening, *facts)?,
                Plan::Refund => self.queue_return(&mut draft, attempt)?,
            }
            let audit = self.audit_row(by, "attempt.resolve", id.to_string(), resolution, &payment, &draft);
            draft.audited(audit);
            if let Some(stored) = self.commit(draft).await? {
                return Ok(stored);
            }
        }
        Err(PaymentError::InFlight)
    }

    fn queue_return(&self, draft: &mut Draft<'_>, attempt: &Attempt) -> Result<(), PaymentError> {
        let id = RefundId::make(self.now(), self.ports().rng.as_ref());
        match draft.return_money(attempt.id, id, RefundOrigin::Operator) {
            Queued::Yes => Ok(()),
            Queued::Cannot => {
                Err(PaymentError::Unsupported { channel: attempt.channel.clone(), operation: "refund" })
            }
        }
    }

    fn audit_row(
        &self,
        by: &Operator,
        action: &str,
        target: String,
        resolution: &Resolution,
        before: &Payment,
        draft: &Draft<'_>,
    ) -> AuditRow {
        let mut after = gist(draft.payment());
        after["outcome"] = resolution.outcome.word().into();
        after["amount"] = resolution.amount.into();
        after["provider_trade_no"] = resolution.provider_trade_no.clone().into();
        AuditRow {
            before: gist(before),
            after,
            ..self.audit_line(by, action, target, resolution.note.clone())
        }
    }

    /// An operator's word on a refund: `paid` = its money has gone back, `not_paid` = it has not and
    /// never will. The same word again changes nothing.
    pub async fn resolve_refund(
        &self,
        by: Operator,
        id: RefundId,
        resolution: Resolution,
    ) -> Result<Refund, PaymentError> {
        let this = self.clone();
        let work = async move {
            let refund = this.store().refund(id).await?.ok_or(PaymentError::NotFound("refund"))?;
            let left = (&refund.channel, refund.could_leave_from());
            let word = this.outflow_word(&resolution, refund.amount, left)?;
            let audit = this.audit_line(&by, "refund.resolve", id.to_string(), resolution.note.clone());
            this.hear_operator_on_refund(refund, word, audit).await
        };
        self.run(work).await
    }

    /// An operator's word on a transfer, as on a refund.
    pub async fn resolve_transfer(
        &self,
        by: Operator,
        id: TransferId,
        resolution: Resolution,
    ) -> Result<Transfer, PaymentError> {
        let this = self.clone();
        let work = async move {
            let transfer = this.store().transfer(id).await?.ok_or(PaymentError::NotFound("transfer"))?;
            // It is sent as soon as it is stored, or not at all.
            let left = (&transfer.channel, Some(transfer.created_at));
            let word = this.outflow_word(&resolution, transfer.amount, left)?;
            let audit = this.audit_line(&by, "transfer.resolve", id.to_string(), resolution.note.clone());
            this.hear_operator_on_transfer(id, word, audit).await
        };
        self.run(work).await
    }

    /// What an operator says of money that can have left by that channel from some moment on.
    fn outflow_word(
        &self,
        resolution: &Resolution,
        amount: Money,
        (channel, could_leave_from): (&ChannelId, Option<Timestamp>),
    ) -> Result<OperatorWord, PaymentError> {
        if resolution.amount.is_some_and(|minor| minor != amount.minor()) {
            return Err(refused(format!("it is about {amount}, not what `amount` says")));
        }
        match resolution.outcome {
            Outcome::Paid => Ok(OperatorWord::Done),
            Outcome::NotPaid => {
                let Some(could_leave_from) = could_leave_from else { return Ok(OperatorWord::NotDone) };
                let catalog = self.catalog();
                let own = catalog.channel(channel).and_then(|entry| entry.request);
                let from =
                    could_leave_from.plus(own.unwrap_or(catalog.timing.request)).plus(catalog.timing.settle);
                check_settled(self.now(), from).map(|()| OperatorWord::NotDone)
            }
            Outcome::AcceptUnderpaid | Outcome::ReturnedOutside | Outcome::Refund => {
                Err(refused("money on its way out is `paid` or `not_paid`"))
            }
        }
    }

    pub(super) fn audit_line(&self, by: &Operator, action: &str, target: String, note: String) -> AuditRow {
        AuditRow {
            id: AuditId::make(self.now(), self.ports().rng.as_ref()),
            at: self.now(),
            operator: by.id.clone(),
            action: action.to_owned(),
            target,
            before: serde_json::Value::Null,
            after: serde_json::Value::Null,
            note,
            request_id: by.request_id.clone(),
        }
    }

    /// What waits for a person, oldest first.
    pub async fn queue(
        &self,
        kind: Option<QueueKind>,
        after: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<QueueItem>, PaymentError> {
        let filter = QueueFilter { kind, patience: self.patience(), after, limit };
        Ok(self.store().queue(&filter).await?)
    }

    /// Attempts of which nobody knows what became, also those that may still end by themselves, oldest
    /// first.
    pub async fn unknown_attempts(
        &self,
        after: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<QueueItem>, PaymentError> {
        let never = Timestamp::from_ms(i64::MIN);
        let unknown_before = self.now().plus(Duration::from_millis(1));
        let patience = Patience { unknown_before, ended_before: never, sent_before: never };
        let filter = QueueFilter { kind: Some(QueueKind::AttemptUnknown), patience, after, limit };
        Ok(self.store().queue(&filter).await?)
    }

    /// How much waits for a person, by kind.
    pub async fn queue_counts(&self) -> Result<QueueCounts, PaymentError> {
        Ok(self.store().queue_counts(self.patience()).await?)
    }

    /// What providers sent, newest first.
    pub async fn callbacks(&self, filter: &CallbackFilter) -> Result<Vec<CallbackRow>, PaymentError> {
        Ok(self.store().callbacks(filter).await?)
    }

    /// An operator has seen to a callback that waited.
    pub async fn settle_callback(
        &self,
        by: Operator,
        id: CallbackId,
        note: String,
    ) -> Result<(), PaymentError> {
        let audit = self.audit_line(&by, "callback.settle", id.to_string(), note);
        let is_settled = self.store().settle_callback(id, audit).await?;
        if is_settled { Ok(()) } else { Err(PaymentError::NotFound("callback that waits")) }
    }

    /// Who did what, newest first.
    pub async fn audit(&self, before: Option<AuditId>, limit: u32) -> Result<Vec<AuditRow>, PaymentError> {
        Ok(self.store().audit(before, limit).await?)
    }

    fn patience(&self) -> Patience {
        let (catalog, now) = (self.catalog(), self.now());
        let unknown_before = now.minus(catalog.timing.patience);
        let ended_before = unknown_before.minus(margin_max(&catalog));
        Patience { unknown_before, ended_before, sent_before: now.minus(UNDER_WAY_MAX) }
    }
}

/// How long after its end an order goes on at the most before it is ended: the longest margin of a timer.
fn margin_max(catalog: &Catalog) -> Duration {
    let specs = catalog.channels().iter().flat_map(|entry| &entry.channel.descriptor().methods);
    let margins = specs.map(|spec| match spec.end {
        OrderEnd::ProviderTimer { margin, .. } => margin,
        OrderEnd::Call { .. } | OrderEnd::None => Duration::ZERO,
    });
    margins.max().unwrap_or_default()
}

/// The one attempt that can have taken the money.
fn only_candidate(payment: &Payment) -> Result<AttemptId, PaymentError> {
    let paid = payment.attempts.iter().find(|a| a.state == AttemptState::Paid);
    let surely_without = |a: &&Attempt| !matches!(a.state, AttemptState::Refused | AttemptState::NotSent);
    let mut candidates = payment.attempts.iter().filter(surely_without);
    match (paid, candidates.next(), candidates.next()) {
        (Some(attempt), ..) | (None, Some(attempt), None) => Ok(attempt.id),
        (None, None, _) => Err(refused("none of its attempts can have taken money")),
        (None, Some(_), Some(_)) => {
            let rule = "several attempts can have taken the money; name the one";
            Err(InvalidField::new("attempt", rule).into())
        }
    }
}

fn refused(why: impl Into<String>) -> PaymentError {
    PaymentError::NotResolvable(why.into())
}

fn happen(
    draft: &mut Draft<'_>,
    id: AttemptId,
    happening: Happening,
    facts: Facts,
) -> Result<(), PaymentError> {
    let before = draft.payment().clone();
    match draft.happen(id, happening, facts) {
        Effect::Next => draft.conclude(),
        Effect::Ignore if *draft.payment() == before => {
            return Err(refused("its state does not allow it now"));
        }
        _ => {}
    }
    Ok(())
}

fn plan(
    catalog: &Catalog,
    payment: &Payment,
    attempt: &Attempt,
    resolution: &Resolution,
    now: Timestamp,
) -> Result<Plan, PaymentError> {
    match resolution.outcome {
        Outcome::Paid => paid(payment, attempt, resolution),
        Outcome::NotPaid => not_paid(catalog, payment, attempt, now),
        Outcome::AcceptUnderpaid => accepted(payment, attempt, resolution),
        Outcome::ReturnedOutside => returned(attempt),
        Outcome::Refund => sent_back(attempt, now),
    }
}

fn sent_back(attempt: &Attempt, now: Timestamp) -> Result<Plan, PaymentError> {
    if attempt.contested > 0 {
        return Err(refused("it may have gone back with a close; say `paid` or `returned_outside`"));
    }
    if attempt.crossing().is_some() {
        let why = "a close of its order may have sent it back, and its provider is being asked about that";
        return Err(refused(why));
    }
    // What is not booked is not looked at again: there only time says that no close can act.
    let until = attempt.closing_until.map(schedule::surely_closed_at);
    if let Some(until) = until.filter(|until| now < *until) {
        return Err(refused(format!("a close of its order may still send it back, until {until}")));
    }
    if attempt.state == AttemptState::Paid {
        return Err(refused("its money is the payment's success; only its app refunds that"));
    }
    check_not_leaving(attempt)?;
    match attempt.refundable() {
        Some(left) if left.minor() > 0 => Ok(Plan::Refund),
        _ => Err(refused("no money waits on it")),
    }
}

fn check_not_leaving(attempt: &Attempt) -> Result<(), PaymentError> {
    if attempt.refunding > 0 {
        return Err(refused("a refund of it is under way; look what becomes of that first"));
    }
    Ok(())
}

fn paid(payment: &Payment, attempt: &Attempt, resolution: &Resolution) -> Result<Plan, PaymentError> {
    let amount = amount_of(payment, resolution)?;
    if attempt.state.is_booked() {
        return still_paid(attempt, amount, resolution);
    }
    if attempt.state == AttemptState::Sending {
        return Err(PaymentError::InFlight);
    }
    if amount != payment.amount {
        return Err(refused(format!(
            "the payment asks for {}; only that amount can be confirmed",
            payment.amount
        )));
    }
    if attempt.received == Some(amount) {
        return Ok(Plan::Happen(Happening::OperatorAccepts, Box::default()));
    }
    let receipt = Receipt { trade_no: resolution.provider_trade_no.clone(), ..Receipt::of(amount) };
    let facts = Facts { receipt: Some(receipt), trade_no: TradeNo::Told, ..Facts::default() };
    Ok(Plan::Happen(Happening::OperatorPaid(Sum::Full), Box::new(facts)))
}

/// The same word again on what is booked; where it is contested, that ends by it.
fn still_paid(attempt: &Attempt, amount: Money, resolution: &Resolution) -> Result<Plan, PaymentError> {
    let same_no = resolution.provider_trade_no.is_none()
        || attempt.trade_no.is_none()
        || resolution.provider_trade_no == attempt.trade_no;
    if attempt.received != Some(amount) || !same_no {
        return Err(refused("it is paid already, with another amount or trade number"));
    }
    match attempt.state {
        _ if attempt.contested > 0 => Ok(Plan::Happen(Happening::OperatorAccepts, Box::default())),
        AttemptState::Paid => Ok(Plan::Known),
        _ => Err(refused("another attempt is the payment's success")),
    }
}

fn amount_of(payment: &Payment, resolution: &Resolution) -> Result<Money, PaymentError> {
    let rule = "write the minor units that came in";
    let minor = resolution.amount.ok_or_else(|| InvalidField::new("amount", rule))?;
    Ok(Money::new(minor, payment.amount.currency()))
}

fn not_paid(
    catalog: &Catalog,
    payment: &Payment,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<Plan, PaymentError> {
    if attempt.received.is_some() {
        return Err(refused("money came in on it"));
    }
    let limit = site(catalog, payment, attempt)
        .map_or(catalog.timing.request, |(entry, _)| entry.request_limit(payment.method, &catalog.timing));
    let from = match attempt.state {
        AttemptState::Unknown | AttemptState::Abandoned => {
            attempt.created_at.plus(limit).plus(catalog.timing.settle)
        }
        AttemptState::Open | AttemptState::Lapsed => attempt.ends_at.plus(catalog.timing.settle),
        AttemptState::Sending => return Err(PaymentError::InFlight),
        _ => return Err(refused(format!("it is {} already", attempt.state))),
    };
    check_settled(now, from)?;
    Ok(Plan::Happen(Happening::OperatorNotPaid, Box::default()))
}

fn check_settled(now: Timestamp, from: Timestamp) -> Result<(), PaymentError> {
    if now < from {
        return Err(refused(format!("money can still be on its way; nobody can say that before {from}")));
    }
    Ok(())
}

fn accepted(payment: &Payment, attempt: &Attempt, resolution: &Resolution) -> Result<Plan, PaymentError> {
    let Some(received) = attempt.received else { return Err(refused("no money came in on it")) };
    if payment.status == Status::Succeeded || payment.held != Some(Held::Underpaid) {
        return Err(refused("the payment does not wait for the rest of its money"));
    }
    if resolution.amount.is_some_and(|minor| minor != received.minor()) {
        return Err(refused(format!("{received} came in, not what `amount` says")));
    }
    Ok(Plan::Happen(Happening::OperatorAccepts, Box::default()))
}

fn returned(attempt: &Attempt) -> Result<Plan, PaymentError> {
    check_not_leaving(attempt)?;
    if !attempt.holds_money() {
        return Err(refused("no money waits on it"));
    }
    Ok(Plan::Happen(Happening::OperatorReturned, Box::default()))
}

/// What of a payment the audit trail keeps.
fn gist(payment: &Payment) -> serde_json::Value {
    let attempts: Vec<serde_json::Value> = payment
        .attempts
        .iter()
        .map(|a| {
            serde_json::json!({
                "id": a.id,
                "state": a.state.word(),
                "received": a.received.map(Money::minor),
                "refunding": a.refunding,
                "refunded": a.refunded,
                "contested": a.contested,
            })
        })
        .collect();
    serde_json::json!({
        "payment": payment.id,
        "version": payment.version,
        "status": payment.status.word(),
        "held": payment.held.map(Held::word),
        "attempts": attempts,
    })
}
