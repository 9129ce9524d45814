//! One sandbox account as a channel: the steps of each call, in order.
//!
//! Where a real plugin would build, sign, send and read, this one looks into its books. What the
//! words mean lives in `map`; callbacks live in `callback`.

use std::sync::Arc;

use async_trait::async_trait;
use paymux_core::channel::{CallbackError, Can, CancelAnswer, Claim, Opened, QueryAnswer, Verdict};
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Currency, Cx, Descriptor, Order, OrderRef, WireRequest,
    WireResponse,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::ID;
use crate::books::{Books, Lateness, State};
use crate::callback;
use crate::config::Account;
use crate::map::{self, AMOUNT_MAX, Script};
use crate::wire::PayOrder;

/// What orders can be in.
const CURRENCIES: [&str; 8] = ["CNY", "USD", "EUR", "GBP", "HKD", "JPY", "SGD", "KWD"];

/// One account.
pub(crate) struct Sandbox {
    account: Account,
    books: Arc<Books>,
    descriptor: Descriptor,
}

impl Sandbox {
    /// A channel of checked settings over those books.
    pub(crate) fn new(id: &ChannelId, account: Account, books: Arc<Books>) -> Self {
        let descriptor = Descriptor {
            provider: ID,
            // Every channel is an account of its own: its books are named after it.
            account_key: id.as_str().to_owned(),
            livemode: false,
            can: Can::QUERY | Can::CANCEL,
            currencies: CURRENCIES.iter().filter_map(|code| Currency::from_code(code)).collect(),
            methods: map::methods(),
            extra: &[],
        };
        Self { account, books, descriptor }
    }
}

#[async_trait]
impl Channel for Sandbox {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn create(&self, _cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        let script = map::script(&order.metadata, order.amount)?;
        if script == Script::Refused {
            return Err(map::scripted_refusal());
        }
        let number = order.number.as_str();
        let state = self.books.open(number, order.amount, script, order.expires_at).map_err(map::refusal)?;
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

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        callback::verify(&self.account.key, request)
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        callback::acknowledge(verdict)
    }

    /// `pay`: money comes in for an order, see [`PayOrder`].
    async fn native(&self, cx: &Cx<'_>, operation: &str, body: Value) -> Result<Value, ChannelError> {
        if operation != "pay" {
            return Err(ChannelError::Unsupported);
        }
        let call = PayOrder::deserialize(body).map_err(|_| {
            map::bad_request(
                "write {\"number\": text, \"amount\": minor units or absent, \"late\": true or absent}",
            )
        })?;
        if call.amount.is_some_and(|minor| !(1..=AMOUNT_MAX).contains(&minor)) {
            return Err(map::bad_request("`amount`: write minor units, more than zero"));
        }
        let lateness = if call.late { Lateness::Taken } else { Lateness::Refused };
        let received = self.books.pay(&call.number, call.amount, lateness, cx.now()).map_err(map::refusal)?;
        Ok(json!({
            "number": call.number,
            "state": "paid",
            "amount": received.minor(),
            "currency": received.currency().code(),
            "trade_no": map::trade_no(&call.number),
        }))
    }
}
