//! Refunds: money that goes back from one attempt of a payment.
//!
//! What happens to one is in [`crate::outflow`]; the use cases are in [`crate::payments`].

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ids::{AppId, AttemptId, ChannelId, PaymentId, RefundId, RefundNo};
use crate::money::{AMOUNT_MAX, Money};
use crate::outflow::OutflowState;
use crate::payment::request::{InvalidField, hex, one_line};
use crate::payment::{Failure, FrontNote};
use crate::words::words;

/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 127;

words! {
    /// Who wanted a refund.
    RefundOrigin {
        /// The merchant. Counts in the payment's `amount_refunded`.
        Merchant = "merchant",
        /// The rule about money that came twice.
        Duplicate = "duplicate",
        /// An operator, for money that is not the payment's success.
        Operator = "operator",
        /// A close that sent the payment's success back, by an operator's word: it is done when it is
        /// written. Counts in the payment's `amount_refunded`.
        Reversal = "reversal",
    }
}

/// One refund, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refund {
    /// Ours.
    pub id: RefundId,
    /// Whose it is.
    pub app: AppId,
    /// The payment.
    pub payment: PaymentId,
    /// The attempt whose money goes back.
    pub attempt: AttemptId,
    /// The merchant's number; `None` where the merchant did not ask.
    pub refund_no: Option<RefundNo>,
    /// Who wanted it.
    pub origin: RefundOrigin,
    /// The account.
    pub channel: ChannelId,
    /// Its number at the provider, fixed for ever once a sender has it. While it is queued its own id
    /// stands here, which no provider has heard of.
    pub number: String,
    /// How much goes back.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: OutflowState,
    /// Rises with every owner, as an attempt's.
    pub fence: i64,
    /// What a person must open.
    pub action_url: Option<String>,
    /// How it failed, or why its outcome is not known.
    pub failure: Option<Failure>,
    /// The provider's record id.
    pub reference: Option<String>,
    /// A digest of the request that made it; empty where nobody asked.
    pub fingerprint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its sender took it; `None` while it is queued, and where it never went through its provider.
    pub sent_at: Option<Timestamp>,
    /// When its end was booked.
    pub ended_at: Option<Timestamp>,
    /// When a worker must look at it next.
    pub check_at: Option<Timestamp>,
    /// How often a worker has looked.
    pub checks: i32,
    /// What is remembered of it where a client of a front asked for it.
    pub front: Option<Box<FrontNote>>,
}

impl Refund {
    /// Whether a sender has taken it. Before that no provider can know its number.
    pub fn was_taken(&self) -> bool {
        self.number != self.id.to_string()
    }

    /// From when on its money can have left; `None` where no sender has taken it.
    pub fn could_leave_from(&self) -> Option<Timestamp> {
        self.was_taken().then(|| self.sent_at.unwrap_or(self.created_at))
    }

    /// Whether its client asked for it with the word that it approves it later.
    pub fn needs_approval(&self) -> bool {
        self.front.as_ref().is_some_and(|note| note.needs_approval)
    }

    /// Whether that approval is still to come: until then no worker looks at it.
    pub fn awaits_approval(&self) -> bool {
        self.needs_approval() && self.state == OutflowState::Queued && self.check_at.is_none()
    }
}

/// A request for a refund, as it is written in JSON.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// The merchant's number: 1 to 64 letters, digits, `-` or `_`, unique in the app for ever.
    pub refund_no: String,
    /// Minor units of the payment's currency, more than zero.
    pub amount: i64,
    /// Why, in one line of at most 127 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request for a refund in which every field is true.
#[derive(Debug, Clone)]
pub struct NewRefund {
    /// The merchant's number.
    pub refund_no: RefundNo,
    /// Minor units of the payment's currency.
    pub amount: i64,
    /// Why; may be empty.
    pub reason: String,
    /// What is remembered of it where a client of a front asks for it.
    pub front: Option<Box<FrontNote>>,
}

impl NewRefund {
    /// Checks every field; the first that breaks its rule is the answer.
    pub fn check(request: &RefundRequest) -> Result<Self, InvalidField> {
        let refund_no =
            RefundNo::new(&request.refund_no).map_err(|e| InvalidField::new("refund_no", e.rule))?;
        if !(1..=AMOUNT_MAX).contains(&request.amount) {
            let rule = format!("write minor units from 1 to {AMOUNT_MAX}, like 1999 for 19.99 CNY");
            return Err(InvalidField::new("amount", rule));
        }
        let reason = request.reason.as_deref().map(|text| one_line("reason", text, REASON_CHARS_MAX));
        let reason = reason.transpose()?.unwrap_or_default();
        Ok(Self { refund_no, amount: request.amount, reason, front: None })
    }

    /// Whether its client is to approve it before it is sent.
    pub fn needs_approval(&self) -> bool {
        self.front.as_ref().is_some_and(|note| note.needs_approval)
    }

    /// A digest by which a repeat is known: the same number with another one is another request.
    pub fn fingerprint(&self, payment: PaymentId) -> String {
        let fields = serde_json::json!([payment, self.refund_no, self.amount, self.reason]);
        hex(&Sha256::digest(fields.to_string()))
    }
}

/// A client's reason as one line, cut where paymux keeps no more.
pub(crate) fn reason_of(text: &str) -> String {
    let line = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "rows write their patch in place")]

    use serde_json::json;

    use super::*;

    fn request(patch: serde_json::Value) -> RefundRequest {
        let mut body = json!({"refund_no": "R1", "amount": 500});
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn takes_a_plain_request() {
        let refund = NewRefund::check(&request(json!({}))).unwrap();
        assert_eq!((refund.refund_no.as_str(), refund.amount, refund.reason.as_str()), ("R1", 500, ""));
        let refund = NewRefund::check(&request(json!({"amount": AMOUNT_MAX, "reason": " 太甜 "}))).unwrap();
        assert_eq!((refund.amount, refund.reason.as_str()), (AMOUNT_MAX, "太甜"));
    }

    #[test]
    fn names_the_field_that_breaks_its_rule() {
        check(json!({"refund_no": ""}), "refund_no");
        check(json!({"refund_no": "退款"}), "refund_no");
        check(json!({"refund_no": "R".repeat(65)}), "refund_no");
        check(json!({"amount": 0}), "amount");
        check(json!({"amount": -1}), "amount");
        check(json!({"amount": AMOUNT_MAX + 1}), "amount");
        check(json!({"reason": ""}), "reason");
        check(json!({"reason": "a\nb"}), "reason");
        check(json!({"reason": "茶".repeat(REASON_CHARS_MAX + 1)}), "reason");

        #[track_caller]
        fn check(patch: serde_json::Value, param: &str) {
            let error = NewRefund::check(&request(patch.clone())).unwrap_err();
            assert_eq!(error.param, param, "{patch}: {error}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let body = json!({"refund_no": "R1", "amount": 500, "currency": "CNY"});
        assert!(serde_json::from_value::<RefundRequest>(body).is_err());
    }

    #[test]
    fn every_field_and_the_payment_count_in_the_fingerprint() {
        let of = |patch, payment: &str| {
            NewRefund::check(&request(patch)).unwrap().fingerprint(payment.parse().unwrap())
        };
        let (one, other) = ("pay_00000000000000000000000000000001", "pay_00000000000000000000000000000002");
        let base = of(json!({}), one);
        assert_eq!((base.as_str(), base.len()), (of(json!({}), one).as_str(), 64));
        assert_ne!(base, of(json!({}), other));
        for patch in [json!({"refund_no": "R2"}), json!({"amount": 501}), json!({"reason": "tea"})] {
            assert_ne!(base, of(patch.clone(), one), "{patch}");
        }
    }
}
