//! One BeeCloud account as a channel: the steps of each call, in order. Refunds are in `refunds`,
//! lists in `lists`, what is not routed in `native`.
//!
//! What goes into a call and what an answer means lives in `map`; webhooks live in `callback`.

mod lists;
mod native;
mod refunds;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::channel::{
    Blame, CallbackError, Can, CancelAnswer, Claim, ListedOrder, ListedRefund, MethodSpec, OrderEnd,
    OutflowAnswer, QueryAnswer, Receipt, RefundOrder, Verdict,
};
use paymux_core::ids::RefundId;
use paymux_core::transport::{NotSent, Undelivered};
use paymux_core::{
    Channel, ChannelError, Created, Currency, Cx, Descriptor, Method, Money, Order, OrderRef, Secret,
    Timestamp, Verb, WireRequest, WireResponse,
};
use serde::Serialize;
use serde_json::Value;

use crate::ID;
use crate::callback;
use crate::config::{Account, Books};
use crate::map;
use crate::map::codes::{self, CODES, Code, Family, Moves};
use crate::map::extra::EXTRA;
use crate::map::results::{self, Class, Step};
use crate::wire::{self, BillRow, BillsQuery, Caller, Reply, Revert, TillStatus};

/// A difference between the clocks that is worth telling, and worth correcting.
const SKEW_MIN: Duration = Duration::from_mins(1);

/// When to look again at what is not settled: 5, 15 and 60 s after the call, then ever slower. A
/// polled refund can take days.
///
/// Source: the moments are the reference's for a lost create.
const LOOKS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(45),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

/// One account.
pub(crate) struct BeeCloud {
    account: Account,
    descriptor: Descriptor,
    /// How far BeeCloud's clock is ahead of ours, in ms: learnt from the `Date` of an answer that
    /// refused our sign, so that the next call is signed in its time.
    clock_ahead_ms: AtomicI64,
}

impl BeeCloud {
    /// A channel of checked settings.
    pub(crate) fn new(account: Account) -> Self {
        let descriptor = descriptor(&account);
        Self { account, descriptor, clock_ahead_ms: AtomicI64::new(0) }
    }

    /// The code and path of an order: as remembered, else as the settings choose today.
    fn code(&self, memo: &str, method: Method) -> Result<(&'static Code, Family), ChannelError> {
        let chosen = || Code::for_method(method, self.account.books, self.account.contract);
        codes::from_memo(memo)
            .or_else(|| chosen().map(|code| (code, code.family)))
            .ok_or(ChannelError::Unsupported)
    }

    /// Now, by BeeCloud's clock as far as it is known.
    fn its_now(&self, cx: &Cx<'_>) -> Timestamp {
        self.its_time(cx.now())
    }

    /// What BeeCloud's clock shows at that moment of ours.
    fn its_time(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_ms(at.ms().saturating_add(self.clock_ahead_ms.load(Ordering::Relaxed)))
    }

    /// Sends one call of the pay path.
    async fn call<T: Serialize + Sync>(
        &self,
        cx: &Cx<'_>,
        verb: Verb,
        path: &str,
        fields: &T,
    ) -> Result<Reply, ChannelError> {
        self.call_with(&self.account.call_secret, cx, verb, path, fields).await
    }

    /// Sends one call, signed with that secret at this moment. The next base address is tried only
    /// when no byte went to the one before.
    async fn call_with<T: Serialize + Sync>(
        &self,
        secret: &Secret,
        cx: &Cx<'_>,
        verb: Verb,
        path: &str,
        fields: &T,
    ) -> Result<Reply, ChannelError> {
        let mut why = NotSent::Unbuildable;
        for base in &self.account.bases {
            let caller = Caller { app_id: &self.account.app_id, secret, timestamp: self.its_now(cx) };
            let request = wire::request(verb, path, caller, fields);
            let request = request.map_err(|_| ChannelError::NotSent(NotSent::Unbuildable))?;
            match cx.send(base, request).await {
                Ok(response) => {
                    let reply = wire::read(&response)?;
                    self.learn_time(cx, &reply);
                    return Ok(reply);
                }
                Err(Undelivered::NotSent(reason @ (NotSent::Connect | NotSent::Closed))) => why = reason,
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(ChannelError::NotSent(why))
    }

    /// Code 1 also means an expired timestamp: take BeeCloud's time over when it differs from ours.
    fn learn_time(&self, cx: &Cx<'_>, reply: &Reply) {
        if reply.code == 1 {
            let ahead = reply.date.map_or(0, |date| skew_ms(date, cx.now()));
            self.clock_ahead_ms.store(ahead, Ordering::Relaxed);
        }
    }

    /// The records of an order.
    async fn rows(&self, cx: &Cx<'_>, code: &Code, number: &str) -> Result<Vec<BillRow>, ChannelError> {
        let channel = (self.account.books == Books::V1).then_some(code.group);
        let path = format!("{}/bills", self.account.books.prefix());
        let reply = self.call(cx, Verb::Get, &path, &BillsQuery { bill_no: number, channel }).await?;
        match results::class(reply.code, Step::Query) {
            Class::Done => map::rows_of(number, &reply),
            Class::Absent => Ok(Vec::new()),
            _ => Err(failure(&reply, Step::Query, cx.now())),
        }
    }

    /// Whether a till order is paid. Makes BeeCloud ask the wallet, which its records do not.
    async fn till_paid(&self, cx: &Cx<'_>, code: &Code, number: &str) -> Result<bool, ChannelError> {
        // The codes of BeeCloud's own contract are not among those documented for this call.
        let channel = (code.group != "BC").then_some(code.name);
        let path = format!("{}/offline/bill/status", self.account.books.prefix());
        let reply = self.call(cx, Verb::Post, &path, &TillStatus { bill_no: number, channel }).await?;
        match results::class(reply.code, Step::Query) {
            Class::Done => reply
                .flag("pay_result")
                .ok_or_else(|| ChannelError::unknown("code 0 without a Boolean `pay_result`")),
            _ => Err(failure(&reply, Step::Query, cx.now())),
        }
    }

    /// What became of a till order: its record, and while that is unpaid the status, which is newer.
    /// The record comes first, so that a status call that hangs cannot hide money that is booked.
    async fn query_till(
        &self,
        cx: &Cx<'_>,
        code: &Code,
        order: &OrderRef,
    ) -> Result<QueryAnswer, ChannelError> {
        let number = order.number.as_str();
        let rows = self.rows(cx, code, number).await?;
        let recorded = map::found(&rows)?;
        if map::knows_money(&recorded, &rows) {
            return Ok(recorded);
        }
        match self.till_paid(cx, code, number).await {
            Ok(true) => self.paid_by_status(cx, code, order).await,
            Ok(false) | Err(_) => Ok(recorded),
        }
    }

    /// The status says paid; the record, asked once more, has the amount.
    async fn paid_by_status(
        &self,
        cx: &Cx<'_>,
        code: &Code,
        order: &OrderRef,
    ) -> Result<QueryAnswer, ChannelError> {
        let rows = self.rows(cx, code, order.number.as_str()).await;
        let rows = rows.map_err(|error| ChannelError::unknown(error.to_string()))?;
        let recorded = map::found(&rows)?;
        if map::knows_money(&recorded, &rows) {
            return Ok(recorded);
        }
        match recorded {
            QueryAnswer::Paid(_)
            | QueryAnswer::Returned(_)
            | QueryAnswer::Returning(_)
            | QueryAnswer::Closed => Err(ChannelError::unknown(
                "the status says paid and the record says reverted; a person must look",
            )),
            // The record lags behind: the amount is the one that it was made with, which the record
            // repeats if it is there.
            QueryAnswer::Open | QueryAnswer::NotFound => {
                let row = rows.first();
                let stated = row.map(|row| row.total_fee).filter(|fee| *fee > 0);
                let received = stated.map_or(order.amount, Money::fen);
                let reference = row.and_then(|row| row.id.clone());
                Ok(QueryAnswer::Paid(Receipt { reference, ..Receipt::of(received) }))
            }
        }
    }

    /// After code 7: the wallet refused, unless this very order is there all the same.
    async fn after_channel_error(
        &self,
        cx: &Cx<'_>,
        code: &Code,
        order: &Order,
        reply: &Reply,
    ) -> Result<Created, ChannelError> {
        let rows = self.rows(cx, code, order.number.as_str()).await;
        match rows.and_then(|rows| map::found(&rows)) {
            Ok(QueryAnswer::Paid(receipt)) => Ok(Created::Paid(receipt)),
            Ok(QueryAnswer::NotFound | QueryAnswer::Closed) => Err(map::refusal(reply, Blame::Account)),
            Ok(QueryAnswer::Open | QueryAnswer::Returned(_) | QueryAnswer::Returning(_)) => {
                Err(ChannelError::unknown(format!(
                    "{}, but the order is in BeeCloud's records",
                    map::told(reply)
                )))
            }
            Err(_) => Err(ChannelError::unknown(format!(
                "{}, and the order could not be asked for",
                map::told(reply)
            ))),
        }
    }
}

#[async_trait]
impl Channel for BeeCloud {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Path, code and group: the settings may choose another code later, this order stays what it is.
    fn memo(&self, method: Method) -> String {
        self.code("", method).map(|(code, family)| code.memo(family)).unwrap_or_default()
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        let (code, family) = self.code(&order.memo, order.method)?;
        let bill = map::bill(code, order, self.account.books, cx.now())?;
        let path = map::create_path(self.account.books, family);
        let reply = self.call(cx, Verb::Post, &path, &bill).await?;
        let reply = if code.carries_card() { reply.without_detail() } else { reply };
        let step = if code.moves == Moves::Create { Step::Charge } else { Step::Open };
        match results::class(reply.code, step) {
            Class::Done => map::created(code, order, &reply),
            Class::AskFirst => self.after_channel_error(cx, code, order, &reply).await,
            _ => Err(failure(&reply, step, cx.now())),
        }
    }

    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let (code, family) = self.code(&order.memo, order.method)?;
        match family {
            Family::Till => self.query_till(cx, code, order).await,
            Family::Bill => map::found(&self.rows(cx, code, order.number.as_str()).await?),
        }
    }

    /// Reverts a till order. It can come too late, so the caller asks once more.
    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        let (code, _) = self.code(&order.memo, order.method)?;
        if code.end != codes::End::Revert {
            return Err(ChannelError::Unsupported);
        }
        let path =
            format!("{}/offline/bill/{}", self.account.books.prefix(), wire::segment(order.number.as_str()));
        let reply =
            self.call(cx, Verb::Post, &path, &Revert { channel: code.name, method: "REVERT" }).await?;
        match (results::class(reply.code, Step::Revert), reply.flag("revert_status")) {
            (Class::Done, Some(true)) => Ok(CancelAnswer::Closed),
            (Class::Done, Some(false)) => {
                Ok(CancelAnswer::Refused("BeeCloud answered `revert_status` false".to_owned()))
            }
            (Class::Done, None) => Err(ChannelError::unknown("code 0 without a Boolean `revert_status`")),
            (Class::Refused(_), _) => Ok(CancelAnswer::Refused(told(&reply, cx.now()))),
            _ => Err(failure(&reply, Step::Revert, cx.now())),
        }
    }

    /// The day in China, and what is random in the id.
    fn refund_number(&self, id: RefundId, at: Timestamp) -> String {
        map::refunds::number(id, self.its_time(at))
    }

    /// Not around midnight in China: the day in the number would be another one there.
    fn refund_not_before(&self, at: Timestamp) -> Option<Timestamp> {
        map::refunds::quiet_for(self.its_time(at)).map(|wait| at.plus(wait))
    }

    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.send_refund(cx, refund).await
    }

    async fn query_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.ask_refund(cx, refund).await
    }

    async fn list(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedOrder>, ChannelError> {
        let rows = self.records(cx, lists::BILLS, from..to).await?;
        rows.iter().map(map::refunds::listed_order).collect()
    }

    async fn find(&self, cx: &Cx<'_>, number: &str) -> Result<Option<ListedOrder>, ChannelError> {
        self.record_of(cx, number).await
    }

    async fn list_refunds(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedRefund>, ChannelError> {
        let rows = self.records(cx, lists::REFUNDS, from..to).await?;
        rows.iter().map(map::refunds::listed_refund).collect()
    }

    async fn native(&self, cx: &Cx<'_>, operation: &str, body: Value) -> Result<Value, ChannelError> {
        self.call_native(cx, operation, &body).await
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        callback::verify(&self.account, request)
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        callback::acknowledge(verdict)
    }
}

fn descriptor(account: &Account) -> Descriptor {
    let mut methods: Vec<_> = Vec::new();
    for row in CODES {
        let chosen = Code::for_method(row.method, account.books, account.contract);
        if let Some(code) = chosen.filter(|code| code.name == row.name) {
            methods.push(map::spec(code, account.books));
        }
    }
    Descriptor {
        provider: ID,
        account_key: account.app_id.clone(),
        livemode: account.books != Books::Sandbox,
        can: can(account, &methods),
        refunds_per_order: Some(account.refunds_per_order),
        currencies: vec![Currency::CNY],
        methods,
        payouts: &[],
        looks: &LOOKS,
        extra: &EXTRA,
    }
}

/// Reverts where a code has one; refunds and lists of refunds only in V2; lists of orders, and orders of
/// others, not in V1, whose rows lack what a comparison needs.
fn can(account: &Account, methods: &[MethodSpec]) -> Can {
    let reverts = |spec: &MethodSpec| matches!(spec.end, OrderEnd::Call { .. });
    let mut can = Can::QUERY;
    if methods.iter().any(reverts) {
        can = can | Can::CANCEL;
    }
    if account.books != Books::V1 {
        can = can | Can::LIST | Can::FIND;
    }
    if account.money_secret().is_some() {
        can = can | Can::REFUND | Can::QUERY_REFUND | Can::LIST_REFUNDS;
    }
    can
}

/// How far `theirs` is ahead of `ours`, in ms; 0 when it is not worth telling.
fn skew_ms(theirs: Timestamp, ours: Timestamp) -> i64 {
    let ahead = theirs.ms().saturating_sub(ours.ms());
    if u128::from(ahead.unsigned_abs()) < SKEW_MIN.as_millis() { 0 } else { ahead }
}

/// What BeeCloud said, and for code 1 whether the clocks differ.
fn told(reply: &Reply, now: Timestamp) -> String {
    let told = map::told(reply);
    if reply.code != 1 {
        return told;
    }
    match reply.date.map(|date| skew_ms(date, now)) {
        None => format!("{told}; its answer has no Date, so compare the clocks before the keys"),
        Some(0) => format!("{told}; the clocks agree, so compare app_id and the secret"),
        Some(ahead) => {
            let direction = if ahead > 0 { "behind" } else { "ahead of" };
            let seconds = ahead.unsigned_abs() / 1000;
            format!(
                "{told}; our clock is {seconds} s {direction} BeeCloud's, the next call is signed in its time"
            )
        }
    }
}

/// What a result code other than 0 means for a call, with what is said about code 1.
fn failure(reply: &Reply, step: Step, now: Timestamp) -> ChannelError {
    match map::failure(reply, step) {
        ChannelError::Refused(refusal) => {
            ChannelError::Refused(paymux_core::channel::Refusal { message: told(reply, now), ..refusal })
        }
        other => other,
    }
}
