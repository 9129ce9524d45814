//! The core itself, driven at random over a ledger: payments, callbacks, queries, refunds, transfers,
//! notices and operators, with providers that do every wrong thing. The seed replays a run.

mod rare;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::catalog::{
    App, Catalog, ChannelEntry, DuplicatePaid, FailoverUnknown, Late, LateSuccess, Route, Scope, Strategy,
    When,
};
use paymux_core::channel::{
    Blame, CallbackError, Can, CancelAnswer, Channel, ChannelError, Claim, ClaimKind, Created, Cx,
    Descriptor, Order, OrderRef, OutflowAnswer, QueryAnswer, Receipt, RefundOrder, TransferOrder,
    TransferRef, Verdict,
};
use paymux_core::clock::Mono;
use paymux_core::ids::{AppId, ChannelId, PaymentId, RefundId, RouteName, TransferId};
use paymux_core::payment::PaymentRequest;
use paymux_core::payments::Ports;
use paymux_core::payments::desk::{Operator, Outcome, Resolution};
use paymux_core::refund::RefundRequest;
use paymux_core::store::Redelivery;
use paymux_core::transfer::TransferRequest;
use paymux_core::transport::Undelivered;
use paymux_core::wire::{Endpoint, PlainHttp, WireRequest, WireResponse};
use paymux_core::{
    Attempt, CatalogHandle, Clock, Currency, Money, NewPayment, NewRefund, NewTransfer, Payment,
    PaymentError, Payments, Secret, Store, Timestamp,
};
use paymux_testkit::channel::{Outgo, UNSIGNED, UNSIGNED_NUMBER, callback, outgo_callback};
use paymux_testkit::{Script, ScriptedChannel, ScriptedTransport, SeededRng};
use serde_json::json;

/// 2024-03-01 00:00:00 UTC.
const START_MS: i64 = 1_709_251_200_000;
const APPS: [&str; 2] = ["shop", "market"];
const CHANNELS: [&str; 2] = ["a", "b"];
/// What every payment asks, in fen.
const ASKED: i64 = 1999;
const METHODS: [&str; 4] = ["wechat.native", "wechat.barcode", "alipay.web", "alipay.wap"];

/// Time that passes only when it is told to, beside databases that work in real time.
#[derive(Debug)]
struct HandClock(AtomicI64);

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(START_MS + self.0.load(Ordering::Relaxed))
    }

    fn mono(&self) -> Mono {
        Mono(Duration::from_millis(self.0.load(Ordering::Relaxed).unsigned_abs()))
    }

    /// Who steps aside for a moment is let on at once; a limit is never reached.
    async fn sleep(&self, span: Duration) {
        if span < Duration::from_secs(1) {
            tokio::task::yield_now().await;
        } else {
            std::future::pending::<()>().await;
        }
    }
}

/// A provider whose next answers are told by number, so that none is given to another order.
struct Provider {
    scripted: ScriptedChannel,
    /// What the next create does.
    create: Mutex<Option<Script>>,
    queries: Mutex<BTreeMap<String, Result<QueryAnswer, ChannelError>>>,
    cancels: Mutex<BTreeMap<String, CancelAnswer>>,
}

impl Provider {
    fn new(account: &str) -> Self {
        let out = Can::REFUND | Can::QUERY_REFUND | Can::TRANSFER | Can::QUERY_TRANSFER;
        Self {
            scripted: ScriptedChannel::new(account).that_can(Can::QUERY | Can::CANCEL | out),
            create: Mutex::default(),
            queries: Mutex::default(),
            cancels: Mutex::default(),
        }
    }
}

#[async_trait]
impl Channel for Provider {
    fn descriptor(&self) -> &Descriptor {
        self.scripted.descriptor()
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        if let Some(script) = self.create.lock().unwrap().take() {
            self.scripted.on_create(script);
        }
        self.scripted.create(cx, order).await
    }

    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let told = self.queries.lock().unwrap().remove(order.number.as_str());
        match told {
            Some(answer) => answer,
            None => self.scripted.query(cx, order).await,
        }
    }

    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        let told = self.cancels.lock().unwrap().remove(order.number.as_str());
        match told {
            Some(answer) => Ok(answer),
            None => self.scripted.cancel(cx, order).await,
        }
    }

    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.scripted.refund(cx, refund).await
    }

    async fn query_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.scripted.query_refund(cx, refund).await
    }

    async fn transfer(&self, cx: &Cx<'_>, transfer: &TransferOrder) -> Result<OutflowAnswer, ChannelError> {
        self.scripted.transfer(cx, transfer).await
    }

    async fn query_transfer(
        &self,
        cx: &Cx<'_>,
        transfer: &TransferRef,
    ) -> Result<OutflowAnswer, ChannelError> {
        self.scripted.query_transfer(cx, transfer).await
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        self.scripted.verify_callback(request)
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        self.scripted.acknowledge(verdict)
    }
}

pub(super) struct Drive {
    payments: Payments,
    clock: Arc<HandClock>,
    rng: fastrand::Rng,
    channels: [Arc<Provider>; 2],
    transport: Arc<ScriptedTransport>,
    known: Vec<(AppId, PaymentId)>,
    refunds: Vec<RefundId>,
    transfers: Vec<TransferId>,
    serial: u32,
}

fn app(id: &str) -> AppId {
    AppId::new(id).unwrap()
}

fn channel(id: &str) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, PlainHttp::LoopbackOnly).unwrap()
}

/// One app that takes late money and gives duplicates back, and one that looks at both itself.
fn apps() -> Vec<App> {
    let scopes = vec![Scope::Payments, Scope::Refunds, Scope::Transfers];
    let mut shop = App::new(app("shop"), &[Secret::new("shop-key")]);
    shop.notify_url = Some(endpoint("https://shop.example/hook"));
    shop.duplicate_paid = DuplicatePaid::Refund;
    shop.late_success = LateSuccess { expired: Late::Accept, canceled: Late::Accept };
    let mut market = App::new(app("market"), &[Secret::new("market-key")]);
    market.late_success = LateSuccess { expired: Late::Hold, canceled: Late::Hold };
    for app in [&mut shop, &mut market] {
        app.scopes.clone_from(&scopes);
        app.transfer_amount_max = Some(1_000_000);
    }
    vec![shop, market]
}

impl Drive {
    pub(super) fn over(store: Arc<dyn Store>, seed: u64) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(0)));
        let transport = Arc::new(ScriptedTransport::new());
        let channels = CHANNELS.map(|id| Arc::new(Provider::new(id)));
        let entry = |place: usize| ChannelEntry::new(channel(CHANNELS[place]), channels[place].clone());
        let route = Route {
            name: RouteName::new("default").unwrap(),
            when: When::default(),
            strategy: Strategy::Random,
            channels: vec![0, 1],
            failover: 1,
            failover_unknown: FailoverUnknown::Abandon,
        };
        let catalog =
            Catalog::new(apps(), vec![entry(0), entry(1)], vec![route], endpoint("https://pay.example"));
        let ports = Ports {
            store,
            transport: transport.clone(),
            clock: clock.clone(),
            rng: Arc::new(SeededRng::new(seed)),
        };
        Self {
            payments: Payments::new(ports, CatalogHandle::new(catalog)),
            clock,
            rng: fastrand::Rng::with_seed(seed),
            channels,
            transport,
            known: vec![],
            refunds: vec![],
            transfers: vec![],
            serial: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, span: Duration) {
        self.clock.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// That many random steps.
    pub(super) async fn steps(&mut self, count: u32) {
        for _ in 0..count {
            let span = Duration::from_millis(self.rng.u64(1..2000));
            self.pass(span);
            match self.rng.u32(..100) {
                0..22 => self.create().await,
                22..44 => self.pay().await,
                44..50 => self.sync().await,
                50..54 => self.cancel().await,
                54..66 => self.refund().await,
                66..71 => self.outgo_word().await,
                71..76 => self.transfer().await,
                76..84 => self.operator().await,
                84..93 => self.sweep().await,
                93..98 => self.deliver().await,
                _ => self.redeliver().await,
            }
        }
    }

    /// Works on all that is due, so that nothing waits for a worker.
    pub(super) async fn settle(&mut self) {
        while self.payments.sweep().await.unwrap() > 0 {}
        while self.payments.deliver().await.unwrap() > 0 {}
    }

    fn name(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what}{}", self.serial)
    }

    async fn create(&mut self) {
        let script = match self.rng.u32(..12) {
            0..6 => Script::Open,
            6 | 7 => Script::Paid(self.sum()),
            8 => Script::Refuse(Blame::Account),
            9 => Script::NotSent,
            10 => Script::Lose,
            _ => Script::Lie,
        };
        for channel in &self.channels {
            *channel.create.lock().unwrap() = Some(script.clone());
        }
        let method = METHODS[self.rng.usize(..4)];
        let mut body = json!({"order_no": self.name("A"), "amount": ASKED, "currency": "CNY", "method": method,
            "subject": "Tea", "expires_in": 1800});
        if method == "wechat.barcode" {
            body["payer"] = json!({"auth_code": "134567890123456789"});
        }
        let request: PaymentRequest = serde_json::from_value(body).unwrap();
        let app = app(APPS[self.rng.usize(..2)]);
        let created = self.payments.create(app.clone(), NewPayment::check(&request).unwrap()).await;
        if let Some(created) = may_fail(created) {
            self.known.push((app, created.payment.id));
        }
    }

    /// A sum that comes in: mostly what was asked.
    fn sum(&mut self) -> Money {
        match self.rng.u32(..10) {
            0 | 1 => Money::fen(self.rng.i64(1..ASKED)),
            2 => Money::fen(ASKED + self.rng.i64(1..500)),
            3 => Money::new(ASKED, Currency::from_code("JPY").unwrap()),
            _ => Money::fen(ASKED),
        }
    }

    fn trade_no(&mut self, number: &str) -> String {
        let which = if self.rng.u32(..4) == 0 { 2 } else { 1 };
        format!("T{which}-{number}")
    }

    /// Mostly one of the last.
    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let back = self.rng.usize(..of.len().clamp(1, 12));
        let place = if self.rng.u32(..4) > 0 { of.len().checked_sub(back + 1) } else { None };
        of.get(place.unwrap_or_else(|| self.rng.usize(..of.len().max(1)))).cloned()
    }

    async fn payment(&mut self) -> Option<Payment> {
        let known = std::mem::take(&mut self.known);
        let picked = self.pick(&known);
        self.known = known;
        let (app, id) = picked?;
        Some(self.payments.find(&app, id).await.unwrap())
    }

    async fn attempt(&mut self) -> Option<(Payment, Attempt)> {
        let payment = self.payment().await?;
        let attempt = self.rng.choice(&payment.attempts).cloned().unwrap();
        Some((payment, attempt))
    }

    /// What a provider knows the next time when it is asked.
    fn script_a_query(&mut self, number: &str) {
        let answer = match self.rng.u32(..8) {
            0 => Ok(QueryAnswer::Closed),
            1 => Ok(QueryAnswer::NotFound),
            2 => Err(ChannelError::unknown("no answer")),
            3..6 => {
                let trade_no = Some(self.trade_no(number)).filter(|_| self.rng.u32(..3) > 0);
                Ok(QueryAnswer::Paid(Receipt { trade_no, ..Receipt::of(self.sum()) }))
            }
            _ => Ok(QueryAnswer::Open),
        };
        for channel in &self.channels {
            channel.queries.lock().unwrap().insert(number.to_owned(), answer.clone());
        }
    }

    async fn pay(&mut self) {
        let Some((_, attempt)) = self.attempt().await else { return };
        let number = attempt.number.as_str();
        let trade_no = self.trade_no(number);
        let mut request = callback(number, self.sum(), &trade_no);
        match self.rng.u32(..10) {
            0 => UNSIGNED.clone_into(&mut request.path),
            1 => UNSIGNED_NUMBER.clone_into(&mut request.path),
            2 => request.body = "forged".into(),
            _ => {}
        }
        if self.rng.u32(..3) == 0 {
            self.script_a_query(number);
        }
        self.payments.take_callback(attempt.channel.clone(), request.clone()).await;
        if self.rng.u32(..5) == 0 {
            self.payments.take_callback(attempt.channel, request).await;
        }
    }

    async fn sync(&mut self) {
        let Some((payment, attempt)) = self.attempt().await else { return };
        self.script_a_query(attempt.number.as_str());
        may_fail(self.payments.sync(payment.app.clone(), payment.id).await);
    }

    async fn cancel(&mut self) {
        let Some(payment) = self.payment().await else { return };
        let app = payment.app.clone();
        let answer = match self.rng.u32(..4) {
            0 => CancelAnswer::Refused("not now".to_owned()),
            1 => CancelAnswer::Paid(Receipt::of(self.sum())),
            _ => CancelAnswer::Closed,
        };
        for (channel, attempt) in
            self.channels.iter().flat_map(|c| payment.attempts.iter().map(move |a| (c, a)))
        {
            channel.cancels.lock().unwrap().insert(attempt.number.to_string(), answer.clone());
        }
        may_fail(self.payments.cancel(app, payment.id).await);
    }

    fn script_an_outgo(&mut self) {
        let outgo = match self.rng.u32(..8) {
            0 | 1 => Outgo::Pending,
            2 => Outgo::NeedsAction,
            3 => Outgo::Refuse,
            4 => Outgo::NotSent,
            5 => Outgo::Lose,
            _ => Outgo::Done,
        };
        self.channels[self.rng.usize(..2)].scripted.on_outgo(outgo);
    }

    async fn refund(&mut self) {
        let Some(payment) = self.payment().await else { return };
        let app = payment.app.clone();
        self.script_an_outgo();
        let amount = if self.rng.bool() { self.rng.i64(1..2200) } else { ASKED };
        let request = RefundRequest { refund_no: self.name("R"), amount, reason: None };
        let refund = self.payments.refund(app, payment.id, NewRefund::check(&request).unwrap()).await;
        self.refunds.extend(may_fail(refund).map(|answer| answer.refund.id));
    }

    async fn transfer(&mut self) {
        self.script_an_outgo();
        let body = json!({"transfer_no": self.name("T"), "amount": self.rng.i64(1..5000), "currency": "CNY",
            "product": "bank_card", "payee": {"card_no": "6222020200012345678", "name": "Li"},
            "channel": CHANNELS[self.rng.usize(..2)]});
        let request: TransferRequest = serde_json::from_value(body).unwrap();
        let app = app(APPS[self.rng.usize(..2)]);
        let transfer = self.payments.transfer(app, NewTransfer::check(&request).unwrap()).await;
        self.transfers.extend(may_fail(transfer).map(|answer| answer.transfer.id));
    }

    /// A provider sends word of a refund or a transfer.
    async fn outgo_word(&mut self) {
        let place = self.rng.usize(..2);
        let (refunds, transfers) =
            (self.channels[place].scripted.refunds(), self.channels[place].scripted.transfers());
        let done = self.rng.u32(..3) > 0;
        let (kind, number, amount) = if self.rng.bool() {
            let Some(order) = self.pick(&refunds) else { return };
            (if done { ClaimKind::Refunded } else { ClaimKind::RefundFailed }, order.number, order.amount)
        } else {
            let Some(order) = self.pick(&transfers) else { return };
            let kind = if done { ClaimKind::Transferred } else { ClaimKind::TransferFailed };
            (kind, order.payout.number, order.payout.amount)
        };
        let amount = if self.rng.u32(..8) == 0 { Money::fen(1) } else { amount };
        self.payments.take_callback(channel(CHANNELS[place]), outgo_callback(kind, &number, amount)).await;
    }

    async fn operator(&mut self) {
        let by = Operator { id: "root".to_owned(), request_id: "req".to_owned() };
        let outcome = Outcome::ALL[self.rng.usize(..Outcome::ALL.len())];
        let word = |amount| Resolution { outcome, amount, provider_trade_no: None, note: "seen".to_owned() };
        match self.rng.u32(..4) {
            0 => {
                let refunds = std::mem::take(&mut self.refunds);
                if let Some(id) = self.pick(&refunds) {
                    may_fail(self.payments.resolve_refund(by, id, word(None)).await);
                }
                self.refunds = refunds;
            }
            1 => {
                let transfers = std::mem::take(&mut self.transfers);
                if let Some(id) = self.pick(&transfers) {
                    may_fail(self.payments.resolve_transfer(by, id, word(None)).await);
                }
                self.transfers = transfers;
            }
            _ => {
                let Some((payment, attempt)) = self.attempt().await else { return };
                let amount = (outcome == Outcome::Paid).then_some(payment.amount.minor());
                may_fail(self.payments.resolve_attempt(by, attempt.id, word(amount)).await);
            }
        }
    }

    async fn sweep(&mut self) {
        let spans = [1, 30, 600, 3600, 40_000];
        let span = Duration::from_secs(spans[self.rng.usize(..spans.len())]);
        self.pass(span);
        if let Some((_, attempt)) = self.attempt().await {
            self.script_a_query(attempt.number.as_str());
        }
        may_fail(self.payments.sweep().await);
    }

    async fn deliver(&mut self) {
        for _ in 0..self.rng.u32(..4) {
            self.transport.answer(match self.rng.u32(..6) {
                0 => Ok(WireResponse::with_status(500, "text/plain", "no")),
                1 => Ok(WireResponse::with_status(410, "text/plain", "gone")),
                2 => Err(Undelivered::NoAnswer(paymux_core::transport::NoAnswer::TimedOut)),
                _ => Ok(WireResponse::ok("text/plain", "")),
            });
        }
        may_fail(self.payments.deliver().await);
    }

    async fn redeliver(&mut self) {
        let which = Redelivery::Undelivered { from: Timestamp::from_ms(START_MS), to: self.now() };
        may_fail(self.payments.redeliver(&app("shop"), which).await);
    }
}

/// A no is an answer like any other; a broken invariant is not.
fn may_fail<T>(answer: Result<T, PaymentError>) -> Option<T> {
    match answer {
        Ok(value) => Some(value),
        Err(PaymentError::Internal(what)) => panic!("a broken invariant: {what}"),
        Err(_) => None,
    }
}
