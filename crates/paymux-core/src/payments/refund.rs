//! Refunds at the merchant's word: set aside, send once, store, and tell how it stands.
//!
//! One that its client has to approve first is in [`approval`]; what is learnt of one afterwards is in [`learn`]; how many an order may have is in [`count`]; what workers
//! do is in [`super::outflows`].

mod approval;
mod count;
mod learn;

use std::sync::Arc;

use crate::catalog::{Catalog, Scope};
use crate::channel::{Can, RefundOrder};
use crate::clock::{Mono, within};
use crate::error::PaymentError;
use crate::ids::{AppId, PaymentId, RefundId, RefundNo};
use crate::money::Money;
use crate::outflow::OutflowState;
use crate::payment::request::InvalidField;
use crate::payment::{Attempt, AttemptState, Payment};
use crate::refund::{NewRefund, Refund, RefundOrigin};
use crate::store::{RefundOpened, StoreError};

use super::Payments;
use super::outflows::{News, REPEAT_LOOK, able, answer_label, check_scope, request_limit};
use super::probe::order_ref;
use super::schedule::ORPHAN_MARGIN;

pub use approval::Approval;

/// The answer to a request for a refund.
#[derive(Debug, Clone)]
pub struct RefundAnswer {
    /// The refund as it is stored.
    pub refund: Refund,
    /// Whether this request made it; otherwise it stood there before.
    pub is_new: bool,
}

/// What became of a request before anything was sent.
enum Begun {
    /// Stored as `sending`, and to be sent now.
    New(Box<ToSend>),
    /// Stored, and not to be sent before it is approved.
    Waiting(Box<Refund>),
    /// The number is taken.
    Taken(Box<Refund>),
}

/// A refund that is stored as `sending`.
pub(super) struct ToSend {
    pub(super) payment: Payment,
    pub(super) refund: Refund,
    /// A moment before the refund was handed to the store: a sender that was held up since then must
    /// not send what a worker has given up for lost meanwhile.
    pub(super) begun: Mono,
}

impl Payments {
    /// Sends money of a paid payment back: the same refund number with the same fields finds the
    /// stored refund.
    ///
    /// Answers within the answer limit, with a refund that is `pending` if it must; its call runs
    /// on. Once this has answered with a refund, it is durable.
    pub async fn refund(
        &self,
        app: AppId,
        payment: PaymentId,
        request: NewRefund,
    ) -> Result<RefundAnswer, PaymentError> {
        let this = self.clone();
        self.run(async move { this.refund_now(&app, payment, &request).await }).await
    }

    async fn refund_now(
        &self,
        app: &AppId,
        payment: PaymentId,
        request: &NewRefund,
    ) -> Result<RefundAnswer, PaymentError> {
        let catalog = self.catalog();
        let started = self.clock().mono();
        check_scope(&catalog, app, Scope::Refunds)?;
        match self.begin_refund(&catalog, app, payment, request).await {
            Ok(Begun::New(to_send)) => {
                crate::crash_point!("refund.after_open");
                let refund = self.send_refund_within(catalog, *to_send, started).await?;
                Ok(RefundAnswer { refund, is_new: true })
            }
            Ok(Begun::Waiting(refund)) => Ok(RefundAnswer { refund: *refund, is_new: true }),
            Ok(Begun::Taken(stored)) => {
                self.repeat_refund(&catalog, *stored, payment, request, started).await
            }
            // A repeat is answered whatever a new refund would meet by now.
            Err(no) => match self.store().refund_by_no(app, &request.refund_no).await? {
                Some(stored) => self.repeat_refund(&catalog, stored, payment, request, started).await,
                None => Err(no),
            },
        }
    }

    /// Stores a new refund and sets its amount aside, or says why there can be none.
    async fn begin_refund(
        &self,
        catalog: &Catalog,
        app: &AppId,
        payment: PaymentId,
        request: &NewRefund,
    ) -> Result<Begun, PaymentError> {
        let payment = self.find(app, payment).await?;
        let attempt = refundable_attempt(&payment)?;
        let begun = self.clock().mono();
        let refund = self.new_refund(catalog, &payment, attempt, request)?;
        self.check_count(catalog, &refund).await?;
        match self.open_refund(refund.clone()).await? {
            RefundOpened::New if refund.awaits_approval() => Ok(Begun::Waiting(Box::new(refund))),
            RefundOpened::New => Ok(Begun::New(Box::new(ToSend { payment, refund, begun }))),
            RefundOpened::Exists(stored) => Ok(Begun::Taken(stored)),
            RefundOpened::TooLarge => Err(self.why_too_large(&payment).await?),
        }
    }

    fn new_refund(
        &self,
        catalog: &Catalog,
        payment: &Payment,
        attempt: &Attempt,
        request: &NewRefund,
    ) -> Result<Refund, PaymentError> {
        let Some(entry) = able(catalog, &attempt.channel, Can::REFUND) else {
            return Err(PaymentError::Unsupported { channel: attempt.channel.clone(), operation: "refund" });
        };
        let left = left_of(payment, attempt)?;
        if request.amount > left.minor() {
            return Err(PaymentError::RefundTooLarge { left });
        }
        let now = self.now();
        let id = RefundId::make(now, self.ports().rng.as_ref());
        let limit = request_limit(entry, &catalog.timing);
        let waits = request.needs_approval();
        Ok(Refund {
            id,
            app: payment.app.clone(),
            payment: payment.id,
            attempt: attempt.id,
            refund_no: Some(request.refund_no.clone()),
            origin: RefundOrigin::Merchant,
            channel: attempt.channel.clone(),
            number: if waits { id.to_string() } else { entry.channel.refund_number(id, now) },
            amount: Money::new(request.amount, left.currency()),
            reason: request.reason.clone(),
            state: if waits { OutflowState::Queued } else { OutflowState::Sending },
            fence: 1,
            action_url: None,
            failure: None,
            reference: None,
            fingerprint: request.fingerprint(payment.id),
            created_at: now,
            sent_at: (!waits).then_some(now),
            ended_at: None,
            check_at: (!waits).then(|| now.plus(limit).plus(ORPHAN_MARGIN)),
            checks: 0,
            front: request.front.clone(),
        })
    }

    /// Stores a new refund. After an unconfirmed commit it is new all the same if it can be read.
    async fn open_refund(&self, refund: Refund) -> Result<RefundOpened, StoreError> {
        let id = refund.id;
        crate::crash_point!("refund.before_open" => return Err(StoreError::Unavailable("crash point".into())));
        match self.store().open_refund(refund).await {
            Err(StoreError::Unconfirmed(why)) => match self.store().refund(id).await? {
                Some(_) => Ok(RefundOpened::New),
                None => Err(StoreError::Unconfirmed(why)),
            },
            answer => answer,
        }
    }

    /// The store had no room: others were faster.
    async fn why_too_large(&self, payment: &Payment) -> Result<PaymentError, PaymentError> {
        let payment = self.reload(payment.id).await?;
        Ok(match refundable_attempt(&payment).and_then(|attempt| left_of(&payment, attempt)) {
            Ok(left) => PaymentError::RefundTooLarge { left },
            Err(no) => no,
        })
    }

    /// The refund number is taken: the stored refund if the request is the same, waited for if it is
    /// just being sent.
    async fn repeat_refund(
        &self,
        catalog: &Catalog,
        stored: Refund,
        payment: PaymentId,
        request: &NewRefund,
        started: Mono,
    ) -> Result<RefundAnswer, PaymentError> {
        let is_same = stored.fingerprint == request.fingerprint(payment)
            && stored.needs_approval() == request.needs_approval();
        if !is_same {
            return Err(PaymentError::RefundMismatch(request.refund_no.to_string()));
        }
        let until = started.plus(catalog.timing.answer);
        let mut refund = stored;
        while refund.state == OutflowState::Sending {
            if self.clock().mono() >= until {
                return Err(PaymentError::InFlight);
            }
            self.clock().sleep(REPEAT_LOOK).await;
            refund = self.reload_refund(refund.id).await?;
        }
        Ok(RefundAnswer { refund, is_new: false })
    }

    /// Sends in a task of its own and waits for it as long as an answer may take.
    async fn send_refund_within(
        &self,
        catalog: Arc<Catalog>,
        to_send: ToSend,
        started: Mono,
    ) -> Result<Refund, PaymentError> {
        let id = to_send.refund.id;
        let left = started.plus(catalog.timing.answer).left(self.clock().mono());
        let this = self.clone();
        let task = self.spawn(async move { this.send_refund(&catalog, to_send).await });
        match within(self.clock(), left, task).await {
            Some(Some(Some(refund))) => Ok(refund),
            Some(_) | None => self.reload_refund(id).await,
        }
    }

    /// Makes the one call for a refund that is stored as `sending`, and stores what became of it.
    /// `None` where the store did not take that: a worker finds it.
    pub(super) async fn send_refund(&self, catalog: &Catalog, to_send: ToSend) -> Option<Refund> {
        let ToSend { payment, refund, begun } = to_send;
        let (Some(entry), Some(attempt)) =
            (catalog.channel(&refund.channel), payment.attempt(refund.attempt))
        else {
            let news = News::not_sent("its channel or its attempt is gone");
            return self.keep_refund_outcome(refund, &news, begun.plus(ORPHAN_MARGIN)).await;
        };
        let limit = request_limit(entry, &catalog.timing);
        let until = begun.plus(limit).plus(ORPHAN_MARGIN);
        // Half of the time, at the least, is the call's.
        if let Some(why) = self.why_not_sent(catalog, &refund, begun.plus(limit / 2)).await {
            return self.keep_refund_outcome(refund, &News::not_sent(&why), until).await;
        }
        let order = refund_order(catalog, &payment, attempt, &refund);
        let cx = self.cx(begun, limit);
        crate::crash_point!("refund.before_call");
        let answer = self.called(catalog, entry, None, &cx, entry.channel.refund(&cx, &order)).await;
        crate::crash_point!("refund.after_call");
        metrics::counter!("paymux_refunds_total", "channel" => entry.id.to_string(), "outcome" => answer_label(&answer))
            .increment(1);
        self.keep_refund_outcome(refund, &News::of_call(answer), until).await
    }

    /// A refund of this app.
    pub async fn find_refund(&self, app: &AppId, id: RefundId) -> Result<Refund, PaymentError> {
        check_scope(&self.catalog(), app, Scope::Refunds)?;
        let refund = self.store().refund(id).await?;
        refund.filter(|refund| refund.app == *app).ok_or(PaymentError::NotFound("refund"))
    }

    /// The refund of that number in this app.
    pub async fn find_refund_by_no(&self, app: &AppId, no: &RefundNo) -> Result<Refund, PaymentError> {
        check_scope(&self.catalog(), app, Scope::Refunds)?;
        self.store().refund_by_no(app, no).await?.ok_or(PaymentError::NotFound("refund"))
    }

    /// Refunds of a payment of this app, oldest first: `limit` at the most, after the one that `after`
    /// names, which must be one of them.
    pub async fn refunds(
        &self,
        app: &AppId,
        payment: PaymentId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, PaymentError> {
        check_scope(&self.catalog(), app, Scope::Refunds)?;
        let payment = self.find(app, payment).await?;
        if let Some(after) = after {
            let last = self.store().refund(after).await?;
            last.filter(|last| last.payment == payment.id)
                .ok_or_else(|| InvalidField::new("cursor", "names no refund of this payment"))?;
        }
        Ok(self.store().refunds_of(payment.id, after, limit).await?)
    }

    /// Asks the provider now what became of a refund, also of one that has failed: money that went back
    /// all the same is booked.
    pub async fn sync_refund(&self, app: AppId, id: RefundId) -> Result<Refund, PaymentError> {
        let this = self.clone();
        self.run(async move { this.sync_refund_now(&app, id).await }).await
    }

    async fn sync_refund_now(&self, app: &AppId, id: RefundId) -> Result<Refund, PaymentError> {
        let refund = self.find_refund(app, id).await?;
        if !refund.state.may_be_asked_about() || !refund.was_taken() {
            return Ok(refund);
        }
        let payment = self.reload(refund.payment).await?;
        match self.ask_refund(&self.catalog(), &payment, &refund).await {
            Some(news) => Ok(self.learn_refund(refund, &news).await?.now),
            None if refund.state.is_over() => Ok(refund),
            None => Err(PaymentError::Unsupported { channel: refund.channel, operation: "query_refund" }),
        }
    }

    /// What the provider says of a refund; `None` where it cannot be asked.
    pub(super) async fn ask_refund(
        &self,
        catalog: &Catalog,
        payment: &Payment,
        refund: &Refund,
    ) -> Option<News> {
        let entry = able(catalog, &refund.channel, Can::QUERY_REFUND)?;
        let order = refund_order(catalog, payment, payment.attempt(refund.attempt)?, refund);
        let cx = self.cx(self.clock().mono(), request_limit(entry, &catalog.timing));
        crate::crash_point!("refund_query.before_call");
        let answer = self
            .called(catalog, entry, catalog.health.slow, &cx, entry.channel.query_refund(&cx, &order))
            .await;
        crate::crash_point!("refund_query.after_call");
        if let Err(error) = &answer {
            tracing::info!(refund = %refund.id, channel = %entry.id, %error, "a query was not answered");
        }
        Some(News::of_query(answer))
    }
}

/// The attempt whose money a merchant can send back: the one that made the payment's success, unless a
/// close may have sent it back or still may: no clock says that it cannot, only a look at the money.
fn refundable_attempt(payment: &Payment) -> Result<&Attempt, PaymentError> {
    let paid = payment.attempts.iter().find(|a| a.state == AttemptState::Paid);
    if paid.is_some_and(|attempt| attempt.crossing().is_some()) {
        let why = "a close of its order may have sent the money back, and its provider is being asked about \
            that; try again later";
        return Err(PaymentError::NotRefundable(why.to_owned()));
    }
    if paid.is_some_and(|attempt| attempt.contested > 0) {
        let why = "its money may have gone back already, and a person looks into that";
        return Err(PaymentError::NotRefundable(why.to_owned()));
    }
    paid.ok_or_else(|| {
        let why = match payment.held {
            Some(held) => format!("it is {}, and what came in waits for a person: {held}", payment.status),
            None => format!("it is {}, not paid", payment.status),
        };
        PaymentError::NotRefundable(why)
    })
}

/// What of an attempt's money can still go back. A request names an amount in the payment's currency.
fn left_of(payment: &Payment, attempt: &Attempt) -> Result<Money, PaymentError> {
    let left = attempt.refundable().filter(|left| left.currency() == payment.amount.currency());
    let why = "what came in is not in the payment's currency; an operator sends it back";
    left.ok_or_else(|| PaymentError::NotRefundable(why.to_owned()))
}

fn refund_order(catalog: &Catalog, payment: &Payment, attempt: &Attempt, refund: &Refund) -> RefundOrder {
    RefundOrder {
        number: refund.number.clone(),
        order: order_ref(payment, attempt),
        trade_no: attempt.trade_no.clone(),
        received: attempt.received.unwrap_or(payment.amount),
        amount: refund.amount,
        reason: refund.reason.clone(),
        reference: refund.reference.clone(),
        notify_url: catalog.notify_url(&refund.channel),
        created_at: refund.created_at,
    }
}
