//! Payments, attempts, changes, events and callbacks for tests: plausible where nobody asks, and
//! every field open to be set.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use paymux_core::Rng;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{
    AppId, AttemptId, AuditId, CallbackId, ChannelId, EventId, OrderNo, PaymentId, PostingId,
    ProviderOrderNo, RefundId, RefundNo, RouteName, TransferId, TransferNo,
};
use paymux_core::method::{Method, Product, Wallet};
use paymux_core::money::{Currency, Money};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{Attempt, AttemptState, Capacity, Origin, Payment, Status};
use paymux_core::posting::{Account, Cause, Posting, PostingKind};
use paymux_core::refund::{Refund, RefundOrigin};
use paymux_core::store::{
    AuditRow, CallbackRow, CallbackVerdict, Change, Event, EventKind, KeptDecision, Opening, PaymentFilter,
    RefundWrite, Subject, Touched, TransferChange,
};
use paymux_core::transfer::Transfer;
use paymux_core::wire::{Verb, WireRequest};

use crate::rng::SeededRng;

/// When the first thing is made: 2024-03-01 00:00 UTC. Each further one is a millisecond later.
pub const START_MS: i64 = 1_709_251_200_000;

/// Makes things with fresh ids. The same seed makes the same ones.
#[derive(Debug)]
pub struct Fixtures {
    rng: SeededRng,
    clock: AtomicI64,
}

impl Fixtures {
    /// A maker whose ids follow from that seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: SeededRng::new(seed), clock: AtomicI64::new(START_MS) }
    }

    /// A moment after all those before.
    pub fn tick(&self) -> Timestamp {
        Timestamp::from_ms(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    /// The moment that comes next, without taking it.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.clock.load(Ordering::Relaxed))
    }

    /// An id for anything that is made by `make`, such as `PaymentId::make`.
    pub fn id<T>(&self, make: impl FnOnce(Timestamp, &dyn Rng) -> T) -> T {
        make(self.tick(), &self.rng)
    }

    /// A payment of 19.99 CNY with one attempt that is being sent.
    pub fn payment(&self, app: &str, order_no: &str) -> Payment {
        let id = self.id(PaymentId::make);
        let created_at = self.now();
        Payment {
            id,
            app: app_id(app),
            order_no: order(order_no),
            status: Status::Processing,
            amount: Money::fen(1999),
            amount_received: Money::zero(Currency::CNY),
            amount_discount: Money::zero(Currency::CNY),
            amount_refunded: Money::zero(Currency::CNY),
            method: Method::new(Wallet::Wechat, Product::Native),
            subject: "tea".to_owned(),
            livemode: false,
            held: None,
            next_action: None,
            created_at,
            expires_at: Timestamp::from_ms(created_at.ms() + 1_800_000),
            paid_at: None,
            failure: None,
            metadata: BTreeMap::new(),
            return_url: None,
            notify_url: None,
            route: route("default"),
            fingerprint: format!("fingerprint of {order_no}"),
            version: 1,
            events: 0,
            cancel_requested: false,
            front: None,
            origin: Origin::Created,
            attempts: vec![self.attempt("main")],
        }
    }

    /// An attempt on that channel that is being sent, due in 20 seconds.
    pub fn attempt(&self, on: &str) -> Attempt {
        let id = self.id(AttemptId::make);
        let created_at = self.now();
        Attempt {
            id,
            channel: channel(on),
            provider: "scripted".to_owned(),
            number: id.order_number(),
            state: AttemptState::Sending,
            fence: 1,
            memo: String::new(),
            reference: None,
            trade_no: None,
            received: None,
            more: vec![],
            refunding: 0,
            refunded: 0,
            failure: None,
            created_at,
            ends_at: Timestamp::from_ms(created_at.ms() + 1_800_000),
            check_at: Some(Timestamp::from_ms(created_at.ms() + 20_000)),
            checks: 0,
            closing_until: None,
            contested: 0,
            said_paid_at: None,
            capacity: Capacity::default(),
        }
    }

    /// A payment as it is first stored.
    pub fn opening(&self, app: &str, order_no: &str) -> Opening {
        opening_of(self.payment(app, order_no))
    }

    /// The next event of a payment, for `https://shop.example/hook`.
    pub fn event(&self, payment: &Payment, kind: EventKind) -> Event {
        let id = self.id(EventId::make);
        Event {
            id,
            app: payment.app.clone(),
            subject: Subject::Payment(payment.id),
            kind,
            sequence: payment.events + 1,
            created_at: self.now(),
            body: format!("{{\"type\":\"{kind}\"}}"),
            url: Some("https://shop.example/hook".to_owned()),
        }
    }

    /// A merchant's refund of the first attempt's money that waits to be sent, due at once.
    pub fn refund(&self, payment: &Payment, refund_no: &str, minor: i64) -> Refund {
        let id = self.id(RefundId::make);
        let attempt = &payment.attempts[0];
        Refund {
            id,
            app: payment.app.clone(),
            payment: payment.id,
            attempt: attempt.id,
            refund_no: Some(refund(refund_no)),
            origin: RefundOrigin::Merchant,
            channel: attempt.channel.clone(),
            number: id.digits(),
            amount: Money::new(minor, payment.amount.currency()),
            reason: "too cold".to_owned(),
            state: OutflowState::Queued,
            fence: 0,
            action_url: None,
            failure: None,
            reference: None,
            fingerprint: format!("fingerprint of {refund_no}"),
            created_at: self.now(),
            sent_at: None,
            ended_at: None,
            check_at: Some(self.now()),
            checks: 0,
            front: None,
        }
    }

    /// A transfer of that many fen on channel `main` that waits to be sent, due at once.
    pub fn transfer(&self, app: &str, transfer_no: &str, minor: i64) -> Transfer {
        let id = self.id(TransferId::make);
        Transfer {
            id,
            app: app_id(app),
            transfer_no: transfer(transfer_no),
            channel: channel("main"),
            provider: "scripted".to_owned(),
            number: id.digits(),
            amount: Money::fen(minor),
            product: "bank_card".to_owned(),
            payee_masked: BTreeMap::from([("card".to_owned(), "****6789".to_owned())]),
            reason: "wages".to_owned(),
            livemode: false,
            state: OutflowState::Queued,
            fence: 0,
            action_url: None,
            failure: None,
            reference: None,
            fingerprint: format!("fingerprint of {transfer_no}"),
            events: 0,
            created_at: self.now(),
            ended_at: None,
            check_at: Some(self.now()),
            checks: 0,
            front: None,
        }
    }

    /// The next event of a transfer, for `https://shop.example/hook`.
    pub fn transfer_event(&self, transfer: &Transfer, kind: EventKind) -> Event {
        let id = self.id(EventId::make);
        Event {
            id,
            app: transfer.app.clone(),
            subject: Subject::Transfer(transfer.id),
            kind,
            sequence: transfer.events + 1,
            created_at: self.now(),
            body: format!("{{\"type\":\"{kind}\"}}"),
            url: Some("https://shop.example/hook".to_owned()),
        }
    }

    /// Seven fen that came in on channel `main` for `shop`.
    pub fn posting(&self, cause: Cause) -> Posting {
        let id = self.id(PostingId::make);
        Posting {
            id,
            at: self.now(),
            kind: PostingKind::Received,
            debit: Account::Channel(channel("main")),
            credit: Account::App(app_id("shop")),
            amount: Money::fen(7),
            cause,
        }
    }

    /// A line that says that an operator did something.
    pub fn audit(&self, action: &str) -> AuditRow {
        let id = self.id(AuditId::make);
        AuditRow {
            id,
            at: self.now(),
            operator: "root".to_owned(),
            action: action.to_owned(),
            target: "something".to_owned(),
            before: serde_json::json!({ "state": "unknown" }),
            after: serde_json::json!({ "state": "paid" }),
            note: "the bank said so".to_owned(),
            request_id: "req_1".to_owned(),
        }
    }

    /// A callback with that verdict on channel `main`, of no payment.
    pub fn callback(&self, verdict: CallbackVerdict) -> CallbackRow {
        let id = self.id(CallbackId::make);
        CallbackRow {
            id,
            channel: channel("main"),
            received_at: self.now(),
            request: WireRequest::new(Verb::Post, "/notify/main").body("application/json", "{\"paid\":true}"),
            verdict,
            event_key: None,
            payment: None,
            detail: None,
            times: 1,
        }
    }

    /// A callback with that event key, for the change that it causes.
    pub fn applied(&self, payment: &Payment, event_key: &str) -> CallbackRow {
        CallbackRow {
            event_key: Some(event_key.to_owned()),
            payment: Some(payment.id),
            ..self.callback(CallbackVerdict::Applied)
        }
    }
}

/// The opening of a payment that has one attempt.
pub fn opening_of(payment: Payment) -> Opening {
    let decision = KeptDecision::Told(serde_json::json!({ "route": "default", "picked": "main" }));
    Opening::new(payment, decision, vec![])
}

/// A change of what was seen that changes nothing but the version: a start for real ones.
pub fn change_of(seen: &Payment) -> Change {
    let mut payment = seen.clone();
    payment.version += 1;
    Change {
        payment,
        seen_version: seen.version,
        touched: vec![],
        added: None,
        refund: None,
        postings: vec![],
        incomes: vec![],
        capacity: vec![],
        events: vec![],
        callback: None,
        audit: None,
    }
}

/// Adds to a change that `edit` is done to one attempt, as it was seen.
pub fn edit_attempt(change: &mut Change, place: usize, edit: impl FnOnce(&mut Attempt)) {
    let attempt = &mut change.payment.attempts[place];
    change.touched.push(Touched { id: attempt.id, seen_state: attempt.state, seen_fence: attempt.fence });
    edit(attempt);
}

/// Adds a new attempt to a change.
pub fn add_attempt(change: &mut Change, attempt: Attempt) {
    let decision = KeptDecision::Told(serde_json::json!({ "picked": attempt.channel.as_str() }));
    change.added = Some((attempt.id, decision));
    change.payment.attempts.push(attempt);
}

/// Adds an event to a change, and counts it.
pub fn add_event(change: &mut Change, event: Event) {
    change.payment.events += 1;
    change.events.push(event);
}

/// The first attempt took all the money: the payment succeeded.
pub fn paid(fixtures: &Fixtures, seen: &Payment) -> Change {
    let mut change = change_of(seen);
    edit_attempt(&mut change, 0, |attempt| {
        attempt.state = AttemptState::Paid;
        attempt.received = Some(Money::fen(1999));
        attempt.trade_no = Some("4200001".to_owned());
        attempt.check_at = None;
    });
    change.payment.status = Status::Succeeded;
    change.payment.amount_received = seen.amount;
    change.payment.paid_at = Some(fixtures.now());
    let event = fixtures.event(&change.payment, EventKind::PaymentSucceeded);
    add_event(&mut change, event);
    change
}

/// A change of what was seen that does this to a refund, and nothing else.
pub fn refund_change(seen: &Payment, write: RefundWrite) -> Change {
    Change { refund: Some(write), ..change_of(seen) }
}

/// The refund as it was seen moves on to that state.
pub fn step_to(seen: &Refund, state: OutflowState) -> RefundWrite {
    let refund = Refund { state, ..seen.clone() };
    RefundWrite::Step { refund, seen_state: seen.state, seen_fence: seen.fence }
}

/// The transfer as it was seen moves on to that state, and nothing else.
pub fn transfer_to(seen: &Transfer, state: OutflowState) -> TransferChange {
    TransferChange {
        transfer: Transfer { state, ..seen.clone() },
        seen_state: seen.state,
        seen_fence: seen.fence,
        postings: vec![],
        events: vec![],
        callback: None,
        audit: None,
    }
}

/// Adds an event to a change of a transfer, and counts it.
pub fn add_transfer_event(change: &mut TransferChange, event: Event) {
    change.transfer.events += 1;
    change.events.push(event);
}

/// All payments of an app.
pub fn all_of(app: &str) -> PaymentFilter {
    PaymentFilter {
        app: app_id(app),
        order_no: None,
        status: None,
        from: None,
        to: None,
        after: None,
        limit: 1000,
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $make:ident -> $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        ///
        /// # Panics
        /// When the text breaks the name's rule.
        pub fn $make(text: &str) -> $name {
            $name::new(text).unwrap()
        }
    )+ };
}

names! {
    /// An app's id.
    app_id -> AppId,
    /// A channel's id.
    channel -> ChannelId,
    /// A merchant's order number.
    order -> OrderNo,
    /// A merchant's number of a refund.
    refund -> RefundNo,
    /// A merchant's number of a transfer.
    transfer -> TransferNo,
    /// A provider's order number.
    number -> ProviderOrderNo,
    /// A route's name.
    route -> RouteName,
}
