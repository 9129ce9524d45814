//! One channel under test: its far side, its clock, the line between them, and the calls.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::acceptor::FrontOrder;
use paymux_core::channel::{
    Can, CancelAnswer, ListedOrder, ListedRefund, MethodSpec, OrderEnd, OutflowAnswer, PayoutSpec,
    QueryAnswer, RefundOrder, TransferOrder, TransferRef,
};
use paymux_core::clock::{Clock, Mono};
use paymux_core::ids::{RefundId, TransferId};
use paymux_core::provider::{ChannelSite, Settings};
use paymux_core::transport::{Deadline, Destination, NoAnswer, NotSent, Outgoing, Transport, Undelivered};
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Cx, Endpoint, Method, Money, Order, OrderRef, Payer,
    ProviderOrderNo, Secret, Timestamp, WireRequest, WireResponse,
};
use serde_json::{Value, json};

use super::subject::{FarSide, Gateway, Subject};
use crate::clock::{START, TestClock};
use crate::rng::SeededRng;

/// The order of each case. Letters and digits: what every provider takes.
pub(super) const NUMBER: &str = "PMX20240301000001";
/// Another one.
pub(super) const OTHER: &str = "PMX20240301000002";
/// What the order costs, where its method takes that, in minor units.
const AMOUNT: i64 = 1023;
/// How long a call may take, where the method needs no more.
const CALL: Duration = Duration::from_secs(15);
/// A call that takes longer than this has not ended.
const NEVER: Duration = Duration::from_hours(1);
/// How long the order lives.
pub(super) const LIFE: Duration = Duration::from_mins(30);

/// A call that goes to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Create,
    Query,
    Cancel,
    Refund,
    QueryRefund,
    Transfer,
    QueryTransfer,
    List,
    ListRefunds,
}

impl Op {
    pub(super) const ALL: [Self; 9] = [
        Self::Create,
        Self::Query,
        Self::Cancel,
        Self::Refund,
        Self::QueryRefund,
        Self::Transfer,
        Self::QueryTransfer,
        Self::List,
        Self::ListRefunds,
    ];

    /// What a provider must be able to do for it.
    pub(super) const fn needs(self) -> Can {
        match self {
            Self::Create => Can::nothing_more(),
            Self::Query => Can::QUERY,
            Self::Cancel => Can::CANCEL,
            Self::Refund => Can::REFUND,
            Self::QueryRefund => Can::QUERY_REFUND,
            Self::Transfer => Can::TRANSFER,
            Self::QueryTransfer => Can::QUERY_TRANSFER,
            Self::List => Can::LIST,
            Self::ListRefunds => Can::LIST_REFUNDS,
        }
    }
}

/// What a call answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Created(Created),
    Query(QueryAnswer),
    Cancel(CancelAnswer),
    Outflow(OutflowAnswer),
    Orders(Vec<ListedOrder>),
    Refunds(Vec<ListedRefund>),
}

/// How a call ended.
pub(super) type Told = Result<Answer, ChannelError>;

/// What befalls every call on the line from now on.
#[derive(Clone)]
pub(super) enum Mishap {
    /// There is no connection.
    NotSent,
    /// It is done, and its answer is lost.
    Cut(NoAnswer),
    /// It is done, and the answer comes after the deadline.
    Slow,
    /// It is done, and answered otherwise.
    Alters(fn(WireResponse) -> WireResponse),
    /// It is not done, and answered so.
    Says(WireResponse),
}

/// The way from the channel to its far side.
pub(super) struct Line {
    gateway: Option<Arc<dyn Gateway>>,
    clock: Arc<TestClock>,
    mishap: Mutex<Option<Mishap>>,
    sent: Mutex<Vec<(Mono, WireRequest)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// From now on every call ends like that.
    pub(super) fn strike(&self, mishap: Mishap) {
        *lock(&self.mishap) = Some(mishap);
    }

    /// Every request that left, and when.
    pub(super) fn sent(&self) -> Vec<(Mono, WireRequest)> {
        lock(&self.sent).clone()
    }
}

#[async_trait]
impl Transport for Line {
    fn check(&self, _: Destination, _: &Endpoint) -> Result<(), String> {
        Ok(())
    }

    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        let mishap = lock(&self.mishap).clone();
        let now = self.clock.mono();
        if now >= call.deadline.dispatch_by {
            return Err(Undelivered::NotSent(NotSent::TooLate));
        }
        let connected = self.gateway.as_ref().filter(|_| !matches!(mishap, Some(Mishap::NotSent)));
        let base = call.endpoint.path_and_query().0.trim_end_matches('/').to_owned();
        let request = WireRequest { path: format!("{base}{}", call.request.path), ..call.request };
        lock(&self.sent).push((now, request.clone()));
        let Some(gateway) = connected else { return Err(Undelivered::NotSent(NotSent::Connect)) };
        if let Some(Mishap::Says(answer)) = mishap {
            return Ok(answer);
        }
        let answer = gateway.answer(&request, self.clock.now());
        match mishap {
            Some(Mishap::Cut(why)) => Err(Undelivered::NoAnswer(why)),
            Some(Mishap::Slow) => {
                self.clock.advance(call.deadline.answer_by.left(now)).await;
                Err(Undelivered::NoAnswer(NoAnswer::TimedOut))
            }
            Some(Mishap::Alters(alter)) => Ok(alter(answer)),
            Some(Mishap::NotSent | Mishap::Says(_)) | None => Ok(answer),
        }
    }
}

/// A channel with all around it.
pub(super) struct Rig<'s> {
    pub(super) subject: &'s dyn Subject,
    pub(super) channel: Arc<dyn Channel>,
    pub(super) far_side: FarSide,
    pub(super) clock: Arc<TestClock>,
    pub(super) line: Line,
    pub(super) method: Method,
    deadline: Mutex<Deadline>,
    exposed: Mutex<bool>,
    reference: Mutex<Option<String>>,
}

impl<'s> Rig<'s> {
    /// For the ordinary method.
    pub(super) fn new(subject: &'s dyn Subject) -> Result<Self, String> {
        let method = subject.methods().first().copied().ok_or("`methods()`: list at least one")?;
        Self::of(subject, method, subject.settings())
    }

    /// For a call: an order that is to be closed must be one that a call ends.
    pub(super) fn for_op(subject: &'s dyn Subject, op: Op) -> Result<Self, String> {
        let rig = Self::new(subject)?;
        if op != Op::Cancel || !rig.can(op) {
            return Ok(rig);
        }
        let ends = |method: &&Method| {
            rig.channel
                .descriptor()
                .method(**method)
                .is_some_and(|spec| matches!(spec.end, OrderEnd::Call { .. }))
        };
        let methods = subject.methods();
        let method = methods.iter().find(ends).ok_or("`methods()`: list one whose orders a call ends")?;
        Self::of(subject, *method, subject.settings())
    }

    /// For that method, over that account.
    pub(super) fn of(subject: &'s dyn Subject, method: Method, settings: Settings) -> Result<Self, String> {
        let site = ChannelSite { id: site()? };
        let channel = subject.provider().channel(site, settings);
        let channel =
            channel.map_err(|errors| format!("`settings()`: the plugin does not take them: {errors:?}"))?;
        let clock = Arc::new(TestClock::new());
        let far_side = subject.far_side();
        let gateway =
            if let FarSide::Network(gateway) = &far_side { Some(Arc::clone(gateway)) } else { None };
        let line =
            Line { gateway, clock: Arc::clone(&clock), mishap: Mutex::default(), sent: Mutex::default() };
        let deadline = Mutex::new(Deadline::after(clock.mono(), CALL));
        let (exposed, reference) = (Mutex::default(), Mutex::default());
        Ok(Self { subject, channel, far_side, clock, line, method, deadline, exposed, reference })
    }

    /// Whether the channel says that it can do that.
    pub(super) fn can(&self, op: Op) -> bool {
        self.channel.descriptor().can.has(op.needs())
    }

    /// The provider, where the channel has a network.
    pub(super) fn gateway(&self) -> Option<&dyn Gateway> {
        if let FarSide::Network(gateway) = &self.far_side { Some(gateway.as_ref()) } else { None }
    }

    pub(super) fn spec(&self) -> Result<&MethodSpec, String> {
        let spec = self.channel.descriptor().method(self.method);
        spec.ok_or_else(|| format!("`methods()`: the descriptor has no `{}`", self.method))
    }

    /// A context whose deadline begins now.
    pub(super) fn cx(&self) -> Cx<'_> {
        let floor = self.channel.descriptor().method(self.method).and_then(|spec| spec.request_min);
        let deadline = Deadline::after(self.clock.mono(), floor.unwrap_or(CALL).max(CALL));
        *lock(&self.deadline) = deadline;
        Cx::new(&self.line, self.clock.as_ref(), deadline)
    }

    /// When the last call had to end.
    pub(super) fn deadline(&self) -> Mono {
        lock(&self.deadline).answer_by
    }

    /// Whether the last call may have reached the provider.
    pub(super) fn was_exposed(&self) -> bool {
        *lock(&self.exposed)
    }

    fn amount(&self) -> Money {
        let descriptor = self.channel.descriptor();
        let currency = descriptor.currencies.first().copied().unwrap_or(paymux_core::Currency::CNY);
        let range = descriptor.method(self.method).map(|spec| spec.amounts.clone());
        let minor = range.map_or(AMOUNT, |range| AMOUNT.clamp(*range.start(), *range.end()));
        Money::new(minor, currency)
    }

    /// The order of that number.
    pub(super) fn order(&self, number: &str) -> Result<Order, String> {
        let mut order = Order {
            number: ProviderOrderNo::new(number).map_err(|error| error.to_string())?,
            amount: self.amount(),
            method: self.method,
            subject: "Tea".to_owned(),
            expires_at: self.clock.now().plus(LIFE),
            notify_url: "https://pay.example/notify/conformance".to_owned(),
            return_url: "https://pay.example/return/conformance".to_owned(),
            payer: Payer {
                ip: Some(std::net::IpAddr::from([203, 0, 113, 7])),
                region: None,
                id: Some("u77".to_owned()),
                openid: Some("o-1".to_owned()),
                auth_code: Some(Secret::new("134567890123456789")),
            },
            extra: BTreeMap::new(),
            metadata: BTreeMap::new(),
            memo: self.channel.memo(self.method),
        };
        self.subject.prepare(&mut order);
        Ok(order)
    }

    /// The same order once it was sent, at the suite's first moment.
    pub(super) fn order_ref(&self, number: &str) -> Result<OrderRef, String> {
        let Order { number, amount, method, memo, metadata, .. } = self.order(number)?;
        let reference = lock(&self.reference).clone();
        Ok(OrderRef { number, amount, method, memo, reference, created_at: START, metadata })
    }

    /// The same order as a host of the provider's protocol keeps it, once it was paid.
    pub(super) fn paid_order(&self, number: &str) -> Result<FrontOrder, String> {
        let order = self.order(number)?;
        Ok(FrontOrder {
            id: "r-1".to_owned(),
            number: number.to_owned(),
            amount: order.amount,
            received: Some(order.amount),
            discount: Money::zero(order.amount.currency()),
            refunded: Money::zero(order.amount.currency()),
            method: self.method,
            memo: order.memo,
            subject: order.subject,
            trade_no: Some(TRADE_NO.to_owned()),
            closed: false,
            created_at: START,
            paid_at: Some(START),
            echo: Value::Null,
        })
    }

    pub(super) fn refund_order(&self) -> Result<RefundOrder, String> {
        let order = self.order_ref(NUMBER)?;
        let id = RefundId::make(START, &SeededRng::new(7));
        let amount = Money::new((order.amount.minor() / 2).max(1), order.amount.currency());
        Ok(RefundOrder {
            number: self.channel.refund_number(id, START),
            received: order.amount,
            amount,
            order,
            trade_no: Some(TRADE_NO.to_owned()),
            reason: "too sweet".to_owned(),
            reference: None,
            notify_url: "https://pay.example/notify/conformance".to_owned(),
            created_at: START,
        })
    }

    /// A payout of so much by a product of the descriptor's.
    pub(super) fn transfer_order(&self, product: &PayoutSpec, minor: i64) -> TransferOrder {
        let id = TransferId::make(START, &SeededRng::new(9));
        let payee = product.payee.iter().map(|name| ((*name).to_owned(), Secret::new("6200000000000001")));
        TransferOrder {
            payout: TransferRef {
                number: self.channel.transfer_number(id, START),
                amount: Money::new(minor, self.amount().currency()),
                product: product.product.to_owned(),
                reason: "wages".to_owned(),
                reference: None,
                created_at: START,
            },
            payee: payee.collect(),
            extra: BTreeMap::new(),
            notify_url: "https://pay.example/notify/conformance".to_owned(),
        }
    }

    /// The payout of the calls, by the first product.
    fn transfer(&self) -> TransferOrder {
        const NONE: PayoutSpec = PayoutSpec { product: "none", payee: &[], amount_min: 1, amount_max: 1 };
        let product = self.channel.descriptor().payouts.first().unwrap_or(&NONE);
        self.transfer_order(product, AMOUNT.clamp(product.amount_min, product.amount_max))
    }

    /// The number of that payout.
    pub(super) fn transfer_number(&self) -> String {
        self.transfer().payout.number
    }

    /// Lets that call end, or says that it does not.
    pub(super) async fn ended<T>(&self, work: impl Future<Output = T>) -> Result<T, String> {
        let ended = tokio::time::timeout(NEVER, work).await;
        ended.map_err(|_| format!("a call does not end within {} s", NEVER.as_secs()))
    }

    pub(super) async fn create(&self, order: &Order) -> Result<Result<Created, ChannelError>, String> {
        let cx = self.cx();
        let created = self.ended(self.channel.create(&cx, order)).await?;
        *lock(&self.exposed) = cx.is_exposed();
        if let Ok(Created::Open(opened)) = &created {
            lock(&self.reference).clone_from(&opened.reference);
        }
        Ok(created)
    }

    /// One call, about the order of each case.
    pub(super) async fn call(&self, op: Op) -> Result<Told, String> {
        if op == Op::Create {
            return Ok(self.create(&self.order(NUMBER)?).await?.map(Answer::Created));
        }
        let (order, refund, transfer) = (self.order_ref(NUMBER)?, self.refund_order()?, self.transfer());
        let (from, to) = (START, self.clock.now().plus(Duration::from_secs(1)));
        let cx = self.cx();
        let channel = &self.channel;
        let work = async {
            match op {
                Op::Create => Err(ChannelError::Unsupported),
                Op::Query => channel.query(&cx, &order).await.map(Answer::Query),
                Op::Cancel => channel.cancel(&cx, &order).await.map(Answer::Cancel),
                Op::Refund => channel.refund(&cx, &refund).await.map(Answer::Outflow),
                Op::QueryRefund => channel.query_refund(&cx, &refund).await.map(Answer::Outflow),
                Op::Transfer => channel.transfer(&cx, &transfer).await.map(Answer::Outflow),
                Op::QueryTransfer => channel.query_transfer(&cx, &transfer.payout).await.map(Answer::Outflow),
                Op::List => channel.list(&cx, from, to).await.map(Answer::Orders),
                Op::ListRefunds => channel.list_refunds(&cx, from, to).await.map(Answer::Refunds),
            }
        };
        let told = self.ended(work).await?;
        *lock(&self.exposed) = cx.is_exposed();
        Ok(told)
    }

    /// Brings about what a call needs: an order to be asked about, money to be sent back.
    pub(super) async fn ready(&self, op: Op) -> Result<(), String> {
        match op {
            Op::Create | Op::Transfer => Ok(()),
            Op::Query | Op::List => self.open().await,
            Op::Cancel => {
                self.open().await?;
                if let OrderEnd::Call { not_before, .. } = self.spec()?.end {
                    self.clock.advance(not_before).await;
                }
                Ok(())
            }
            Op::Refund => {
                self.open().await?;
                self.pay(NUMBER).await
            }
            Op::QueryRefund | Op::ListRefunds => {
                self.open().await?;
                self.pay(NUMBER).await?;
                self.works(Op::Refund).await.map(drop)
            }
            Op::QueryTransfer => self.works(Op::Transfer).await.map(drop),
        }
    }

    /// A call that must be answered.
    pub(super) async fn works(&self, op: Op) -> Result<Answer, String> {
        let told = self.call(op).await?;
        told.map_err(|error| format!("{op:?} does not work: {error}"))
    }

    /// Opens the order of each case.
    pub(super) async fn open(&self) -> Result<(), String> {
        self.works(Op::Create).await.map(drop)
    }

    /// The payer pays that order.
    pub(super) async fn pay(&self, number: &str) -> Result<(), String> {
        match &self.far_side {
            FarSide::Network(gateway) => gateway.pay(number, self.clock.now()),
            FarSide::Inside(inside) => {
                let cx = self.cx();
                let paid =
                    self.ended(self.channel.native(&cx, inside.pay, json!({"number": number}))).await?;
                paid.map(drop)
                    .map_err(|error| format!("the operation `{}` does not pay: {error}", inside.pay))
            }
        }
    }
}

/// The wallet's number of all money.
pub(super) const TRADE_NO: &str = "4200000000000001";

/// What every channel of the suite is called.
pub(super) fn site() -> Result<ChannelId, String> {
    ChannelId::new("conformance").map_err(|error| error.to_string())
}

/// The case's answer where the channel cannot do it: it must say so, and send nothing.
pub(super) async fn refuses(subject: &dyn Subject, op: Op) -> Result<(), String> {
    let rig = Rig::new(subject)?;
    let told = rig.call(op).await?;
    ensure!(
        told == Err(ChannelError::Unsupported),
        "the descriptor does not list {op:?}, so it must be `Unsupported`, not {}",
        shown(&told)
    );
    ensure!(rig.line.sent().is_empty(), "the descriptor does not list {op:?}, and something was sent");
    Ok(())
}

/// An outcome in a failure's text.
pub(super) fn shown<T: Debug>(told: &Result<T, ChannelError>) -> String {
    format!("{told:?}")
}

/// The suite's first moment plus that.
pub(super) fn after(span: Duration) -> Timestamp {
    START.plus(span)
}
