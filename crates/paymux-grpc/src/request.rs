//! From messages to the core's requests: the same types that a body over HTTP is read into, to be checked by the same
//! code. Nothing is judged here but what only protobuf can get wrong.

use paymux_core::page::{self, PageSize};
use paymux_core::payment::request::{InvalidField, PayerRequest};
use paymux_core::payment::{PaymentRequest, Status};
use paymux_core::refund::RefundRequest;
use paymux_core::store::PaymentFilter;
use paymux_core::transfer::TransferRequest;
use paymux_core::{AppId, OrderNo, PaymentError, PaymentId, RefundId, Timestamp, TransferId};

use crate::{json, v1};

/// A request for a payment, as it is written.
pub(crate) fn payment(message: v1::CreatePaymentRequest) -> Result<PaymentRequest, InvalidField> {
    let v1::CreatePaymentRequest {
        order_no,
        amount,
        currency,
        method,
        subject,
        expires_in,
        return_url,
        notify_url,
        payer,
        metadata,
        channel,
        extra,
    } = message;
    Ok(PaymentRequest {
        order_no,
        amount,
        currency,
        method,
        subject,
        expires_in,
        return_url,
        notify_url,
        payer: payer.map(|v1::Payer { ip, region, id, openid, auth_code }| PayerRequest {
            ip,
            region,
            id,
            openid,
            auth_code,
        }),
        metadata,
        channel,
        extra: json::fields("extra", extra)?,
    })
}

/// A request for a refund, as it is written, and of which payment.
pub(crate) fn refund(message: v1::CreateRefundRequest) -> (String, RefundRequest) {
    let v1::CreateRefundRequest { payment, refund_no, amount, reason } = message;
    (payment, RefundRequest { refund_no, amount, reason })
}

/// A request for a transfer, as it is written.
pub(crate) fn transfer(message: v1::CreateTransferRequest) -> Result<TransferRequest, InvalidField> {
    let v1::CreateTransferRequest { transfer_no, amount, currency, product, payee, channel, reason, extra } =
        message;
    let extra = json::fields("extra", extra)?;
    Ok(TransferRequest { transfer_no, amount, currency, product, payee, channel, reason, extra })
}

/// What a list is asked for, and how much of it is shown.
pub(crate) fn filter(
    app: AppId,
    message: &v1::ListPaymentsRequest,
) -> Result<(PaymentFilter, PageSize), InvalidField> {
    let size = message.limit.map(PageSize::new).transpose().map_err(|e| named("limit", &e))?;
    let size = size.unwrap_or_default();
    let order_no = message.order_no.as_deref().map(OrderNo::given).transpose();
    let after = message.cursor.as_deref().map(page::after).transpose();
    let filter = PaymentFilter {
        app,
        order_no: order_no.map_err(|e| InvalidField::new("order_no", e.rule))?,
        status: message.status.map(status).transpose()?,
        from: message.from.as_ref().map(|at| moment("from", at)).transpose()?,
        to: message.to.as_ref().map(|at| moment("to", at)).transpose()?,
        after: after.map_err(|e| named("cursor", &e))?,
        limit: size.to_read(),
    };
    Ok((filter, size))
}

fn named(param: &str, error: &dyn std::fmt::Display) -> InvalidField {
    InvalidField::new(param, error.to_string())
}

/// A number that is no status is refused: a client that knows more than we do must not think that we do as it says.
fn status(number: i32) -> Result<Status, InvalidField> {
    match v1::PaymentStatus::try_from(number) {
        Ok(v1::PaymentStatus::Processing) => Ok(Status::Processing),
        Ok(v1::PaymentStatus::Pending) => Ok(Status::Pending),
        Ok(v1::PaymentStatus::Succeeded) => Ok(Status::Succeeded),
        Ok(v1::PaymentStatus::Failed) => Ok(Status::Failed),
        Ok(v1::PaymentStatus::Canceled) => Ok(Status::Canceled),
        Ok(v1::PaymentStatus::Expired) => Ok(Status::Expired),
        Ok(v1::PaymentStatus::Unspecified) | Err(_) => {
            let known: Vec<_> =
                Status::ALL.iter().map(|s| format!("PAYMENT_STATUS_{}", s.word().to_uppercase())).collect();
            let rule = format!("`{number}` is no status; leave it out, or send one of: {}", known.join(", "));
            Err(InvalidField::new("status", rule))
        }
    }
}

/// Part of a millisecond counts as a whole one: what is asked for from then on is not there before.
fn moment(param: &str, at: &prost_types::Timestamp) -> Result<Timestamp, InvalidField> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let ms = nanos
        .and_then(|nanos| at.seconds.checked_mul(1000)?.checked_add(i64::from(nanos.div_ceil(1_000_000))));
    let rule = "is no moment: write seconds since 1970 that fit, and 0 to 999999999 nanos";
    ms.map(Timestamp::from_ms).ok_or_else(|| InvalidField::new(param, rule))
}

/// An id of another form is an id that nobody has.
pub(crate) fn payment_id(text: &str) -> Result<PaymentId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("payment"))
}

/// The same of a refund.
pub(crate) fn refund_id(text: &str) -> Result<RefundId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("refund"))
}

/// The same of a transfer.
pub(crate) fn transfer_id(text: &str) -> Result<TransferId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("transfer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> AppId {
        AppId::new("shop").unwrap()
    }

    #[test]
    fn a_list_is_asked_for_as_over_http() {
        let (all, size) = filter(app(), &v1::ListPaymentsRequest::default()).unwrap();
        assert_eq!((all.limit, size), (21, PageSize::default()));
        assert!(all.status.is_none() && all.order_no.is_none() && all.from.is_none());
        let asked = v1::ListPaymentsRequest {
            order_no: Some("A1".to_owned()),
            status: Some(v1::PaymentStatus::Expired.into()),
            from: Some(prost_types::Timestamp { seconds: 1, nanos: 1 }),
            limit: Some(7),
            ..Default::default()
        };
        let (some, _) = filter(app(), &asked).unwrap();
        assert_eq!(
            (some.limit, some.status, some.from),
            (8, Some(Status::Expired), Some(Timestamp::from_ms(1001)))
        );
    }

    #[test]
    fn what_only_a_message_can_get_wrong_is_refused_by_its_name() {
        let time = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
        let asked = v1::ListPaymentsRequest::default;
        check(v1::ListPaymentsRequest { status: Some(0), ..asked() }, "status");
        check(v1::ListPaymentsRequest { status: Some(7), ..asked() }, "status");
        check(v1::ListPaymentsRequest { status: Some(-1), ..asked() }, "status");
        check(v1::ListPaymentsRequest { from: time(i64::MAX, 0), ..asked() }, "from");
        check(v1::ListPaymentsRequest { to: time(0, -1), ..asked() }, "to");
        check(v1::ListPaymentsRequest { to: time(0, 1_000_000_000), ..asked() }, "to");
        check(v1::ListPaymentsRequest { limit: Some(0), ..asked() }, "limit");
        check(v1::ListPaymentsRequest { limit: Some(101), ..asked() }, "limit");
        check(v1::ListPaymentsRequest { cursor: Some(String::new()), ..asked() }, "cursor");
        check(v1::ListPaymentsRequest { order_no: Some(String::new()), ..asked() }, "order_no");

        #[track_caller]
        fn check(message: v1::ListPaymentsRequest, param: &str) {
            assert_eq!(filter(app(), &message).unwrap_err().param, param, "{message:?}");
        }
    }

    #[test]
    fn what_is_absent_is_not_what_is_empty() {
        let absent = payment(v1::CreatePaymentRequest::default()).unwrap();
        assert!(absent.return_url.is_none() && absent.expires_in.is_none() && absent.payer.is_none());
        let empty = payment(v1::CreatePaymentRequest {
            return_url: Some(String::new()),
            expires_in: Some(0),
            payer: Some(v1::Payer { ip: Some(String::new()), ..Default::default() }),
            ..Default::default()
        });
        let empty = empty.unwrap();
        assert_eq!((empty.return_url.as_deref(), empty.expires_in), (Some(""), Some(0)));
        assert_eq!(empty.payer.unwrap().ip.as_deref(), Some(""));
    }
}
