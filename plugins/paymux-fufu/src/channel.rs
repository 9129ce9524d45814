//! One FuFu account as a channel: the steps of each call, in order. How an order is ended is in `ending`.
//!
//! What goes into a call and what an answer means lives in `map`; notifications live in `callback`.

mod ending;

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::channel::{
    CallbackError, Can, CancelAnswer, Claim, OutflowAnswer, QueryAnswer, RefundOrder, Verdict,
};
use paymux_core::{
    Channel, ChannelError, Created, Cx, Descriptor, Method, Order, OrderRef, Product, Timestamp, WireRequest,
    WireResponse,
};
use serde::Serialize;

use crate::ID;
use crate::callback;
use crate::config::Account;
use crate::map;
use crate::map::extra::EXTRA;
use crate::map::kinds::{KINDS, Kind, Opening};
use crate::map::{hours, refunds};
use crate::wire::{self, ByNumber, Query, Reply};

/// When to look again at what is not settled: 5 s after the call, then each time twice as long, up to 5 minutes.
/// FuFu gives its own notifications up after 20 s.
///
/// Source: the document names no interval; the reading is the reference's for refunds that are under way.
const LOOKS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(80),
    Duration::from_secs(160),
    Duration::from_mins(5),
];

/// One account.
pub(crate) struct Fufu {
    account: Account,
    descriptor: Descriptor,
}

impl Fufu {
    /// A channel of checked settings.
    pub(crate) fn new(account: Account) -> Self {
        let descriptor = Descriptor {
            provider: ID,
            account_key: account.busi_id.clone(),
            livemode: true,
            can: Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND,
            refunds_per_order: None,
            currencies: map::currencies(),
            methods: KINDS.iter().map(Kind::spec).collect(),
            payouts: &[],
            looks: &LOOKS,
            extra: &EXTRA,
        };
        Self { account, descriptor }
    }

    /// Sends one call, signed at this moment.
    async fn call<T: Serialize + Sync>(
        &self,
        cx: &Cx<'_>,
        operation: &str,
        call: &T,
    ) -> Result<Reply, ChannelError> {
        let request = wire::request(operation, call, cx.now(), &self.account.key)?;
        let response = cx.send(&self.account.base, request).await?;
        wire::read(&response)
    }

    /// A call about a number of ours that says nothing else.
    fn by_number<'a>(&'a self, number: &'a str) -> ByNumber<'a> {
        ByNumber {
            busi_id: &self.account.busi_id,
            operator_id: &self.account.operator_id,
            terminal_id: &self.account.terminal_id,
            out_trade_no: number,
        }
    }

    /// What became of an order. Our number always, FuFu's own too where it is known.
    async fn ask(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let query = Query {
            busi_id: &self.account.busi_id,
            out_trade_no: order.number.as_str(),
            trade_no: map::own_number(order.reference.as_deref()),
        };
        map::found(order, self.call(cx, "query", &query).await?)
    }

    async fn ask_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let reply = self.call(cx, "refundQuery", &self.by_number(&refund.number)).await?;
        refunds::found(refund, reply)
    }

    /// After "the number is in use": an identical repeat is answered so too, so only the question tells.
    async fn after_repeat(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let unclear =
            |what: &str| ChannelError::unknown(format!("the refund's number is in use, and {what}"));
        match self.ask_refund(cx, refund).await {
            Ok(OutflowAnswer::NotFound) => Err(unclear("FuFu shows no refund under it")),
            Ok(known) => Ok(known),
            Err(_) => Err(unclear("it could not be asked for")),
        }
    }
}

/// The way to pay of an order, as remembered, else as its method has it.
fn kind(memo: &str, method: Method) -> Result<&'static Kind, ChannelError> {
    Kind::from_memo(memo).or_else(|| Kind::of_method(method)).ok_or(ChannelError::Unsupported)
}

#[async_trait]
impl Channel for Fufu {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Operation, kind of trade and channel: what opened an order decides what ends it.
    fn memo(&self, method: Method) -> String {
        Kind::of_method(method).map_or("", |kind| kind.memo).to_owned()
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        let kind = kind(&order.memo, order.method)?;
        if kind.opening == Opening::Scan {
            let reply = self.call(cx, "order", &map::scan(&self.account, kind, order)?).await?;
            return map::scanned(order, reply);
        }
        let call = map::pre_order(&self.account, kind, order, cx.now())?;
        map::pre_ordered(kind, order, self.call(cx, "preOrder", &call).await?)
    }

    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        self.ask(cx, order).await
    }

    /// Only orders of a till are cancelled, and only in FuFu's hours; the others are closed at any time.
    fn cancel_not_before(&self, method: Method, at: Timestamp) -> Option<Timestamp> {
        if method.product == Product::Barcode { hours::cancel_opens(at) } else { None }
    }

    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        self.end(cx, kind(&order.memo, order.method)?, order).await
    }

    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let reply = self.call(cx, "refund", &refunds::refund(&self.account, refund)?).await?;
        if refunds::asks_first(&reply) {
            return self.after_repeat(cx, refund).await;
        }
        refunds::accepted(refund, reply)
    }

    async fn query_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.ask_refund(cx, refund).await
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        callback::verify(&self.account, request)
    }

    fn fits(&self, _request: &WireRequest, claim: &Claim, order: &OrderRef) -> Result<(), &'static str> {
        callback::fits(claim, order)
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        callback::acknowledge(verdict)
    }

    fn acknowledge_misfit(&self) -> WireResponse {
        callback::misfit()
    }
}
