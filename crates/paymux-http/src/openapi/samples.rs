//! What examples show: one payment, its refund, and what else there is, written by the code that writes answers. An
//! example can therefore not differ from an answer. Ids and names are made up.

use std::collections::BTreeMap;

use paymux_core::catalog::Scope;
use paymux_core::ids::{AttemptId, ChannelId, ProviderOrderNo, RefundNo, RouteName};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::request::InvalidField;
use paymux_core::payment::{Attempt, AttemptState, Capacity, NextAction, Origin, Payment, Status};
use paymux_core::refund::{Refund, RefundOrigin};
use paymux_core::router::{Candidate, Decision, NoChannel, Removal, Seed};
use paymux_core::store::{DeliveryState, Event, EventKind, ListedEvent, Subject};
use paymux_core::transfer::Transfer;
use paymux_core::view::{PaymentView, Told, notice_body};
use paymux_core::{Currency, Method, Money, PaymentError, Product, Timestamp, Wallet};
use serde_json::{Value, json};

use super::schema::{Described, Field, Object, foreign, moment, words, written};
use crate::problem::{Problem, Refusal};

/// When everything in the examples begins.
pub(crate) const BEGAN: Timestamp = Timestamp::from_ms(1_790_000_000_000);
/// The payment of the examples.
pub(crate) const PAYMENT: &str = "pay_019968d0c4f87c0da1b2c3d4e5f60718";
/// Its attempt.
pub(crate) const ATTEMPT: &str = "att_019968d0c5007a1b8c2d3e4f50617283";
/// Its refund.
pub(crate) const REFUND: &str = "rfd_019968d1b0c07e1f92a3b4c5d6e7f809";
/// A transfer.
pub(crate) const TRANSFER: &str = "trf_019968d2aa107b2ea3b4c5d6e7f8091a";
/// What the app was told of the payment.
pub(crate) const EVENT: &str = "evt_019968d1c3507d3cb4c5d6e7f8091a2b";
/// What the provider sent of it.
pub(crate) const CALLBACK: &str = "cbk_019968d1c2a8712fa5b6c7d8e9f00112";
/// What an operator said of its attempt.
pub(crate) const AUDIT: &str = "aud_019968d3bb2079a1b6c7d8e9f0011223";
/// The request in whose answer a problem stands.
pub(crate) const REQUEST: &str = "req_019968d3bb2079a1b6c7d8e9f0011223";
/// Where the examples' paymux is.
const PUBLIC: &str = "https://pay.example";

/// So many seconds after it all began.
pub(crate) const fn after(seconds: i64) -> Timestamp {
    Timestamp::from_ms(BEGAN.ms() + 1000 * seconds)
}

/// A payment that waits for its payer.
pub(crate) fn payment() -> Option<Payment> {
    Some(Payment {
        id: PAYMENT.parse().ok()?,
        origin: Origin::Created,
        app: "shop".parse().ok()?,
        order_no: "A1001".parse().ok()?,
        status: Status::Pending,
        amount: Money::fen(1999),
        amount_received: Money::fen(0),
        amount_discount: Money::fen(0),
        amount_refunded: Money::fen(0),
        method: Method::new(Wallet::Wechat, Product::Native),
        subject: "Tea".to_owned(),
        livemode: true,
        held: None,
        next_action: Some(NextAction::Qr { qr: "weixin://wxpay/bizpayurl?pr=example".to_owned() }),
        created_at: BEGAN,
        expires_at: after(1800),
        paid_at: None,
        failure: None,
        metadata: BTreeMap::from([("basket".to_owned(), "7".to_owned())]),
        return_url: None,
        notify_url: None,
        route: RouteName::new("default").ok()?,
        fingerprint: String::new(),
        version: 2,
        events: 0,
        cancel_requested: false,
        front: None,
        attempts: vec![attempt()?],
    })
}

fn attempt() -> Option<Attempt> {
    let id: AttemptId = ATTEMPT.parse().ok()?;
    Some(Attempt {
        id,
        channel: channel()?,
        provider: "beecloud".to_owned(),
        number: ProviderOrderNo::new(id.digits()).ok()?,
        state: AttemptState::Open,
        fence: 1,
        memo: String::new(),
        reference: None,
        trade_no: None,
        received: None,
        more: Vec::new(),
        refunding: 0,
        refunded: 0,
        failure: None,
        created_at: BEGAN,
        ends_at: after(1800),
        check_at: None,
        checks: 0,
        closing_until: None,
        contested: 0,
        said_paid_at: None,
        capacity: Capacity::default(),
    })
}

/// The same payment with its money.
fn paid() -> Option<Payment> {
    let mut payment = payment()?;
    payment.status = Status::Succeeded;
    payment.amount_received = payment.amount;
    payment.next_action = None;
    payment.paid_at = Some(after(42));
    payment.attempts = vec![Attempt {
        state: AttemptState::Paid,
        trade_no: Some("4200001234202609210000000001".to_owned()),
        received: Some(payment.amount),
        ..attempt()?
    }];
    Some(payment)
}

/// Where its payer pays.
pub(crate) fn cashier() -> String {
    format!("{PUBLIC}/pay/{PAYMENT}")
}

/// The channel of the examples.
pub(crate) fn channel() -> Option<ChannelId> {
    ChannelId::new("bee-main").ok()
}

/// A refund that is done.
pub(crate) fn refund() -> Option<Refund> {
    Some(Refund {
        id: REFUND.parse().ok()?,
        app: "shop".parse().ok()?,
        payment: PAYMENT.parse().ok()?,
        attempt: ATTEMPT.parse().ok()?,
        refund_no: Some(RefundNo::new("R1001").ok()?),
        origin: RefundOrigin::Merchant,
        channel: channel()?,
        number: "20260921019968d1b0c07e1f92a3b4c5".to_owned(),
        amount: Money::fen(500),
        reason: "A cup was broken".to_owned(),
        state: OutflowState::Succeeded,
        fence: 1,
        action_url: None,
        failure: None,
        reference: None,
        fingerprint: String::new(),
        created_at: after(3600),
        sent_at: Some(after(3600)),
        ended_at: Some(after(3601)),
        check_at: None,
        checks: 0,
        front: None,
    })
}

/// A transfer that is under way.
pub(crate) fn transfer() -> Option<Transfer> {
    Some(Transfer {
        id: TRANSFER.parse().ok()?,
        front: None,
        app: "shop".parse().ok()?,
        transfer_no: "T1001".parse().ok()?,
        channel: channel()?,
        provider: "beecloud".to_owned(),
        number: "019968d2aa107b2ea3b4c5d6e7f8091a".to_owned(),
        amount: Money::fen(500),
        product: "bank_card".to_owned(),
        payee_masked: BTreeMap::from([
            ("card_no".to_owned(), "****0123".to_owned()),
            ("name".to_owned(), "****".to_owned()),
        ]),
        reason: "Commission of September".to_owned(),
        livemode: true,
        state: OutflowState::Pending,
        fence: 1,
        action_url: None,
        failure: None,
        reference: None,
        fingerprint: String::new(),
        events: 0,
        created_at: after(7200),
        ended_at: None,
        check_at: None,
        checks: 0,
    })
}

/// The record of the choice that the payment was made by.
pub(crate) fn decision() -> Option<Decision> {
    let candidate = |channel: &str, removed_by: Option<Removal>| {
        Some(Candidate {
            channel: ChannelId::new(channel).ok()?,
            eligible: removed_by.is_none(),
            removed_by,
            weight: Some(1),
            fee_bp: Some(60),
            collected_today: None,
            last_completed: None,
            success_ppm: None,
        })
    };
    Some(Decision {
        route: Some(RouteName::new("default").ok()?),
        strategy: Some("random".into()),
        seed: Seed::new(7),
        turn: None,
        sticks_to: None,
        probe_percent: None,
        picked: Some(channel()?),
        candidates: vec![candidate("bee-main", None)?, candidate("night", Some(removal()))?],
    })
}

fn removal() -> Removal {
    Removal { rule: "hours", detail: "20:00 is outside 22:00-06:00".to_owned(), temporary: false }
}

/// What the app was told once the payment had its money.
pub(crate) fn event() -> Option<ListedEvent> {
    Some(ListedEvent {
        event: Event {
            id: EVENT.parse().ok()?,
            app: "shop".parse().ok()?,
            subject: Subject::Payment(PAYMENT.parse().ok()?),
            kind: EventKind::PaymentSucceeded,
            sequence: 1,
            created_at: after(42),
            body: notice()?,
            url: None,
        },
        state: Some(DeliveryState::Delivered),
        tries: 1,
        detail: None,
    })
}

/// The body of its notice.
fn notice() -> Option<String> {
    let payment = paid()?;
    let told = Told { sequence: 1, late: false, previous_status: Status::Pending.word() };
    Some(notice_body(EventKind::PaymentSucceeded, after(42), PaymentView::of(&payment), told))
}

/// What an app's address gets.
pub(super) struct Notice;

impl Described for Notice {
    fn object() -> Object {
        Object::of::<Self>(
            "Notice",
            "What your app is told.",
            vec![
                Field::new("type", words(EventKind::ALL, EventKind::word), "What has happened."),
                Field::new("timestamp", moment(), "When."),
                Field::new(
                    "data",
                    foreign(),
                    "The payment, refund or transfer after it, with `sequence` (counts the events of one payment or \
                     transfer), `late` (it had ended before) and `previous_status`.",
                ),
            ],
        )
    }

    fn sample() -> Option<Value> {
        serde_json::from_str(&notice()?).ok()
    }
}

/// A problem of each kind, made as it is made for a request.
pub(crate) fn problem(refusal: Refusal) -> Option<Value> {
    written(&made(refusal)?.view(REQUEST))
}

fn made(refusal: Refusal) -> Option<Problem> {
    let nobody = |temporary| {
        let removed = vec![(ChannelId::new("night").ok()?, Removal { temporary, ..removal() })];
        Some(Problem::from(PaymentError::NoChannel(NoChannel { route: None, removed })))
    };
    let error = match refusal {
        Refusal::InvalidRequest => {
            return Some(Problem::invalid_field(InvalidField::new(
                "payer.ip",
                "write an IPv4 or IPv6 address",
            )));
        }
        Refusal::Unauthorized => {
            return Some(Problem::unauthorized("send `authorization: Bearer <key>`", "Bearer"));
        }
        Refusal::MethodNotAllowed => return Some(Problem::method_not_allowed()),
        Refusal::RequestTimeout => return Some(Problem::body_too_slow()),
        Refusal::NotPayable => return Some(Problem::not_payable("the order is paid already")),
        Refusal::BodyTooLarge => return Some(Problem::body_too_large(crate::limits::BODY_BYTES)),
        Refusal::NotReloaded => {
            let mistake =
                "paymux.toml:12: `routes.0.channels`: no channel is called `bee-mian`; known: bee-main";
            return Some(Problem::not_reloaded(vec![mistake.to_owned()]));
        }
        // Of what is logged when it happens, the words alone.
        Refusal::Internal => return Some(Problem::internal()),
        Refusal::Overloaded => {
            return Some(Problem::overloaded(
                "the ledger does not answer just now; send the same request again",
            ));
        }
        Refusal::NoChannel => return nobody(false),
        Refusal::NoChannelNow => return nobody(true),
        Refusal::Forbidden => PaymentError::Forbidden(Scope::Refunds),
        Refusal::NotFound => PaymentError::NotFound("payment"),
        Refusal::AlreadyPaid => PaymentError::AlreadyPaid,
        Refusal::InFlight => PaymentError::InFlight,
        Refusal::NotCancelable => PaymentError::NotCancelable("it has failed".to_owned()),
        Refusal::NotAdopted => PaymentError::NotAdopted("its provider shows it as refunded"),
        Refusal::NotRefundable => PaymentError::NotRefundable("it is not paid".to_owned()),
        Refusal::NotResolvable => PaymentError::NotResolvable("the money is booked already".to_owned()),
        Refusal::ChannelNeeded => {
            let why = "it takes new payments; set it to `draining` first".to_owned();
            PaymentError::ChannelNeeded { channel: channel()?, why }
        }
        Refusal::OrderMismatch => PaymentError::OrderMismatch("A1001".to_owned()),
        Refusal::RefundMismatch => PaymentError::RefundMismatch("R1001".to_owned()),
        Refusal::TransferMismatch => PaymentError::TransferMismatch("T1001".to_owned()),
        Refusal::KeyMismatch => PaymentError::KeyMismatch,
        Refusal::RefundTooLarge => PaymentError::RefundTooLarge { left: Money::new(1499, Currency::CNY) },
        Refusal::TransferTooLarge => {
            PaymentError::TransferTooLarge { max_minor: 500_000, per: "a day".to_owned() }
        }
        Refusal::Unsupported => PaymentError::Unsupported { channel: channel()?, operation: "cancel" },
    };
    Some(error.into())
}

/// A request for a payment.
pub(crate) fn payment_request() -> Value {
    json!({
        "order_no": "A1001", "amount": 1999, "currency": "CNY", "method": "wechat.native", "subject": "Tea",
        "metadata": {"basket": "7"},
    })
}

/// A request for a refund of it.
pub(crate) fn refund_request() -> Value {
    json!({"refund_no": "R1001", "amount": 500, "reason": "A cup was broken"})
}

/// A request for a transfer.
pub(crate) fn transfer_request() -> Value {
    json!({
        "transfer_no": "T1001", "amount": 500, "currency": "CNY", "product": "bank_card",
        "payee": {"card_no": "6222020200010120123", "name": "Li Lei"}, "channel": "bee-main",
        "reason": "Commission of September",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_problem_of_every_kind_and_it_is_of_that_kind() {
        for refusal in Refusal::ALL {
            let (row, problem) = (refusal.row(), problem(*refusal).unwrap());
            assert_eq!(problem["code"], row.code, "{problem}");
            assert_eq!(problem["status"], row.status.as_u16(), "{problem}");
        }
    }

    #[test]
    fn examples_are_whole() {
        assert!(payment().is_some() && paid().is_some() && refund().is_some() && transfer().is_some());
        assert!(decision().is_some() && event().is_some() && Notice::sample().is_some());
    }
}
