//! One sandbox account as a channel: the steps of each call, in order.
//!
//! Where a real plugin would build, sign, send and read, this one looks into its books. What the
//! words mean lives in `map`; callbacks live in `callback`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use paymux_core::channel::{
    CallbackError, Can, CancelAnswer, Claim, ListedOrder, ListedRefund, Opened, OutflowAnswer, QueryAnswer,
    RefundOrder, TransferOrder, TransferRef, Verdict,
};
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Currency, Cx, Descriptor, Order, OrderRef, Timestamp,
    WireRequest, WireResponse,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::ID;
use crate::books::outflow::{End, Stage};
use crate::books::{Books, Lateness, No, State};
use crate::callback;
use crate::config::Account;
use crate::map::outflow::{self, OutflowScript};
use crate::map::{self, AMOUNT_MAX, Script};
use crate::wire::{EndOutflow, PayOrder};

/// What orders can be in.
const CURRENCIES: [&str; 8] = ["CNY", "USD", "EUR", "GBP", "HKD", "JPY", "SGD", "KWD"];

/// One account.
pub(crate) struct SandboxChannel {
    account: Account,
    books: Arc<Books>,
    descriptor: Descriptor,
}

impl SandboxChannel {
    /// A channel of checked settings over those books.
    pub(crate) fn new(id: &ChannelId, account: Account, books: Arc<Books>) -> Self {
        let descriptor = Descriptor {
            provider: ID,
            // Every channel is an account of its own: its books are named after it.
            account_key: id.as_str().to_owned(),
            livemode: false,
            can: Can::QUERY
                | Can::CANCEL
                | Can::REFUND
                | Can::QUERY_REFUND
                | Can::TRANSFER
                | Can::QUERY_TRANSFER
                | Can::LIST
                | Can::LIST_REFUNDS,
            refunds_per_order: None,
            currencies: CURRENCIES.iter().filter_map(|code| Currency::from_code(code)).collect(),
            methods: map::methods(),
            payouts: outflow::PAYOUTS,
            looks: &[],
            extra: &[],
        };
        Self { account, books, descriptor }
    }

    /// What a person opens for a refund or a payout; it leads nowhere.
    fn place(&self, what: &str) -> String {
        format!("sandbox:{}/{what}", self.descriptor.account_key)
    }

    /// The native operation `pay`: money comes in for an order.
    fn pay(&self, body: Value, now: Timestamp) -> Result<Value, ChannelError> {
        let call = PayOrder::deserialize(body).map_err(|_| {
            map::bad_request(
                "write {\"number\": text, \"amount\": minor units or absent, \"late\": true or absent}",
            )
        })?;
        if call.amount.is_some_and(|minor| !(1..=AMOUNT_MAX).contains(&minor)) {
            return Err(map::bad_request("`amount`: write minor units, more than zero"));
        }
        let received = self.books.pay(&call.number, call.amount, lateness(call.late), now);
        let received = received.map_err(map::refusal)?;
        Ok(json!({
            "number": call.number,
            "state": "paid",
            "amount": received.minor(),
            "currency": received.currency().code(),
            "trade_no": map::trade_no(&call.number),
        }))
    }
}

fn lateness(late: bool) -> Lateness {
    if late { Lateness::Taken } else { Lateness::Refused }
}

/// A native operation by which a person ends a refund or a payout.
fn end_outflow(
    body: Value,
    done: impl FnOnce(&str, Lateness) -> Result<Stage, No>,
) -> Result<Value, ChannelError> {
    let call = EndOutflow::deserialize(body)
        .map_err(|_| map::bad_request("write {\"number\": text, \"late\": true or absent}"))?;
    let stage = done(&call.number, lateness(call.late)).map_err(map::refusal)?;
    let state = if stage == Stage::Done { "done" } else { "failed" };
    Ok(json!({"number": call.number, "state": state}))
}

/// What a call that moves money answers once the books have done as its script says.
fn told(
    script: OutflowScript,
    place: &str,
    number: &str,
    stage: Result<Stage, No>,
) -> Result<OutflowAnswer, ChannelError> {
    let stage = stage.map_err(outflow::refusal)?;
    if script == OutflowScript::Unknown {
        return Err(ChannelError::unknown("the script asked for no answer"));
    }
    Ok(outflow::answer(place, number, stage))
}

/// What scripts do that the books never see.
fn before_the_books(script: OutflowScript) -> Result<(), ChannelError> {
    match script {
        OutflowScript::Refused => Err(map::scripted_refusal()),
        OutflowScript::Lost => Err(ChannelError::unknown("the script asked for no answer and no effect")),
        _ => Ok(()),
    }
}

#[async_trait]
impl Channel for SandboxChannel {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        self.descriptor.taking(order)?;
        let script = map::script(&order.metadata, order.amount)?;
        if script == Script::Refused {
            return Err(map::scripted_refusal());
        }
        let number = order.number.as_str();
        let life = cx.now()..order.expires_at;
        let state = self.books.open(number, order.amount, script, life).map_err(map::refusal)?;
        match state {
            _ if script == Script::Unknown => Err(ChannelError::unknown("the script asked for no answer")),
            State::Paid(received) => Ok(Created::Paid(map::receipt(number, received))),
            State::Open | State::Closed(_) => Ok(Created::Open(Opened {
                action: map::action(&self.descriptor.account_key, order),
                reference: Some(number.to_owned()),
            })),
        }
    }

    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let number = order.number.as_str();
        Ok(map::answer(number, self.books.look(number, cx.now())))
    }

    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        let number = order.number.as_str();
        match self.books.close(number, cx.now()) {
            State::Closed(_) => Ok(CancelAnswer::Closed),
            State::Paid(received) => Ok(CancelAnswer::Paid(map::receipt(number, received))),
            State::Open => Err(ChannelError::unknown("the books left the order open")),
        }
    }

    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let script = outflow::script(&refund.reason, &refund.order.metadata, refund.amount)?;
        before_the_books(script)?;
        let order = refund.order.number.as_str();
        let stage = self.books.refund(&refund.number, order, refund.amount, script, cx.now());
        told(script, &self.place("refund"), &refund.number, stage)
    }

    async fn query_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let looked = self.books.look_refund(&refund.number, cx.now());
        outflow::found(&self.place("refund"), &refund.number, looked)
    }

    async fn transfer(&self, cx: &Cx<'_>, transfer: &TransferOrder) -> Result<OutflowAnswer, ChannelError> {
        outflow::check_payout(transfer)?;
        let payout = &transfer.payout;
        let script = outflow::script(&payout.reason, &BTreeMap::new(), payout.amount)?;
        paymux_core::payout_is_called!(&payout.number);
        before_the_books(script)?;
        let stage = self.books.transfer(&payout.number, payout.amount, script, cx.now());
        told(script, &self.place("transfer"), &payout.number, stage)
    }

    async fn query_transfer(
        &self,
        cx: &Cx<'_>,
        transfer: &TransferRef,
    ) -> Result<OutflowAnswer, ChannelError> {
        let looked = self.books.look_transfer(&transfer.number, cx.now());
        outflow::found(&self.place("transfer"), &transfer.number, looked)
    }

    async fn list(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedOrder>, ChannelError> {
        Ok(self.books.list(from..to, cx.now()))
    }

    async fn list_refunds(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedRefund>, ChannelError> {
        Ok(self.books.list_refunds(&(from..to), cx.now()))
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        callback::verify(&self.account, request)
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        callback::acknowledge(verdict)
    }

    /// `pay`, `refund_done`, `refund_failed`, `transfer_done`, `transfer_failed`: what a person does
    /// at a real provider, see [`PayOrder`] and [`EndOutflow`].
    async fn native(&self, cx: &Cx<'_>, operation: &str, body: Value) -> Result<Value, ChannelError> {
        let (books, now) = (&self.books, cx.now());
        match operation {
            "pay" => self.pay(body, now),
            "refund_done" => end_outflow(body, |no, late| books.end_refund(no, End::Done, late, now)),
            "refund_failed" => end_outflow(body, |no, late| books.end_refund(no, End::Failed, late, now)),
            "transfer_done" => end_outflow(body, |no, late| books.end_transfer(no, End::Done, late, now)),
            "transfer_failed" => end_outflow(body, |no, late| books.end_transfer(no, End::Failed, late, now)),
            _ => Err(ChannelError::Unsupported),
        }
    }
}
