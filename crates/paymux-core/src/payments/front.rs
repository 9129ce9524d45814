//! What a client of a front asks, turned into the use cases of the native API, and back.
//!
//! Nothing is decided anew: a payment is routed like any other, and while its outcome is open nobody is told that
//! there is none. Which words that is in, the acceptor knows. How payments look to it is in `facts`, lists are in
//! `lists`, refunds in `refunds`, payouts in `payouts`, orders of before in `inherited`, what is not routed in `native`;
//! where browsers go in the end is in `ways`.

mod facts;
mod inherited;
mod lists;
mod native;
mod payouts;
mod refunds;
mod ways;

use std::sync::Arc;
use std::time::Duration;

use crate::acceptor::{Acceptor, FrontAnswer, FrontCall, FrontPay, FrontRead, FrontRefusal, FrontSign};
use crate::catalog::{Catalog, Scope};
use crate::error::PaymentError;
use crate::fronts::Front;
use crate::ids::{AppId, OrderNo};
use crate::method::Product;
use crate::payment::request::{InvalidField, hex};
use crate::payment::{NewPayment, NextAction, Payment, Status};
use crate::router::{Ask, Router};
use crate::store::{Claim, Claimed, StoreError};
use crate::wire::{WireRequest, WireResponse};

use super::Payments;
use super::outflows::check_scope;

pub(crate) use facts::{order_of, payout_of, refund_of};

/// How long a sign is remembered that its protocol takes for ever.
const FOR_EVER: Duration = Duration::from_hours(100 * 366 * 24);
/// How much longer than its protocol takes it a sign is remembered: each of two clocks may be an hour wrong.
const CLOCKS_APART: Duration = Duration::from_hours(2);

/// One call of a client, with all that answers it.
struct Call<'a> {
    catalog: &'a Catalog,
    acceptor: &'a dyn Acceptor,
    app: AppId,
    read: &'a FrontRead,
}

impl Payments {
    /// Answers a client of that front in its protocol's words; `None` where that front is not served.
    ///
    /// Ends what it has begun also when nobody waits for it.
    pub async fn serve_front(&self, slug: &str, request: &WireRequest) -> Option<WireResponse> {
        let catalog = self.catalog();
        let front = catalog.fronts.of(slug).filter(|front| front.is_served())?;
        let acceptor = front.acceptor().clone();
        let read = match acceptor.read(front, request, self.now()) {
            Ok(read) => read,
            Err(answer) => return Some(answer),
        };
        let sign = acceptor.sign(&read, request);
        let answer = self.answer_call(catalog.clone(), acceptor.clone(), read.clone(), sign).await;
        let outcome = label(&answer);
        metrics::counter!("paymux_front_calls_total", "front" => acceptor.slug(), "outcome" => outcome)
            .increment(1);
        Some(acceptor.answer(&read, &answer, self.now()))
    }

    /// In a task of its own. Where that dies nobody knows what it has done.
    async fn answer_call(
        &self,
        catalog: Arc<Catalog>,
        acceptor: Arc<dyn Acceptor>,
        read: FrontRead,
        sign: Option<FrontSign>,
    ) -> FrontAnswer {
        let this = self.clone();
        let work = async move {
            let Ok(app) = AppId::new(&read.account.key) else { return FrontAnswer::InDoubt };
            let call = Call { catalog: &catalog, acceptor: acceptor.as_ref(), app, read: &read };
            match this.hold_sign(&call, sign).await {
                Ok(Claimed::New | Claimed::Same) => this.do_call(&call).await,
                Ok(Claimed::Other) => FrontAnswer::Refused(FrontRefusal::SignUsed),
                Err(error) => in_doubt(&call, &error.into()),
            }
        };
        self.spawn(work).await.unwrap_or(FrontAnswer::InDoubt)
    }

    /// Holds a sign to the first call that it came with.
    ///
    /// The claim is durable before anything of the call happens, and not a part of its transaction: a call may be of
    /// many, or of none that it writes itself. Nothing is lost by that. Whoever gets past the claim asks for the same,
    /// and numbers see to it that the same happens once; a crash in between leaves a sign that fits one call.
    async fn hold_sign(&self, call: &Call<'_>, sign: Option<FrontSign>) -> Result<Claimed, StoreError> {
        let Some(sign) = sign else { return Ok(Claimed::New) };
        let now = self.now();
        if sign.until.is_some_and(|until| until <= now) {
            return Ok(Claimed::Other);
        }
        let digest = self.digest_key().await?.digest("front", &sign.call);
        let until = sign.until.map_or_else(|| now.plus(FOR_EVER), |until| until.plus(CLOCKS_APART));
        let claim = Claim {
            scope: format!("front:{}:{}", call.acceptor.slug(), call.app),
            key: sign.key,
            digest: hex(&digest),
            at: now,
            until,
        };
        self.store().claim(claim).await
    }

    async fn do_call(&self, call: &Call<'_>) -> FrontAnswer {
        if let Err(error) = check_scope(call.catalog, &call.app, scope(&call.read.call)) {
            return refused(call, error);
        }
        let answer = match &call.read.call {
            FrontCall::Pay(pay) => self.pay_in_front(call, pay).await,
            FrontCall::Query { number } => self.order_in_front(call, number).await,
            FrontCall::List(filter) => self.list_in_front(call, filter).await,
            FrontCall::Count(filter) => self.count_in_front(call, filter).await,
            FrontCall::Cancel { number } => self.cancel_in_front(call, number).await,
            FrontCall::Refund(refund) => self.refund_in_front(call, refund).await,
            FrontCall::QueryRefund { number } => self.query_refund_in_front(call, number).await,
            FrontCall::ListRefunds(filter) => self.list_refunds_in_front(call, filter).await,
            FrontCall::CountRefunds(filter) => self.count_refunds_in_front(call, filter).await,
            FrontCall::Approve(asked) => self.approve_in_front(call, asked).await,
            FrontCall::PayOut(asked) => self.pay_out_in_front(call, asked).await,
            FrontCall::ListPayouts(filter) => self.list_payouts_in_front(call, filter).await,
            FrontCall::CountPayouts(filter) => self.count_payouts_in_front(call, filter).await,
            FrontCall::Native { channel, operation, fields } => {
                self.native_in_front(call, channel.as_deref(), operation, fields).await
            }
        };
        answer.unwrap_or_else(|error| refused(call, error))
    }

    async fn pay_in_front(&self, call: &Call<'_>, pay: &FrontPay) -> Result<FrontAnswer, PaymentError> {
        let slug = call.acceptor.slug();
        let mut request = NewPayment::of_front(slug, &call.read.memo, pay)?;
        self.keep_fitting_extra(call, &mut request);
        // Boxed, since it holds the request and the payment: who waits has no room for them all.
        let created = Box::pin(self.create(call.app.clone(), request)).await?;
        Ok(opened(call, &created.payment))
    }

    /// A client sends its protocol's fields, wherever the payment goes: those stay that some channel of its route
    /// takes.
    fn keep_fitting_extra(&self, call: &Call<'_>, request: &mut NewPayment) {
        let extra = std::mem::take(&mut request.extra);
        let router = Router::new(call.catalog);
        let ask = Ask::of(call.catalog, &call.app, request, self.now());
        request.extra = extra.into_iter().filter(|(name, _)| router.takes_extra(&ask, name)).collect();
    }

    async fn order_in_front(&self, call: &Call<'_>, number: &str) -> Result<FrontAnswer, PaymentError> {
        let payment = self.payment_in_front(call, number).await?;
        Ok(FrontAnswer::Order(payment.map(|payment| Box::new(order_of(&payment, call.acceptor)))))
    }

    /// Closing is what the client wants. That it was not closed is an answer; that nobody knows is none.
    async fn cancel_in_front(&self, call: &Call<'_>, number: &str) -> Result<FrontAnswer, PaymentError> {
        let Some(payment) = self.payment_in_front(call, number).await? else {
            return Ok(FrontAnswer::Order(None));
        };
        match Box::pin(self.cancel(call.app.clone(), payment.id)).await {
            Ok(_) => Ok(FrontAnswer::Canceled(true)),
            Err(
                PaymentError::AlreadyPaid | PaymentError::NotCancelable(_) | PaymentError::Unsupported { .. },
            ) => Ok(FrontAnswer::Canceled(false)),
            Err(error) => Err(error),
        }
    }

    /// The payment of that number, whoever asked for it: one namespace for all of an app's, with what the app made at a
    /// provider before.
    async fn payment_in_front(&self, call: &Call<'_>, number: &str) -> Result<Option<Payment>, PaymentError> {
        let Ok(number) = OrderNo::given(number) else { return Ok(None) };
        match self.store().payment_by_order(&call.app, &number).await? {
            Some(payment) => Ok(Some(payment)),
            None => Box::pin(self.inherited(call, &number)).await,
        }
    }
}

/// How a new or repeated order is answered.
fn opened(call: &Call<'_>, payment: &Payment) -> FrontAnswer {
    let id = payment.id.to_string();
    match payment.status {
        Status::Succeeded => FrontAnswer::Paid { id },
        Status::Processing => FrontAnswer::InDoubt,
        Status::Pending => FrontAnswer::Opened { id, action: action(call, payment) },
        Status::Failed => {
            let why = payment.failure.as_ref().map_or("refused", |failure| failure.message.as_str());
            FrontAnswer::Refused(FrontRefusal::Upstream(why.to_owned()))
        }
        // The number was another try's, and that has ended.
        Status::Canceled | Status::Expired => FrontAnswer::Refused(FrontRefusal::NumberTaken),
    }
}

/// Where a client wants a code and the provider has a page instead, ours leads there: its address can be a code.
fn action(call: &Call<'_>, payment: &Payment) -> Option<NextAction> {
    let is_code = payment.method.product == Product::Native;
    let is_page = matches!(payment.next_action, Some(NextAction::Html { .. }));
    if call.acceptor.wants_page() || (is_code && is_page) {
        return Some(NextAction::Redirect { url: call.catalog.cashier_url(payment.id) });
    }
    payment.next_action.clone()
}

const fn scope(call: &FrontCall) -> Scope {
    match call {
        FrontCall::Pay(_)
        | FrontCall::Query { .. }
        | FrontCall::List(_)
        | FrontCall::Count(_)
        | FrontCall::Cancel { .. }
        | FrontCall::Native { .. } => Scope::Payments,
        FrontCall::Refund(_)
        | FrontCall::QueryRefund { .. }
        | FrontCall::ListRefunds(_)
        | FrontCall::CountRefunds(_)
        | FrontCall::Approve(_) => Scope::Refunds,
        FrontCall::PayOut(_) | FrontCall::ListPayouts(_) | FrontCall::CountPayouts(_) => Scope::Transfers,
    }
}

/// A use case's no. What leaves it open whether something has happened is never a refusal.
fn refused(call: &Call<'_>, error: PaymentError) -> FrontAnswer {
    FrontAnswer::Refused(match error {
        PaymentError::Invalid(field) => field_refusal(field),
        PaymentError::OrderMismatch(_)
        | PaymentError::RefundMismatch(_)
        | PaymentError::TransferMismatch(_) => FrontRefusal::NumberTaken,
        PaymentError::TransferTooLarge { max_minor, per } => FrontRefusal::Field {
            name: "amount".to_owned(),
            rule: format!("at most {max_minor} minor units {per} may be paid out"),
        },
        PaymentError::NoChannel(_) | PaymentError::Unsupported { .. } | PaymentError::Forbidden(_) => {
            FrontRefusal::MethodUnavailable
        }
        PaymentError::NotFound(_) => FrontRefusal::NoSuchOrder,
        PaymentError::RefundTooLarge { .. } => FrontRefusal::RefundTooLarge,
        PaymentError::NotRefundable(why) | PaymentError::NotCancelable(why) => FrontRefusal::Upstream(why),
        error @ PaymentError::NotAdopted(_) => FrontRefusal::Upstream(error.to_string()),
        error @ (PaymentError::AlreadyPaid
        | PaymentError::InFlight
        | PaymentError::KeyMismatch
        | PaymentError::NotResolvable(_)
        | PaymentError::ChannelNeeded { .. }
        | PaymentError::Overloaded(_)
        | PaymentError::Internal(_)) => return in_doubt(call, &error),
    })
}

fn in_doubt(call: &Call<'_>, error: &PaymentError) -> FrontAnswer {
    if !matches!(error, PaymentError::InFlight) {
        tracing::warn!(front = call.acceptor.slug(), app = %call.app, %error, "a client is told to ask again");
    }
    FrontAnswer::InDoubt
}

/// The last word of its path: protocols know neither `payer` nor `extra`.
fn field_refusal(field: InvalidField) -> FrontRefusal {
    let name = field.param.rsplit('.').next().unwrap_or_default().to_owned();
    FrontRefusal::Field { name, rule: field.rule }
}

const fn label(answer: &FrontAnswer) -> &'static str {
    match answer {
        FrontAnswer::Refused(_) => "refused",
        FrontAnswer::InDoubt => "in_doubt",
        FrontAnswer::Opened { .. }
        | FrontAnswer::Paid { .. }
        | FrontAnswer::Order(_)
        | FrontAnswer::Orders(_)
        | FrontAnswer::Count(_)
        | FrontAnswer::Canceled(_)
        | FrontAnswer::Refund(_)
        | FrontAnswer::Refunds(_)
        | FrontAnswer::Approved(_)
        | FrontAnswer::Payouts(_)
        | FrontAnswer::PartlyPaidOut(_)
        | FrontAnswer::Native(_) => "answered",
    }
}

/// The front in which a payment is told, and the credentials of its app there.
pub(crate) fn front_of<'a>(catalog: &'a Catalog, payment: &Payment) -> Option<&'a Front> {
    catalog.fronts.of(&payment.front.as_ref()?.slug)
}
