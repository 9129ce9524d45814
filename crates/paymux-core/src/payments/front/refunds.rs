//! Money that a client of a front wants sent back.

use crate::acceptor::{FrontAnswer, FrontApproval, FrontRefund, FrontRefusal};
use crate::error::PaymentError;
use crate::ids::RefundNo;
use crate::money::AMOUNT_MAX;
use crate::outflow::OutflowState;
use crate::payment::request::{InvalidField, notify_url};
use crate::payment::{FrontNote, Payment, Status};
use crate::payments::Payments;
use crate::refund::{NewRefund, REASON_CHARS_MAX};

use super::{Call, refund_of};

impl Payments {
    pub(super) async fn refund_in_front(
        &self,
        call: &Call<'_>,
        asked: &FrontRefund,
    ) -> Result<FrontAnswer, PaymentError> {
        if asked.approval == FrontApproval::Needed {
            let why = "refunds that wait for an approval are not offered here";
            return Ok(FrontAnswer::Refused(FrontRefusal::Upstream(why.to_owned())));
        }
        let Some(payment) = self.payment_in_front(call, &asked.order).await? else {
            return Ok(FrontAnswer::Refused(FrontRefusal::NoSuchOrder));
        };
        let request = self.new_refund_in_front(call, &payment, asked)?;
        match Box::pin(self.refund(call.app.clone(), payment.id, request)).await {
            Ok(answer) => match answer.refund.state {
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
            ..FrontNote::new(call.acceptor.slug(), &call.read.memo, &asked.echo)
        };
        Ok(NewRefund {
            refund_no: RefundNo::given(&asked.number).map_err(|e| InvalidField::new("refund_no", e.rule))?,
            amount: minor,
            reason: reason(&asked.reason),
            front: Some(Box::new(note)),
        })
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

/// One line, cut where paymux keeps no more.
fn reason(text: &str) -> String {
    let line = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(REASON_CHARS_MAX).collect()
}
