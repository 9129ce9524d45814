//! Money that a client of a front wants sent back, at once or once it has approved that.

use futures_util::stream::{self, StreamExt};

use crate::acceptor::{FrontAnswer, FrontApproval, FrontApproved, FrontApproving, FrontRefund, FrontRefusal};
use crate::clock::within;
use crate::error::PaymentError;
use crate::ids::{AppId, RefundNo};
use crate::money::AMOUNT_MAX;
use crate::outflow::OutflowState;
use crate::payment::request::{InvalidField, notify_url};
use crate::payment::{FrontNote, Payment, Status};
use crate::payments::{Approval, Payments};
use crate::refund::{NewRefund, Refund, reason_of};

use super::{Call, refund_of};

/// How many refunds of one approval are under way at once.
const APPROVED_AT_ONCE: usize = 8;

impl Payments {
    pub(super) async fn refund_in_front(
        &self,
        call: &Call<'_>,
        asked: &FrontRefund,
    ) -> Result<FrontAnswer, PaymentError> {
        let Some(payment) = self.payment_in_front(call, &asked.order).await? else {
            return Ok(FrontAnswer::Refused(FrontRefusal::NoSuchOrder));
        };
        let request = self.new_refund_in_front(call, &payment, asked)?;
        match Box::pin(self.refund(call.app.clone(), payment.id, request)).await {
            Ok(answer) => match answer.refund.state {
                OutflowState::Queued if answer.refund.awaits_approval() => {
                    let record = refund_of(&answer.refund, &payment, call.acceptor);
                    Ok(FrontAnswer::Refund(Some(Box::new(record))))
                }
                // It may be done yet: the client asks.
                OutflowState::Queued | OutflowState::Sending | OutflowState::Unknown => {
                    Ok(FrontAnswer::InDoubt)
                }
                OutflowState::Pending
                | OutflowState::NeedsAction
                | OutflowState::Succeeded
                | OutflowState::Failed => {
                    let payment = self.reload(payment.id).await?;
                    let record = refund_of(&answer.refund, &payment, call.acceptor);
                    Ok(FrontAnswer::Refund(Some(Box::new(record))))
                }
            },
            Err(PaymentError::NotRefundable(why)) => match payment.status {
                // Whether there is money to send back, nobody knows yet.
                Status::Processing => Ok(FrontAnswer::InDoubt),
                Status::Succeeded => Err(PaymentError::NotRefundable(why)),
                Status::Pending | Status::Failed | Status::Canceled | Status::Expired => {
                    Ok(FrontAnswer::Refused(FrontRefusal::OrderUnpaid))
                }
            },
            Err(error) => Err(error),
        }
    }

    fn new_refund_in_front(
        &self,
        call: &Call<'_>,
        payment: &Payment,
        asked: &FrontRefund,
    ) -> Result<NewRefund, InvalidField> {
        let (currency, minor) = (payment.amount.currency(), asked.amount.minor());
        if asked.amount.currency() != currency {
            return Err(InvalidField::new("amount", format!("the order is in {}", currency.code())));
        }
        if !(1..=AMOUNT_MAX).contains(&minor) {
            return Err(InvalidField::new("amount", format!("write minor units from 1 to {AMOUNT_MAX}")));
        }
        let url = asked.notify_url.as_deref().map(notify_url).transpose()?;
        if let Some(url) = &url {
            self.check_notice_address(call.catalog, &call.app, url)?;
        }
        let note = FrontNote {
            notify_url: url.map(|url| url.as_str().to_owned()),
            needs_approval: asked.approval == FrontApproval::Needed,
            ..FrontNote::new(call.acceptor.slug(), &call.read.memo, &asked.echo)
        };
        Ok(NewRefund {
            refund_no: RefundNo::given(&asked.number).map_err(|e| InvalidField::new("refund_no", e.rule))?,
            amount: minor,
            reason: reason_of(&asked.reason),
            front: Some(Box::new(note)),
        })
    }

    /// Each by itself: one that does not wait any more keeps no other back. A few at a time, since each that goes is a
    /// call of a provider.
    pub(super) async fn approve_in_front(
        &self,
        call: &Call<'_>,
        asked: &FrontApproving,
    ) -> Result<FrontAnswer, PaymentError> {
        let (this, app, asked) = (self.clone(), call.app.clone(), asked.clone());
        let all = async move {
            let each =
                asked.refunds.into_iter().map(|id| this.approve_one(app.clone(), id, asked.approval.clone()));
            stream::iter(each).buffered(APPROVED_AT_ONCE).collect().await
        };
        match within(self.clock(), call.catalog.timing.answer, self.spawn(all)).await {
            Some(Some(each)) => Ok(FrontAnswer::Approved(each)),
            Some(None) | None => Ok(FrontAnswer::InDoubt),
        }
    }

    async fn approve_one(&self, app: AppId, id: String, approval: Approval) -> FrontApproved {
        let refund = match id.parse() {
            Ok(known) => Box::pin(self.approve_refund(app, known, approval.clone())).await,
            Err(_) => Err(PaymentError::NotFound("refund")),
        };
        FrontApproved { id, outcome: approved(refund, &approval) }
    }

    pub(super) async fn query_refund_in_front(
        &self,
        call: &Call<'_>,
        number: &str,
    ) -> Result<FrontAnswer, PaymentError> {
        let Ok(number) = RefundNo::given(number) else { return Ok(FrontAnswer::Refund(None)) };
        let Some(refund) = self.store().refund_by_no(&call.app, &number).await? else {
            return Ok(FrontAnswer::Refund(None));
        };
        let payment = self.reload(refund.payment).await?;
        Ok(FrontAnswer::Refund(Some(Box::new(refund_of(&refund, &payment, call.acceptor)))))
    }
}

/// What became of one of several; `refund` as it was found.
fn approved(refund: Result<Refund, PaymentError>, approval: &Approval) -> Result<Option<String>, String> {
    match refund {
        Ok(refund) if refund.state == OutflowState::Failed && *approval == Approval::Agreed => {
            Err(refund.failure.map_or_else(|| "the refund failed".to_owned(), |failure| failure.message))
        }
        Ok(refund) => Ok(refund.action_url),
        Err(PaymentError::NotFound(_)) => Err("no such refund".to_owned()),
        Err(PaymentError::NotRefundable(why)) => Err(why),
        Err(error) => {
            tracing::warn!(%error, "a client is told to approve a refund again");
            Err("it could not be decided just now: send it again".to_owned())
        }
    }
}
